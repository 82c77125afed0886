package speech

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"nabat/gateway/alert"
)

// tellLocked sets the conditions that hold now and clears those that no longer
// do. No text of a segment is in them.
func (l *Library) tellLocked() {
	hold := l.conditionsLocked()
	for name, detail := range hold {
		l.o.Health.Set(name, detail)
		l.told[name] = true
	}
	for name := range l.told {
		if _, ok := hold[name]; !ok {
			l.o.Health.Clear(name)
			delete(l.told, name)
		}
	}
}

func (l *Library) conditionsLocked() map[string]string {
	hold := make(map[string]string)
	leftOut, silent := 0, make(map[string][]string)
	for _, it := range l.items {
		s := it.segment
		name := cmp.Or(s.ID, "without-id")
		if it.stage == stageLeftOut {
			leftOut++
		}
		switch {
		case it.recorded != nil:
			instead := "the synthesised voice is heard in its place"
			if s.Text == "" {
				instead = "nothing is heard in its place"
			}
			silent[name] = append(silent[name], fmt.Sprintf("%s: the recording %s cannot be used: %v; %s", s.Language, s.Recorded, it.recorded, instead))
		case it.err != nil:
			silent[name] = append(silent[name], fmt.Sprintf("%s: a text of %d characters is not spoken: %v; change it, or record it",
				s.Language, utf8.RuneCountInString(s.Text), it.err))
		}
	}
	for name, why := range silent {
		slices.Sort(why)
		hold["clip-missing:"+name] = strings.Join(why, "; ")
	}
	for language, err := range l.probed {
		if err != nil && l.usesLocked(language) {
			hold["voice-missing:"+string(language)] = fmt.Sprintf(
				"%s does not speak with the voice %q: %v; see \"espeak-ng --voices\" and the voices in the configuration", l.o.Program, l.voice(language), err)
		}
	}
	if l.absent != nil && len(l.items) > 0 {
		hold["voice-missing"] = fmt.Sprintf(
			"no text can be spoken that was not rendered before: %v; install it with \"apt install espeak-ng\", no restart is needed", l.absent)
	}
	if l.unkept != nil {
		hold["clips-not-kept"] = fmt.Sprintf(
			"rendered announcements are in memory only and are rendered again at each start: %v; check the disk and the directory", l.unkept)
	}
	if leftOut > 0 {
		hold["clips-left-out"] = fmt.Sprintf(
			"%d announcements, the least urgent ones, have no place in the %d MiB for clips; shorten recordings or remove messages", leftOut, l.o.MemoryLimit>>20)
	}
	return hold
}

// usesLocked reports whether anything wanted has a language.
func (l *Library) usesLocked(language alert.Language) bool {
	for k := range l.items {
		if k.language == language {
			return true
		}
	}
	return false
}
