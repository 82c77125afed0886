package control

import (
	"strings"

	"nabat/gateway/alert"
	"nabat/gateway/words"
)

// Language returns the language of a terminal from LC_ALL, LC_MESSAGES and
// LANG, English where they name none of ours.
func Language(getenv func(string) string) alert.Language {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		value := getenv(name)
		if value == "" {
			continue
		}
		for _, l := range alert.Languages() {
			if rest, ok := strings.CutPrefix(value, string(l)); ok && (rest == "" || strings.ContainsRune("_.@", rune(rest[0]))) {
				return l
			}
		}
		return alert.English
	}
	return alert.English
}

// texts are the words of the status in one language: its own, and those that
// it shares with the pages.
type texts struct {
	language alert.Language
	pages    words.Words
	own      map[string]alert.Text
}

func textsIn(l alert.Language) texts {
	return texts{language: l, pages: words.In(l), own: ownTexts()}
}

func (t texts) get(key string) string { return t.own[key].In(t.language) }

// or returns a text that the pages have as well, or the bare word.
func (t texts) or(key, word string) string { return t.pages.Or(key, word) }

func ownTexts() map[string]alert.Text {
	return map[string]alert.Text{
		"board.gpio": {RU: "настоящие кнопки", KK: "нағыз түймелер", EN: "real buttons"},
		"board.sim":  {RU: "имитация кнопок", KK: "түймелердің имитациясы", EN: "simulated buttons"},
		"uptime":     {RU: "работает", KK: "жұмыс уақыты", EN: "up"},

		"points":  {RU: "Кнопки и лампы", KK: "Түймелер мен шамдар", EN: "Points"},
		"armed":   {RU: "исправны %d из %d", KK: "%[2]d ішінен %[1]d жарамды", EN: "%d of %d armed"},
		"unarmed": {RU: "НЕ РАБОТАЕТ", KK: "ЖҰМЫС ІСТЕМЕЙДІ", EN: "NOT ARMED"},
		"unread":  {RU: "ещё не опрошена", KK: "әлі тексерілмеген", EN: "not read yet"},

		"alerts":  {RU: "Открытые тревоги", KK: "Ашық дабылдар", EN: "Open alerts"},
		"none":    {RU: "нет", KK: "жоқ", EN: "none"},
		"drill":   {RU: "учения", KK: "оқу-жаттығу", EN: "drill"},
		"test":    {RU: "проверка", KK: "тексеру", EN: "test"},
		"unknown": {RU: "неизвестно", KK: "белгісіз", EN: "unknown"},

		"coming":   {RU: "группа в пути", KK: "топ жолда", EN: "team on the way"},
		"there":    {RU: "группа на месте", KK: "топ келді", EN: "team there"},
		"expected": {RU: "ожидается в %s", KK: "келетін уақыты %s", EN: "expected at %s"},
		"notices":  {RU: "Объявления", KK: "Хабарландырулар", EN: "Announcements"},
		"left":     {RU: "ещё %s", KK: "тағы %s", EN: "%s left"},

		"sounding": {RU: "Динамики", KK: "Динамиктер", EN: "Loudspeakers"},
		"speakers": {RU: "динамиков: %d", KK: "динамик: %d", EN: "loudspeakers: %d"},
		"unheard":  {RU: "НЕ ЗВУЧИТ", KK: "ЕСТІЛМЕЙДІ", EN: "NOT HEARD"},
		"broken":   {RU: "НЕ РАБОТАЮТ: %d", KK: "ЖҰМЫС ІСТЕМЕЙДІ: %d", EN: "NOT WORKING: %d"},

		"screens":        {RU: "Экраны", KK: "Экрандар", EN: "Screens"},
		"proven":         {RU: "исправны %d из %d", KK: "%[2]d ішінен %[1]d жарамды", EN: "%d of %d proven"},
		"screen.waiting": {RU: "ещё не виден", KK: "әлі көрінбеді", EN: "not seen yet"},
		"screen.dark":    {RU: "НЕ ОТВЕЧАЕТ", KK: "ЖАУАП БЕРМЕЙДІ", EN: "DARK"},
		"screen.frozen":  {RU: "ЗАСТЫЛ", KK: "ҚАТЫП ҚАЛДЫ", EN: "FROZEN"},
		"never":          {RU: "ещё не был на связи", KK: "әлі хабар берген жоқ", EN: "never heard of"},
		"seen":           {RU: "был на связи %s назад", KK: "%s бұрын хабар берді", EN: "heard of %s ago"},

		"raised":   {RU: "поднята", KK: "көтерілді", EN: "raised"},
		"saved":    {RU: "записана", KK: "жазылды", EN: "saved"},
		"sent":     {RU: "отправлена", KK: "жіберілді", EN: "sent"},
		"received": {RU: "получена", KK: "қабылданды", EN: "received"},
		"accepted": {RU: "принята", KK: "жауап берілді", EN: "accepted"},

		"links": {RU: "Связь", KK: "Байланыс", EN: "Links"},
		"up":    {RU: "есть", KK: "бар", EN: "up"},
		"down":  {RU: "НЕТ", KK: "ЖОҚ", EN: "DOWN"},

		"queue":   {RU: "Очередь", KK: "Кезек", EN: "Queue"},
		"alarm":   {RU: "тревоги", KK: "дабылдар", EN: "alarms"},
		"routine": {RU: "остальное", KK: "қалғаны", EN: "others"},
		"waiting": {RU: "ждут: %d", KK: "күтуде: %d", EN: "waiting: %d"},
		"oldest":  {RU: "старшее %s", KK: "ең ескісі %s", EN: "oldest %s"},
		"parked":  {RU: "отложено: %d", KK: "бөлек қойылды: %d", EN: "parked: %d"},

		"conditions": {RU: "Требует внимания", KK: "Назар аударыңыз", EN: "Needs attention"},
		"clock":      {RU: "Часы", KK: "Сағат", EN: "Clock"},
		"synced":     {RU: "синхронизированы", KK: "синхрондалған", EN: "synchronised"},
		"unsynced":   {RU: "НЕ синхронизированы", KK: "СИНХРОНДАЛМАҒАН", EN: "NOT synchronised"},
		"journal":    {RU: "Журнал", KK: "Журнал", EN: "Journal"},
		"event":      {RU: "последнее событие %s-%d", KK: "соңғы оқиға %s-%d", EN: "last event %s-%d"},
		"config":     {RU: "Настройки", KK: "Баптаулар", EN: "Configuration"},
		"assigned":   {RU: "назначены диспетчерской (%s…)", KK: "диспетчерлік тағайындаған (%s…)", EN: "assigned by dispatch (%s…)"},
		"durable":    {RU: "на диске", KK: "дискіде", EN: "on disk"},
		"memory":     {RU: "ТОЛЬКО В ПАМЯТИ", KK: "ТЕК ЖАДТА", EN: "IN MEMORY ONLY"},

		"s":   {RU: "с", KK: "с", EN: "s"},
		"min": {RU: "мин", KK: "мин", EN: "min"},
		"h":   {RU: "ч", KK: "сағ", EN: "h"},
		"d":   {RU: "дн", KK: "тәул", EN: "d"},
	}
}
