package alert

import (
	"slices"
	"time"
)

// Step is one step of an escalation plan: what happens when nobody has
// accepted an alert in time.
type Step struct {
	// After is the time since the alert's first press.
	After time.Duration
	// Level is the level that the alert rises to; zero leaves it as it is.
	Level Level
	// To names whom the step asks: "duty", "head", "dispatch".
	To string
}

// Due returns the next escalation step of the alert, as an index into steps,
// and how long it is until then, zero when it is due now. steps are those of
// the plan for the alert's kind at its present level, ordered by After. ok is
// false when nothing is left to wait for: the alert is closed, accepted, or
// all steps were done.
func (a Alert) Due(steps []Step, now Stamp) (step int, in time.Duration, ok bool) {
	if !a.Open() || a.Accepted() {
		return 0, 0, false
	}
	done := a.HelpSteps
	if a.Level() == LevelEmergency {
		done = a.EmergencySteps
	}
	if done.Number > a.Cleared.Number {
		step = done.Done
	}
	if step >= len(steps) {
		return 0, 0, false
	}
	return step, max(steps[step].After-now.Since(a.First.At), 0), true
}

// Asked returns whom the steps done so far have asked since the last clear, in
// their order, each once. help and emergency are the steps of the two plans.
func (a Alert) Asked(help, emergency []Step) []string {
	var asked []string
	add := func(steps []Step, done Steps) {
		if done.Number <= a.Cleared.Number {
			return
		}
		for _, s := range steps[:min(done.Done, len(steps))] {
			if s.To != "" && !slices.Contains(asked, s.To) {
				asked = append(asked, s.To)
			}
		}
	}
	add(help, a.HelpSteps)
	add(emergency, a.EmergencySteps)
	return asked
}

// Escalation returns the event that does step i of the plan at the alert's
// present level. Its number is the highest that the alert knows, so that the
// step counts as done even where the press that it follows was lost.
func (a Alert) Escalation(i int, step Step) Event {
	place := a.Place
	if place.ID == "" {
		place.ID = a.Key.Place
	}
	return Event{
		Type: Escalated, Subject: a.ID, Numbering: a.Numbering, Number: a.HighestPress(),
		Kind: a.Kind, Level: max(a.Level(), step.Level), Status: a.Status(), Place: &place,
		Step: i + 1, Plan: a.Level(), To: step.To, Origin: "gateway",
	}
}
