package desk

import "nabat/gateway/words"

func russian() words.Words {
	return words.Words{
		"title": "Диспетчерская", "menu": "Страницы", "menu.skip": "К содержанию", "menu.alerts": "Тревоги", "menu.gateways": "Шлюзы", "menu.history": "История",
		"menu.people": "Диспетчеры и группы", "menu.audit": "Журнал действий", "logout": "Выйти", "noscript": "Этой странице нужен JavaScript: без него тревоги не видны.",
		"cancel": "Отмена", "save": "Сохранить", "show": "Показать", "all": "все", "from": "с", "to": "по", "older": "Раньше",
		"unit.ms": "{n} мс", "unit.s": "{n} с", "unit.min": "{n} мин", "unit.h": "{n} ч", "unit.d": "{n} сут.",

		"login.title": "Вход", "login.name": "Имя для входа", "login.password": "Пароль", "login.enter": "Войти", "login.out": "Вы вышли.",
		"login.wrong": "Неверное имя или пароль.", "login.broken": "База данных диспетчерской не отвечает. Попробуйте ещё раз.",
		"n.login.locked": "Слишком много неверных паролей. Попробуйте через {n} секунду.|Слишком много неверных паролей. Попробуйте через {n} секунды.|Слишком много неверных паролей. Попробуйте через {n} секунд.",

		"live.connecting": "Подключение", "live.live": "На связи", "live.stale": "Нет связи", "stale": "Нет связи с диспетчерской службой.",
		"stale.age": "То, что вы видите, устарело на {t} и может быть неверно.", "ends.soon": "Сеанс закончится через {t}. Подвиньте мышь или нажмите клавишу, чтобы остаться.",
		"ends.over": "Сеанс закончился.", "ends.login": "Войти снова",
		"sound.on": "Включить звук", "sound.off": "Выключить звук",

		"alerts.title": "Открытые тревоги", "alerts.none": "Открытых тревог нет", "n.more": "и ещё {n} открытая тревога|и ещё {n} открытые тревоги|и ещё {n} открытых тревог",
		"gateways.title": "Шлюзы", "gateways.summary": "На связи {online} из {all}",
		"status.Exercise": "УЧЕНИЯ", "status.Test": "ПРОВЕРКА",
		"n.presses":    "{n} нажатие|{n} нажатия|{n} нажатий",
		"time.pressed": "Нажата", "time.saved": "Записано в школе", "time.delivered": "Доставлено сюда",
		"clock.unknown": "время неизвестно", "clock.corrected": "время уточнено позже", "clock.estimated": "время неизвестно: не позже этого",
		"clock.right": "верные", "clock.unsynced": "не сверены", "clock.off": "расходятся на {t}",
		"late": "ОПОЗДАЛО: перезвоните, не высылайте вслепую.", "late.by": "ОПОЗДАЛО на {t}: перезвоните, не высылайте вслепую.", "late.short": "опоздало",
		"reach.online": "Шлюз сейчас на связи", "reach.silent": "Шлюз замолчал в {time}, {ago} назад", "reach.never": "Шлюз ещё не выходил на связь", "reach.heard": "слышен в {time}",
		"taken.by": "Взял(а): {who}, {time}", "taken.before": "{who} взял(а) в {time}, но с тех пор нажали ещё раз", "taken.school": "Приняли в школе: {who}", "who.none": "имя не указано",
		"team.arrived": "{team}: на месте с {time}", "team.eta": "{team}: в пути, ожидается в {time}{phone}", "team.overdue": "{team}: опаздывает, ожидалась в {time}{phone}", "team.way": "{team}: в пути{phone}",
		"team.title": "Выслать группу", "team.which": "Группа", "team.minutes": "Минут до прибытия", "team.send": "Выслать группу",
		"clear.title": "Закрыть тревогу", "clear.outcome": "Чем закончилось?", "clear.why": "Что произошло", "clear.hint": "Пожалуйста, без имён учеников. Это прочтут в школе.", "clear.send": "Закрыть тревогу",
		"act.take": "Беру на себя", "act.team": "Выслать группу", "act.arrived": "Группа на месте", "act.clear": "Закрыть",
		"verb.acknowledge": "«Взято»", "verb.responding": "«Группа в пути»", "verb.arrived": "«Группа на месте»", "verb.clear": "«Закрыть»", "verb.announce": "Объявление", "verb.drill-start": "Начало учений", "verb.drill-end": "Конец учений", "verb.config-pull": "Новая настройка", "verb.keys": "Смена ключей",
		"order.accepted": "{verb}: в школе знают ({time})", "order.refused": "{verb}: школа отказала: {reason}", "order.expired": "{verb}: срок вышел без ответа (дано в {time}). Повторите или позвоните.",
		"order.never": "{verb}: не доставлено, шлюз ещё не выходил на связь", "order.offline": "{verb}: ещё не доставлено, шлюз не на связи с {time}", "order.waiting": "{verb}: ждёт отправки", "order.sent": "{verb}: отправлено в школу в {time}, ответа ещё нет",
		"closed.line": "Закрыта: {outcome}. {who}. {why}",
		"state.open":  "открыта", "state.closed": "закрыта",
		"done.taken": "Вы взяли тревогу. Школе сообщаем.", "done.sent": "Дано. Дошло ли до школы, показано ниже.", "done.saved": "Сохранено.",

		"orders.title": "Команды школе", "orders.none": "Пока нет", "timeline.title": "Что происходило", "history.none": "Ничего не найдено",
		"col.at": "Когда", "col.who": "Кто", "col.what": "Что", "col.state": "Состояние", "col.event": "Событие", "col.detail": "Подробности", "col.made": "Время в школе", "col.delay": "Задержка", "col.links": "Каналы", "col.id": "Номер",
		"col.school": "Школа", "col.heard": "Последний раз", "col.conditions": "Неполадки", "col.queue": "Ждёт отправки", "col.clock": "Часы", "col.open": "Открытых тревог", "col.status": "Статус", "col.place": "Место", "col.object": "Над чем",
		"detail.point": "Кнопка", "detail.to": "просят", "detail.who": "кто", "detail.why": "почему", "detail.eta": "ожидается",
		"event.alert.raised": "Нажата", "event.alert.escalated": "Повышена", "event.alert.received": "Квитанция показана", "event.alert.acknowledged": "Взята", "event.alert.responding": "Группа в пути", "event.alert.arrived": "Группа на месте", "event.alert.cleared": "Закрыта", "event.drill.started": "Учения начались", "event.drill.ended": "Учения закончились", "event.command.accepted": "Команда принята", "event.command.refused": "Команда отклонена",
		"queue.empty": "ничего", "queue.last": "последнее известное", "queue.oldest": "самому старому {t}", "n.queue": "{n} событие|{n} события|{n} событий", "gateway.revoked": "Доступ отозван в {time}", "gateway.forked": "В {time} под одним номером пришли два разных события: диск скопирован или восстановлен",
		"gateways.add": "Шлюзы регистрируют на сервере: nabat-dispatch gateway add ШКОЛА/ШЛЮЗ.",

		"announce.title": "Объявление", "announce.screens": "Экраны", "announce.screens.hint": "Номера через запятую; пусто значит везде.", "announce.say": "Произнести и по громкой связи", "announce.zones": "Зоны громкой связи", "announce.zones.hint": "Номера через запятую; пусто значит везде.", "announce.minutes": "Минут", "announce.send": "Объявить",
		"drill.title": "Учения", "drill.about": "Начинает тревогу, которая везде помечена словом УЧЕНИЯ. Настоящее нажатие всегда пробивается сквозь неё.", "drill.kind": "Вид", "drill.level": "Уровень", "drill.place": "Место", "drill.place.hint": "Номер места, как в настройке школы.", "drill.sure": "Школа знает об учениях и согласна", "drill.start": "Начать учения", "drill.end": "Закончить все учения этой школы",
		"config.title": "Настройка", "config.about": "Шлюз заберёт её, проверит и останется со старой, если новая неверна.", "config.file": "Файл (TOML)", "config.text": "или текст", "config.send": "Назначить и попросить шлюз забрать",
		"audit.verify": "Проверить цепочку", "audit.whole": "Цепочка цела: записей {n}.", "audit.broken": "Журнал изменён: {error}",
		"operators.title": "Диспетчеры", "people.change": "Учётная запись", "people.password": "Новый пароль", "people.disabled": "отключён", "people.name": "Имя", "people.role": "Роль", "people.operator": "диспетчер", "people.admin": "администратор", "people.add": "Добавить",
		"teams.title": "Мобильные группы", "teams.name": "Название", "teams.phone": "Телефон", "teams.retired": "не работает",

		"error.session": "Сеанс закончился. Войдите снова.", "error.token": "Форма устарела. Обновите страницу и повторите.", "error.admin": "Это может только администратор.", "error.broken": "Не сделано: база данных диспетчерской не отвечает. Повторите.",
		"error.revoked": "Доступ шлюза отозван: команды до него не дойдут. Звоните.", "error.untold": "Вы взяли тревогу, но сообщить школе не удалось. Повторите.",
		"error.unknown": "По этому адресу ничего нет.", "error.form": "Форма заполнена не полностью или неверно. Ничего не сделано.", "error.closed": "Эта тревога уже закрыта ({who}).", "error.taken": "Эту тревогу уже взял(а) {who}, в {time}.",
		"error.team": "Выберите группу и минуты до прибытия.", "error.outcome": "Выберите, чем закончилось.", "error.why": "Напишите, что произошло.", "error.unsure": "Ответа нет вовремя. Посмотрите на тревогу, прежде чем повторять.",
		"error.announce.empty": "Напишите текст хотя бы на одном языке.", "error.announce.long": "В объявлении может быть {n} знаков.", "error.drill.sure": "Подтвердите, что школа согласна на учения.",
		"error.config.empty": "Выберите файл или напишите настройку.", "error.config.long": "Настройка — это текст не больше {n} КиБ.", "error.exists": "Такое имя уже занято.", "error.invalid": "Это нельзя сохранить: проверьте длину пароля и имена. Последний администратор остаётся администратором.",

		"js.new": "Новая тревога: {what}, {where}", "js.ago": "{t} назад", "js.since.stored": "с доставки", "js.nobody": "Никто ещё не взял", "js.sending": "Отправляется…", "js.open": "Подробно",
		"n.js.open": "{n} открытая|{n} открытые|{n} открытых",
	}
}
