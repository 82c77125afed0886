package alert

import "time"

// Words by which an escalation step asks. A site may have words of its own.
const (
	// RoleDuty is the adult on duty, who has the console in front of them.
	RoleDuty = "duty"
	// RoleHead is the head of the school or a deputy.
	RoleHead = "head"
	// RoleDispatch is the dispatch desk, which a link reaches.
	RoleDispatch = "dispatch"
	// RoleSecondChannel is whoever is asked last, by a way that shares nothing
	// with the others: a guard firm's telephone, a district's duty officer.
	RoleSecondChannel = "second-channel"
)

// Roles returns the words that every site knows, in the order in which the
// usual plan asks them.
func Roles() []string { return []string{RoleDuty, RoleHead, RoleDispatch, RoleSecondChannel} }

// UsualSteps returns the escalation of a site that says nothing about it:
//
//	           duty   head   dispatch  second channel
//	emergency  30 s   1 min  2 min     3 min
//	help       1 min  3 min  5 min     10 min
//
// counted from the first press. A quiet call stays quiet: whether it becomes
// an emergency is for a plan, or a person, to say.
func UsualSteps(l Level) []Step {
	times := []time.Duration{time.Minute, 3 * time.Minute, 5 * time.Minute, 10 * time.Minute}
	if l == LevelEmergency {
		times = []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 3 * time.Minute}
	}
	steps := make([]Step, len(times))
	for i, role := range Roles() {
		steps[i] = Step{After: times[i], To: role}
	}
	return steps
}
