package config

import (
	"time"

	"nabat/gateway/alert"
)

// longestWait bounds an escalation step: a call that nobody takes for a day is
// not waiting, it is lost.
const longestWait = 24 * time.Hour

// plans reads every [[plan]]. What a plan leaves out is as it would be without
// the plan.
func (r *reader) plans(top *section, site *alert.Site, h reach) []alert.Plan {
	type key struct {
		kind  alert.Kind
		level alert.Level
	}
	lines := map[key]int{}
	var plans []alert.Plan
	for _, s := range top.tables("plan") {
		kind := readKind(s, site)
		var level alert.Level
		if word, _, ok := s.required("level", `write level = "help" or "emergency"`); ok {
			level, _ = readLevel(s, "level", word)
		}
		if kind != "" && level != 0 {
			s.title = "plan for " + string(kind) + " at " + level.String()
			if first, ok := lines[key{kind, level}]; ok {
				s.report(s.line, "merge the two", "there is one already in line %d", first)
			} else {
				lines[key{kind, level}] = s.line
			}
		}
		p := (&alert.Site{Usual: site.Usual}).Plan(kind, level)
		planScreens(s, &p, site)
		planWords(s, &p, site)
		p.ShowPlace = s.yes("show_place", p.ShowPlace)
		p.Lamps = s.yes("lamps", p.Lamps)
		if s.has("escalation") {
			p.Escalation = escalation(s, level, h)
		} else {
			_, _ = s.get("escalation")
		}
		s.end()
		plans = append(plans, p)
	}
	return plans
}

// planScreens reads where the plan is shown.
func planScreens(s *section, p *alert.Plan, site *alert.Site) {
	screens := s.pick("screens", screenChoices(site))
	if !s.has("screens") {
		return
	}
	p.Screens = screens
	if p.Level == alert.LevelHelp && len(s.n.fields["screens"].items) > 0 {
		p.Screens = nil
		s.report(s.lineOf("screens"), "leave the line out; the duty adult sees the call on the console", "a quiet alert is never shown on a lobby screen")
	}
}

// planWords reads where the plan is said, and what everyone is asked to do.
func planWords(s *section, p *alert.Plan, site *alert.Site) {
	if zones := s.pick("zones", zoneChoices(site, true)); s.has("zones") {
		p.Zones = zones
	}
	if word, line, ok := s.str("response"); ok {
		p.Response = alert.Response(word)
		if !p.Response.Valid() {
			var known []string
			for _, r := range alert.Responses() {
				known = append(known, string(r))
			}
			s.report(line, instead(word, known), "response = %s is unknown", quote(word))
		}
	}
	p.Instruction = s.optionalText("instruction")
	s.words("instruction", p.Instruction)
	m, ok := s.message("message", site)
	p.Message = m.ID
	if ok && m.Silent {
		s.report(s.lineOf("message"), "name a message with words", "message %s has nothing to say", quote(m.ID))
	}
	if p.Level != alert.LevelHelp {
		return
	}
	for _, key := range []string{"zones", "response", "instruction", "message"} {
		if n, ok := s.n.fields[key]; ok && (key != "zones" || len(n.items) > 0) {
			s.report(n.line, "leave the line out; the duty adult sees the call on the console", "a quiet alert is never said, and asks nothing of everyone")
			p.Zones, p.Response, p.Instruction, p.Message = nil, "", alert.Text{}, ""
			return
		}
	}
}

// escalation reads the steps, in the order in which they come due. An empty
// list means that nobody is ever asked.
func escalation(plan *section, level alert.Level, h reach) []alert.Step {
	var steps []alert.Step
	reached, waited := level, time.Duration(-1)
	for _, s := range plan.tables("escalation") {
		var step alert.Step
		var ok bool
		if !s.has("after") {
			s.report(s.line, `write after = "30s": how long after the press nobody may have answered`, "after is missing")
		}
		step.After, _, ok = s.duration("after", 0, longestWait)
		if ok && step.After <= waited {
			s.report(s.lineOf("after"), "list the steps in the order in which they come due; each counts from the press", "after = %v does not come later than the step before it (%v)", step.After, waited)
		}
		waited = max(waited, step.After)
		if word, _, ok := s.str("level"); ok {
			step.Level, _ = readLevel(s, "level", word)
			if step.Level != 0 && step.Level < reached {
				s.report(s.lineOf("level"), "leave the line out; an alert never goes down by itself", "the step goes down from %v to %v", reached, step.Level)
			}
			reached = max(reached, step.Level)
		}
		if s.has("to") {
			step.To = asked(s, h)
		} else {
			_, _ = s.get("to")
			if !s.has("level") {
				s.report(s.line, `write to = "head", or level = "emergency", or both`, "the step does nothing")
			}
		}
		s.end()
		steps = append(steps, step)
	}
	return steps
}

// asked reads whom a step asks. A word that nobody bears is a mistake; one that
// reaches nobody at present is a warning, because a link or a modem may be
// switched off for a while, and the gateway must start all the same.
func asked(s *section, h reach) string {
	role := s.id("to", `write to = "duty", "head", "dispatch" or "second-channel"`)
	line := s.lineOf("to")
	switch {
	case role == "":
	case !h.knows(role):
		s.report(line, instead(role, h.words())+" A word of your own needs a [[contact]] with that role", "to = %s: nobody has this role", quote(role))
	case h.anyone(role):
	case h.has(role):
		s.r.warn(line, "write an [sms] section, or they must be called by hand", "%s", s.about("to = "+quote(role)+" has contacts, but no way to reach them"))
	case role == alert.RoleDispatch:
		s.r.warn(line, "write [mqtt] or [central], or a [[contact]] with this role", "%s", s.about("to = "+quote(role)+" reaches nobody: there is no link to dispatch"))
	default:
		s.r.warn(line, "write a [[contact]] with this role", "%s", s.about("to = "+quote(role)+" reaches nobody: no contact has this role"))
	}
	return role
}
