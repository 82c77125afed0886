package desk

import "nabat/gateway/words"

func kazakh() words.Words {
	return words.Words{
		"title": "Диспетчерлік", "menu": "Беттер", "menu.skip": "Мазмұнға өту", "menu.alerts": "Дабылдар", "menu.gateways": "Шлюздер", "menu.history": "Тарих",
		"menu.people": "Диспетчерлер мен топтар", "menu.audit": "Әрекеттер журналы", "logout": "Шығу", "noscript": "Бұл бетке JavaScript керек: онсыз дабылдар көрінбейді.",
		"cancel": "Бас тарту", "save": "Сақтау", "show": "Көрсету", "all": "барлығы", "from": "бастап", "to": "дейін", "older": "Ертерек",
		"unit.ms": "{n} мс", "unit.s": "{n} с", "unit.min": "{n} мин", "unit.h": "{n} сағ", "unit.d": "{n} тәул.",

		"login.title": "Кіру", "login.name": "Кіру аты", "login.password": "Құпиясөз", "login.enter": "Кіру", "login.out": "Сіз шықтыңыз.",
		"login.wrong": "Аты немесе құпиясөз қате.", "login.broken": "Диспетчерлік дерекқоры жауап бермейді. Қайталап көріңіз.",
		"n.login.locked": "Қате құпиясөз тым көп. {n} секундтан кейін көріңіз.|Қате құпиясөз тым көп. {n} секундтан кейін көріңіз.",

		"live.connecting": "Қосылуда", "live.live": "Байланыста", "live.stale": "Байланыс жоқ", "stale": "Диспетчерлік қызметпен байланыс жоқ.",
		"stale.age": "Көріп тұрғаныңыз {t} бұрынғы, қате болуы мүмкін.", "ends.soon": "Сеанс {t} кейін аяқталады. Қалу үшін тінтуірді қозғаңыз немесе перне басыңыз.",
		"ends.over": "Сеанс аяқталды.", "ends.login": "Қайта кіру",
		"sound.on": "Дыбысты қосу", "sound.off": "Дыбысты өшіру",

		"alerts.title": "Ашық дабылдар", "alerts.none": "Ашық дабыл жоқ", "n.more": "тағы {n} ашық дабыл|тағы {n} ашық дабыл",
		"gateways.title": "Шлюздер", "gateways.summary": "{all} шлюздің {online} байланыста",
		"status.Exercise": "ОҚУ-ЖАТТЫҒУ", "status.Test": "ТЕКСЕРУ",
		"n.presses":    "{n} рет басылды|{n} рет басылды",
		"time.pressed": "Басылды", "time.saved": "Мектепте жазылды", "time.delivered": "Осында жеткізілді",
		"clock.unknown": "уақыты белгісіз", "clock.corrected": "уақыты кейін түзетілді", "clock.estimated": "уақыты белгісіз: бұдан кеш емес",
		"clock.right": "дұрыс", "clock.unsynced": "тексерілмеген", "clock.off": "{t} айырма бар",
		"late": "КЕШІКТІ: қайта қоңырау шалыңыз, көзсіз жібермеңіз.", "late.by": "{t} КЕШІКТІ: қайта қоңырау шалыңыз, көзсіз жібермеңіз.", "late.short": "кешікті",
		"reach.online": "Шлюз қазір байланыста", "reach.silent": "Шлюз {time} үнсіз қалды, {ago} бұрын", "reach.never": "Шлюз әлі байланысқа шықпаған", "reach.heard": "{time} естілді",
		"taken.by": "Алған: {who}, {time}", "taken.before": "{who} {time} алған, бірақ содан бері тағы басылды", "taken.school": "Мектепте қабылдады: {who}", "who.none": "аты көрсетілмеген",
		"team.arrived": "{team}: {time} бастап орнында", "team.eta": "{team}: жолда, {time} күтіледі{phone}", "team.overdue": "{team}: кешігуде, {time} күтілген{phone}", "team.way": "{team}: жолда{phone}",
		"team.title": "Топ жіберу", "team.which": "Топ", "team.minutes": "Келгенше неше минут", "team.send": "Топты жіберу",
		"clear.title": "Дабылды жабу", "clear.outcome": "Немен аяқталды?", "clear.why": "Не болды", "clear.hint": "Оқушылардың атын жазбаңыз. Мұны мектепте оқиды.", "clear.send": "Дабылды жабу",
		"act.take": "Өзіме аламын", "act.team": "Топ жіберу", "act.arrived": "Топ орнында", "act.clear": "Жабу",
		"verb.acknowledge": "«Алынды»", "verb.responding": "«Топ жолда»", "verb.arrived": "«Топ орнында»", "verb.clear": "«Жабу»", "verb.announce": "Хабарландыру", "verb.drill-start": "Жаттығудың басталуы", "verb.drill-end": "Жаттығудың аяқталуы", "verb.config-pull": "Жаңа баптау", "verb.keys": "Кілттерді ауыстыру",
		"order.accepted": "{verb}: мектеп біледі ({time})", "order.refused": "{verb}: мектеп бас тартты: {reason}", "order.expired": "{verb}: жауапсыз мерзімі өтті ({time} берілген). Қайталаңыз немесе қоңырау шалыңыз.",
		"order.never": "{verb}: жеткізілмеді, шлюз әлі байланысқа шықпаған", "order.offline": "{verb}: әлі жеткізілмеді, шлюз {time} бастап байланыста емес", "order.waiting": "{verb}: жіберуді күтуде", "order.sent": "{verb}: мектепке {time} жіберілді, әлі жауап жоқ",
		"closed.line": "Жабылды: {outcome}. {who}. {why}",
		"state.open":  "ашық", "state.closed": "жабық",
		"done.taken": "Сіз дабылды алдыңыз. Мектепке хабарлап жатырмыз.", "done.sent": "Берілді. Мектепке жеткені төменде көрсетіледі.", "done.saved": "Сақталды.",

		"orders.title": "Мектепке берілген бұйрықтар", "orders.none": "Әзірге жоқ", "timeline.title": "Не болды", "history.none": "Ештеңе табылмады",
		"col.at": "Қашан", "col.who": "Кім", "col.what": "Не", "col.state": "Күйі", "col.event": "Оқиға", "col.detail": "Толығырақ", "col.made": "Мектептегі уақыт", "col.delay": "Кідіріс", "col.links": "Арналар", "col.id": "Нөмірі",
		"col.school": "Мектеп", "col.heard": "Соңғы рет", "col.conditions": "Ақаулар", "col.queue": "Жіберуді күтуде", "col.clock": "Сағаты", "col.open": "Ашық дабыл", "col.status": "Мәртебесі", "col.place": "Орны", "col.object": "Неге қатысты",
		"detail.point": "Түйме", "detail.to": "сұралды", "detail.who": "кім", "detail.why": "неге", "detail.eta": "күтіледі",
		"event.alert.raised": "Басылды", "event.alert.escalated": "Көтерілді", "event.alert.received": "Түбіртек көрсетілді", "event.alert.acknowledged": "Алынды", "event.alert.responding": "Топ жолда", "event.alert.arrived": "Топ орнында", "event.alert.cleared": "Жабылды", "event.drill.started": "Жаттығу басталды", "event.drill.ended": "Жаттығу аяқталды", "event.command.accepted": "Бұйрық қабылданды", "event.command.refused": "Бұйрық қабылданбады",
		"queue.empty": "ештеңе жоқ", "queue.last": "соңғы белгілі", "queue.oldest": "ең ескісі {t}", "n.queue": "{n} оқиға|{n} оқиға", "gateway.revoked": "Рұқсаты {time} алынды", "gateway.forked": "{time} бір нөмірмен екі бөлек оқиға келді: диск көшірілген немесе қалпына келтірілген",
		"gateways.add": "Шлюздер серверде тіркеледі: nabat-dispatch gateway add МЕКТЕП/ШЛЮЗ.",

		"announce.title": "Хабарландыру", "announce.screens": "Экрандар", "announce.screens.hint": "Нөмірлері үтірмен; бос болса, барлық жерде.", "announce.say": "Дауыс зорайтқышпен де айту", "announce.zones": "Дауыс зорайтқыш аймақтары", "announce.zones.hint": "Нөмірлері үтірмен; бос болса, барлық жерде.", "announce.minutes": "Минут", "announce.send": "Хабарлау",
		"drill.title": "Оқу-жаттығу", "drill.about": "Барлық жерде ОҚУ-ЖАТТЫҒУ деп белгіленген дабылды бастайды. Нағыз басу әрқашан одан өтеді.", "drill.kind": "Түрі", "drill.level": "Деңгейі", "drill.place": "Орны", "drill.place.hint": "Мектеп баптауындағы орын нөмірі.", "drill.sure": "Мектеп жаттығу туралы біледі және келіседі", "drill.start": "Жаттығуды бастау", "drill.end": "Осы мектептің барлық жаттығуын аяқтау",
		"config.title": "Баптау", "config.about": "Шлюз оны алып, тексереді; қате болса, ескісімен қалады.", "config.file": "Файл (TOML)", "config.text": "немесе мәтін", "config.send": "Тағайындап, шлюзден алуды сұрау",
		"audit.verify": "Тізбекті тексеру", "audit.whole": "Тізбек бүтін: {n} жазба.", "audit.broken": "Журнал өзгертілген: {error}",
		"operators.title": "Диспетчерлер", "people.change": "Есептік жазба", "people.password": "Жаңа құпиясөз", "people.disabled": "өшірілген", "people.name": "Аты-жөні", "people.role": "Рөлі", "people.operator": "диспетчер", "people.admin": "әкімші", "people.add": "Қосу",
		"teams.title": "Мобильді топтар", "teams.name": "Атауы", "teams.phone": "Телефоны", "teams.retired": "жұмыс істемейді",

		"error.session": "Сеанс аяқталды. Қайта кіріңіз.", "error.token": "Пішін ескірген. Бетті жаңартып, қайталаңыз.", "error.admin": "Мұны тек әкімші істей алады.", "error.broken": "Орындалмады: диспетчерлік дерекқоры жауап бермейді. Қайталаңыз.",
		"error.revoked": "Шлюздің рұқсаты алынған: бұйрықтар оған жетпейді. Қоңырау шалыңыз.", "error.untold": "Сіз дабылды алдыңыз, бірақ мектепке хабарлау мүмкін болмады. Қайталаңыз.",
		"error.unknown": "Бұл мекенжайда ештеңе жоқ.", "error.form": "Пішін толық емес немесе қате. Ештеңе жасалмады.", "error.closed": "Бұл дабыл жабылып қойған ({who}).", "error.taken": "Бұл дабылды {who} алып қойған, {time}.",
		"error.team": "Топты және келу минутын таңдаңыз.", "error.outcome": "Немен аяқталғанын таңдаңыз.", "error.why": "Не болғанын жазыңыз.", "error.unsure": "Уақытында жауап болмады. Қайталамас бұрын дабылға қараңыз.",
		"error.announce.empty": "Мәтінді кемінде бір тілде жазыңыз.", "error.announce.long": "Хабарландыруда {n} таңба бола алады.", "error.drill.sure": "Мектептің жаттығуға келісімін растаңыз.",
		"error.config.empty": "Файлды таңдаңыз немесе баптауды жазыңыз.", "error.config.long": "Баптау — {n} КиБ-тан аспайтын мәтін.", "error.exists": "Бұл ат бос емес.", "error.invalid": "Мұны сақтау мүмкін емес: құпиясөз ұзындығы мен аттарды тексеріңіз. Соңғы әкімші әкімші болып қалады.",

		"js.new": "Жаңа дабыл: {what}, {where}", "js.ago": "{t} бұрын", "js.since.stored": "жеткізілгеннен бері", "js.nobody": "Әлі ешкім алмады", "js.sending": "Жіберілуде…", "js.open": "Толығырақ",
		"n.js.open": "{n} ашық|{n} ашық",
	}
}
