package announce

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"nabat/gateway/alert"
	"nabat/gateway/words"
)

// step is something that happens, and how long nothing happens after it.
type step struct {
	do     string
	which  int
	status alert.Status
	after  time.Duration
}

// model knows what is open, apart from the code under test.
type model struct {
	open map[string]item
}

type item struct {
	rank  int      // what must sound when it is the highest
	names []string // the sounds that it is made of
}

// alertNames are the rank and the sounds of an alert that the school says.
func alertNames(k alert.Kind, st alert.Status) (rank int, names []string) {
	rank, names = 2, fire()
	if k == alert.Intruder {
		rank, names = 1, intruder()
	}
	if k == alert.Medical {
		rank, names = 1, []string{"<emergency>", says("kk", "pa.kind.medical"), says("kk", "pa.do.Avoid"), says("ru", "pa.kind.medical"), says("ru", "pa.do.Avoid")}
	}
	if st == alert.Exercise {
		return rank, append(names, says("kk", "pa.drill"), says("ru", "pa.drill"))
	}
	return rank + 10, names
}

// Whatever happens, in whatever order: what sounds belongs to the highest of
// what is open, an emergency is never silent, a quiet alert is never said, and
// a drill never without its words.
func TestWhatSoundsIsTheHighest(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step {
			return step{
				do:     rapid.SampledFrom([]string{"raise", "raise", "quiet", "notice", "urgent", "clear", "clear", "end"}).Draw(rt, "do"),
				which:  rapid.IntRange(0, 2).Draw(rt, "which"),
				status: rapid.SampledFrom([]alert.Status{alert.Actual, alert.Exercise}).Draw(rt, "status"),
				after:  time.Duration(rapid.IntRange(0, 9000).Draw(rt, "after")) * time.Millisecond,
			}
		}), 1, 25).Draw(rt, "steps")
		var wrong string
		synctest.Test(t, func(t *testing.T) { wrong = live(t, steps) })
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}

// live does the steps and returns what was wrong.
func live(t *testing.T, steps []step) (wrong string) {
	s := play(t)
	d := s.driver()
	defer s.open(school(), north(d))()
	m := model{open: make(map[string]item)}
	kinds := []alert.Kind{alert.Fire, alert.Intruder, alert.Medical}
	for _, p := range steps {
		k, key := kinds[p.which], fmt.Sprint(kinds[p.which], p.status)
		changed := time.Since(d.begin)
		switch p.do {
		case "raise":
			s.raise(k, alert.LevelEmergency, p.status)
			rank, names := alertNames(k, p.status)
			m.open[key] = item{rank, names}
		case "quiet":
			s.raise(alert.Bullying, alert.LevelHelp, p.status)
		case "notice", "urgent":
			id := fmt.Sprint(p.do, p.which)
			s.end(id)
			priority := alert.PriorityNotice
			if p.do == "urgent" {
				priority = alert.PriorityEmergency
				m.open[id] = item{11, []string{"<emergency>", "kk: " + id + "-kk", "ru: " + id + "-ru"}}
			}
			s.announce(id, id, priority, "*")
		case "clear":
			for _, a := range s.state.Open() {
				if a.Kind == k && a.Status() == p.status {
					s.clear(a.ID)
				}
			}
			delete(m.open, key)
		case "end":
			s.end(fmt.Sprint("urgent", p.which))
			delete(m.open, fmt.Sprint("urgent", p.which))
		}
		synctest.Wait()
		wait(p.after)
		if wrong = m.check(d, changed, time.Since(d.begin)); wrong != "" {
			return wrong
		}
	}
	return drillsAreCalledSo(d.heard())
}

// check looks at what was heard between a change and now.
func (m model) check(d *driver, changed, now time.Duration) string {
	top, names := 0, []string(nil)
	for _, i := range m.open {
		if i.rank > top {
			top, names = i.rank, nil
		}
		if i.rank == top {
			names = append(names, i.names...)
		}
	}
	if top > 0 && top < 10 { // that a real danger is over goes before a drill
		names = append(names, "<all-clear>", says("kk", "pa.over"), says("ru", "pa.over"))
	}
	last := changed
	for _, h := range d.heard() {
		if h.name == says("kk", "pa.kind.bullying") || h.name == says("ru", "pa.kind.bullying") {
			return "a quiet alert was said"
		}
		end := h.at + h.long
		if end <= changed+20*time.Millisecond {
			continue
		}
		if top > 0 && !slices.Contains(names, h.name) {
			return fmt.Sprintf("%q sounds at %v, after a change at %v; the highest is %q", h.name, h.at, changed, names)
		}
		if gap := h.at - last; top > 0 && gap > beforeRepeat+afterLanguage+afterSegment+100*time.Millisecond {
			return fmt.Sprintf("an emergency was silent for %v before %v", gap, h.at)
		}
		last = end
	}
	if gap := now - last; top > 0 && gap > beforeRepeat+afterLanguage+afterSegment+100*time.Millisecond {
		return fmt.Sprintf("an emergency has been silent for %v at %v", gap, now)
	}
	return ""
}

// drillsAreCalledSo checks that after the words of a drill come its words.
func drillsAreCalledSo(heard []sounded) string {
	for i, h := range heard {
		if i+1 < len(heard) && strings.HasSuffix(h.name, words.In("ru").Get("pa.drill")) && h.long >= clipLasts {
			// Between the two in one language nothing may come but that language,
			// a chime that interrupts, or the next language after the second.
			if next := heard[i+1].name; !strings.HasPrefix(next, "ru: ") && !strings.HasPrefix(next, "<") {
				return fmt.Sprintf("after the words of a drill comes %q", next)
			}
		}
	}
	return ""
}
