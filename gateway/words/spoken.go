package words

import "nabat/gateway/alert"

// spoken are the words that loudspeakers say. They are for ears, and for a
// child of six: short, calm, what to do before where. Numbers and
// abbreviations are written as they are spoken.
func spoken(l alert.Language) Words {
	switch l {
	case alert.Kazakh:
		return Words{
			"pa.drill":      "Бұл — оқу дабылы. Қауіп жоқ, біз жаттығып жатырмыз.",
			"pa.test":       "Бұл — тексеру. Ештеңе істеудің қажеті жоқ.",
			"pa.over":       "Қауіп өтті, бәрі аяқталды. Мұғаліміңіздің жанында болыңыз, ол не істеу керегін айтады.",
			"pa.over.drill": "Оқу дабылы аяқталды. Рақмет, бәріңіз жарайсыздар.",
			"pa.over.test":  "Тексеру аяқталды. Рақмет.",

			"pa.kind.fire":          "Назар аударыңыз! Өрт.",
			"pa.kind.intruder":      "Назар аударыңыз! Мектепте қауіпті адам бар.",
			"pa.kind.violence":      "Назар аударыңыз! Мектепте қауіп бар.",
			"pa.kind.medical":       "Назар аударыңыз! Бір адамға дәрігердің көмегі керек.",
			"pa.kind.missing-child": "Назар аударыңыз! Біз бір баланы іздеп жатырмыз.",
			"pa.kind.stranger":      "Назар аударыңыз! Мектепте бөтен адам жүр.",
			"pa.kind.bullying":      "Назар аударыңыз! Балаға көмек керек.",
			"pa.kind.help":          "Назар аударыңыз! Көмек керек.",
			"pa.kind.technical":     "Назар аударыңыз! Ғимаратта ақау бар.",
			"pa.kind.named":         "Назар аударыңыз! {kind}.",
			"pa.kind.other":         "Назар аударыңыз! Дабыл.",

			"pa.do.Evacuate": "Мұғаліміңізбен бірге ғимараттан сабырмен шығыңыз. Заттарыңызды қалдырыңыз. Жүгірмеңіз.",
			"pa.do.Shelter":  "Сыныпта қалыңыз. Есікті іштен құлыптаңыз. Терезе мен есіктен алыс отырып, тыныш болыңыз.",
			"pa.do.Avoid":    "Ол жерге бармаңыз. Жолды бос қалдырыңыз.",
			"pa.do.Monitor":  "Орныңызда болыңыз. Бірдеңе көрсеңіз, бірден мұғалімге айтыңыз.",
			"pa.do.Prepare":  "Мұғаліміңіздің жанына келіп, не айтатынын тыңдаңыз.",

			"pa.place": "Болған жері: {place}.",
		}
	case alert.English:
		return Words{
			"pa.drill":      "This is a drill. There is no danger, we are practising.",
			"pa.test":       "This is a test. You need not do anything.",
			"pa.over":       "The danger is over. Stay with your teacher, who will tell you what comes next.",
			"pa.over.drill": "The drill is over. Thank you, well done everyone.",
			"pa.over.test":  "The test is over. Thank you.",

			"pa.kind.fire":          "Attention! Fire.",
			"pa.kind.intruder":      "Attention! There is a dangerous person in the school.",
			"pa.kind.violence":      "Attention! There is danger in the school.",
			"pa.kind.medical":       "Attention! Somebody needs a doctor.",
			"pa.kind.missing-child": "Attention! We are looking for a child.",
			"pa.kind.stranger":      "Attention! There is a stranger in the school.",
			"pa.kind.bullying":      "Attention! A child needs help.",
			"pa.kind.help":          "Attention! Help is needed.",
			"pa.kind.technical":     "Attention! Something in the building is broken.",
			"pa.kind.named":         "Attention! {kind}.",
			"pa.kind.other":         "Attention! Alarm.",

			"pa.do.Evacuate": "Walk out of the building now, calmly, with your teacher. Leave your things. Do not run.",
			"pa.do.Shelter":  "Stay in your room. Lock the door from the inside. Sit away from windows and doors, and keep quiet.",
			"pa.do.Avoid":    "Please do not go there. Keep the way free.",
			"pa.do.Monitor":  "Stay where you are. If you see something, tell your teacher at once.",
			"pa.do.Prepare":  "Go to your teacher and listen to what comes next.",

			"pa.place": "The place is: {place}.",
		}
	case alert.Russian:
	}
	return Words{
		"pa.drill":      "Это учебная тревога. Опасности нет, мы тренируемся.",
		"pa.test":       "Это проверка. Делать ничего не нужно.",
		"pa.over":       "Опасность прошла. Оставайтесь со своим учителем, он скажет, что делать дальше.",
		"pa.over.drill": "Учебная тревога окончена. Спасибо, все молодцы.",
		"pa.over.test":  "Проверка окончена. Спасибо.",

		"pa.kind.fire":          "Внимание! Пожар.",
		"pa.kind.intruder":      "Внимание! В школе опасный человек.",
		"pa.kind.violence":      "Внимание! В школе опасно.",
		"pa.kind.medical":       "Внимание! Человеку нужен врач.",
		"pa.kind.missing-child": "Внимание! Мы ищем ребёнка.",
		"pa.kind.stranger":      "Внимание! В школе посторонний человек.",
		"pa.kind.bullying":      "Внимание! Ребёнку нужна помощь.",
		"pa.kind.help":          "Внимание! Нужна помощь.",
		"pa.kind.technical":     "Внимание! В здании неисправность.",
		"pa.kind.named":         "Внимание! {kind}.",
		"pa.kind.other":         "Внимание! Тревога.",

		"pa.do.Evacuate": "Спокойно выходите из здания вместе с учителем. Вещи оставьте. Не бегите.",
		"pa.do.Shelter":  "Оставайтесь в классе. Заприте дверь изнутри. Сядьте подальше от окон и двери. Сидите тихо.",
		"pa.do.Avoid":    "Не ходите туда. Освободите проход.",
		"pa.do.Monitor":  "Оставайтесь на месте. Если что-то увидите, сразу скажите учителю.",
		"pa.do.Prepare":  "Подойдите к своему учителю и слушайте, что он скажет.",

		"pa.place": "Место: {place}.",
	}
}
