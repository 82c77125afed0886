package cap

import "nabat/gateway/alert"

// text is what a message says beside the words that the gateway has for kinds,
// levels and statuses.
type text struct {
	restriction, late, exercise string
	stages                      map[Stage]string
}

func texts(l alert.Language) text {
	switch l {
	case alert.Russian:
		return text{
			restriction: "Только для служб, которые выезжают на вызов, и для диспетчерской",
			late:        "Сообщение пришло с опозданием: сначала перезвоните в школу.",
			exercise:    "Это учения. Никого не направляйте.",
			stages: map[Stage]string{
				StageOpen: "Никто ещё не принял вызов.", StageTaken: "Диспетчер принял вызов.",
				StageResponding: "Группа в пути.", StageArrived: "Группа на месте.", StageClosed: "Вызов закрыт.",
			},
		}
	case alert.Kazakh:
		return text{
			restriction: "Тек шақыруға шығатын қызметтер мен диспетчерлікке арналған",
			late:        "Хабар кешігіп келді: алдымен мектепке қайта қоңырау шалыңыз.",
			exercise:    "Бұл оқу-жаттығу. Ешкімді жібермеңіз.",
			stages: map[Stage]string{
				StageOpen: "Шақыруды әлі ешкім қабылдаған жоқ.", StageTaken: "Диспетчер шақыруды қабылдады.",
				StageResponding: "Топ жолда.", StageArrived: "Топ орнында.", StageClosed: "Шақыру жабылды.",
			},
		}
	case alert.English:
	}
	return text{
		restriction: "For responding services and dispatch only",
		late:        "This message came late: call the school back first.",
		exercise:    "This is a drill. Send nobody.",
		stages: map[Stage]string{
			StageOpen: "Nobody has taken the call yet.", StageTaken: "A dispatcher has taken the call.",
			StageResponding: "A team is on its way.", StageArrived: "A team has arrived.", StageClosed: "The call is closed.",
		},
	}
}
