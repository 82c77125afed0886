package cap

import "nabat/gateway/alert"

// grade is how CAP classes an event.
type grade struct {
	category, urgency, severity, certainty, response string
}

// classify maps the words of Nabat to those of CAP 1.2:
//
//	kind                        category     severity of an emergency
//	fire                        Fire         Extreme
//	intruder, violence          Security     Extreme
//	stranger                    Security     Severe
//	medical                     Health       Severe
//	missing-child               Rescue       Severe
//	bullying, help              Safety       Severe
//	technical                   Infra        Moderate
//	a kind of the site's own    Other        Severe
//
//	level emergency             urgency Immediate, severity as above
//	level help                  urgency Expected, severity Minor
//	closed                      urgency Past
//
//	certainty                   Likely (a person pressed, nobody has looked yet);
//	                            Observed (a team has arrived, or it was resolved);
//	                            Unlikely (a false press, a test)
//	responseType                Assess while open, Monitor once a team is on
//	                            its way, AllClear when closed
func classify(a Alert) grade {
	g := grade{category: "Other", urgency: "Immediate", severity: "Severe", certainty: "Likely", response: "Assess"}
	switch a.Kind {
	case alert.Fire:
		g.category, g.severity = "Fire", "Extreme"
	case alert.Intruder, alert.Violence:
		g.category, g.severity = "Security", "Extreme"
	case alert.Stranger:
		g.category = "Security"
	case alert.Medical:
		g.category = "Health"
	case alert.MissingChild:
		g.category = "Rescue"
	case alert.Bullying, alert.Help:
		g.category = "Safety"
	case alert.Technical:
		g.category, g.severity = "Infra", "Moderate"
	default:
	}
	if a.Level != alert.LevelEmergency {
		g.urgency, g.severity = "Expected", "Minor"
	}
	switch a.Stage {
	case StageResponding:
		g.response = "Monitor"
	case StageArrived:
		g.response, g.certainty = "Monitor", "Observed"
	case StageClosed:
		g.response, g.urgency = "AllClear", "Past"
		switch a.Outcome {
		case alert.Resolved:
			g.certainty = "Observed"
		case alert.FalsePress, alert.TestComplete:
			g.certainty = "Unlikely"
		default:
		}
	case StageOpen, StageTaken:
	default:
	}
	return g
}
