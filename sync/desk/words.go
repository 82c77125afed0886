package desk

import (
	"nabat/gateway/alert"
	shared "nabat/gateway/words"
)

// text is every word on the page in one language. Types and ids of events are
// shown as they travel: operators find them so in their own systems.
type text struct {
	Lang                                       alert.Language
	Title, Hint, Open, None, Log, Total, Again string
	Kind, Level, Place, Age, State             string
	Emergency, Quiet, Accepted, Waiting, Drill string
	Event, ID, Delay, Lost                     string
	Kinds                                      map[alert.Kind]string
}

// words returns the page's words; kinds are called as they are at the school.
func words(l alert.Language) text {
	t, school := own(l), shared.In(l)
	t.Kinds = make(map[alert.Kind]string)
	for _, kind := range alert.Kinds() {
		t.Kinds[kind] = school.Get("kind." + string(kind))
	}
	return t
}

func own(l alert.Language) text {
	switch l {
	case alert.Russian:
		return text{
			Lang: l, Title: "Диспетчерская (демонстрация)", Hint: "Так события видит дежурный диспетчер. Эта страница хранит всё только в памяти.",
			Open: "Открытые тревоги", None: "Открытых тревог нет", Log: "Журнал событий", Total: "принято событий", Again: "повторов",
			Kind: "Вид", Level: "Уровень", Place: "Место", Age: "Прошло", State: "Состояние",
			Emergency: "тревога", Quiet: "тихий вызов", Accepted: "принято человеком", Waiting: "ждёт", Drill: "учения",
			Event: "Событие", ID: "Номер", Delay: "задержка", Lost: "Нет связи со шлюзом: показано последнее известное.",
		}
	case alert.Kazakh:
		return text{
			Lang: l, Title: "Диспетчерлік (көрсетілім)", Hint: "Кезекші диспетчер оқиғаларды осылай көреді. Бұл бет бәрін тек жадта сақтайды.",
			Open: "Ашық дабылдар", None: "Ашық дабыл жоқ", Log: "Оқиғалар журналы", Total: "қабылданған оқиға", Again: "қайталанған",
			Kind: "Түрі", Level: "Деңгейі", Place: "Орны", Age: "Өткен уақыт", State: "Күйі",
			Emergency: "дабыл", Quiet: "тыныш шақыру", Accepted: "адам қабылдады", Waiting: "күтуде", Drill: "жаттығу",
			Event: "Оқиға", ID: "Нөмірі", Delay: "кідіріс", Lost: "Шлюзбен байланыс жоқ: соңғы белгілі күй көрсетілген.",
		}
	case alert.English:
	}
	return text{
		Lang: alert.English, Title: "Dispatch (demonstration)", Hint: "This is how a dispatch operator sees the events. The page keeps everything in memory only.",
		Open: "Open alerts", None: "No open alerts", Log: "Events", Total: "events received", Again: "repeated",
		Kind: "Kind", Level: "Level", Place: "Place", Age: "Since", State: "State",
		Emergency: "emergency", Quiet: "quiet call", Accepted: "taken by a person", Waiting: "waiting", Drill: "drill",
		Event: "Event", ID: "Id", Delay: "delay", Lost: "No link to the gateway: this is the last known state.",
	}
}
