package words

import "nabat/gateway/alert"

// hallway are the words of small displays: as short as they can be and still
// say what to do.
func hallway(l alert.Language) Words {
	switch l {
	case alert.Kazakh:
		return Words{
			"hallway.do.Evacuate": "Ғимараттан шығыңыз",
			"hallway.do.Shelter":  "Сыныпта қалып, есікті құлыптаңыз",
			"hallway.do.Avoid":    "Ол жаққа бармаңыз",
			"hallway.do.Monitor":  "Көрсеңіз, мұғалімге айтыңыз",
			"hallway.do.Prepare":  "Мұғалімге барыңыз",
			"hallway.exit.left":   "Солға шығыңыз",
			"hallway.exit.right":  "Оңға шығыңыз",
			"hallway.exit.up":     "Тура жүріңіз",
			"hallway.exit.down":   "Төмен түсіңіз",
			"hallway.over":        "Қауіп өтті",
			"hallway.over.drill":  "Оқу дабылы аяқталды",
			"hallway.over.test":   "Тексеру аяқталды",
			"hallway.bell":        "Қоңырау {time}",
			"hallway.clockless":   "Уақыт белгісіз",

			"condition.display-lost":    "Дәліздегі табло жауап бермейді: {object}",
			"condition.display-lost.do": "Онда ештеңе көрсетілмейді. Қуатын, кабелін және мекенжайын тексеріңіз; дабыл кезінде сол жерге адам қойыңыз.",
		}
	case alert.English:
		return Words{
			"hallway.do.Evacuate": "Leave the building",
			"hallway.do.Shelter":  "Stay in and lock the door",
			"hallway.do.Avoid":    "Keep away from there",
			"hallway.do.Monitor":  "See something? Tell a teacher",
			"hallway.do.Prepare":  "Go to your teacher",
			"hallway.exit.left":   "Exit left",
			"hallway.exit.right":  "Exit right",
			"hallway.exit.up":     "Exit straight on",
			"hallway.exit.down":   "Exit down",
			"hallway.over":        "All clear",
			"hallway.over.drill":  "The drill is over",
			"hallway.over.test":   "The test is over",
			"hallway.bell":        "Bell at {time}",
			"hallway.clockless":   "Time unknown",

			"condition.display-lost":    "A hallway display does not answer: {object}",
			"condition.display-lost.do": "Nothing is shown there. Check its power, its cable and its address; in an alarm, put a person there.",
		}
	case alert.Russian:
	}
	return Words{
		"hallway.do.Evacuate": "Выходите из здания",
		"hallway.do.Shelter":  "Заприте дверь класса",
		"hallway.do.Avoid":    "Не ходите туда",
		"hallway.do.Monitor":  "Увидите – скажите учителю",
		"hallway.do.Prepare":  "Идите к учителю",
		"hallway.exit.left":   "Выход налево",
		"hallway.exit.right":  "Выход направо",
		"hallway.exit.up":     "Выход прямо",
		"hallway.exit.down":   "Выход вниз",
		"hallway.over":        "Отбой тревоги",
		"hallway.over.drill":  "Учение окончено",
		"hallway.over.test":   "Проверка окончена",
		"hallway.bell":        "Звонок в {time}",
		"hallway.clockless":   "Время неизвестно",

		"condition.display-lost":    "Табло в коридоре не отвечает: {object}",
		"condition.display-lost.do": "Там ничего не показано. Проверьте питание, кабель и адрес; при тревоге поставьте там человека.",
	}
}
