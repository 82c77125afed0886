package sms_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/sync/sms"
	"nabat/sync/sms/modemtest"
)

const unsureEN = "School No. 12: text messages were out. 1 message may not have arrived. Open now: Intruder, Room 204, Main building."

// once makes the modem reply so to the first part that it gets.
func once(reply modemtest.Reply) func(*modemtest.Settings) {
	first := true
	return func(s *modemtest.Settings) {
		s.Submit = func(modemtest.Part) modemtest.Reply {
			if first {
				first = false
				return reply
			}
			return modemtest.Reply{}
		}
	}
}

func TestNoAnswerAfterTheHandOver(t *testing.T) {
	for name, reply := range map[string]modemtest.Reply{
		"silence":                    {Silent: true},
		"unplugged":                  {Unplug: true},
		"the network did not say so": {Code: 332},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(o *sms.Options) {
				if reply.Silent {
					o.Timing.Submit = 500 * time.Millisecond
				}
			})
			r.modem.Set(once(reply))
			r.start()
			r.happen(alert.Raised, "a", 1)
			r.happen(alert.Escalated, "a", 1, to("second-channel"))
			if reply.Unplug {
				r.until("the absence", func() bool { return r.condition("sms-modem-absent") })
				r.modem.Plug()
			}
			want := []string{askEN, unsureEN}
			if reply.Code != 0 {
				want = want[1:] // the network had refused it after all
			}
			r.expect(map[string][]string{"+77010000003": want})
		})
	}
}

// Parts of two messages must never be put together by a telephone.
func TestPartsOfTwoMessagesHaveTwoMarks(t *testing.T) {
	r := newRig(t)
	marks := make(map[int]int)
	r.modem.Set(func(s *modemtest.Settings) {
		s.Submit = func(p modemtest.Part) modemtest.Reply {
			if p.Of < 2 {
				t.Errorf("a message of %d parts", p.Of)
			}
			marks[p.Ref]++
			return modemtest.Reply{}
		}
	})
	r.start()
	r.happen(alert.Raised, "a", 1)
	r.happen(alert.Escalated, "a", 1, to("head"))
	r.happen(alert.Escalated, "a", 1, to("head"))
	r.until("four messages", func() bool { return len(r.modem.Messages()) == 4 })
	r.end()
	if len(marks) != 4 {
		t.Errorf("marks and parts %v", marks)
	}
}

func TestNoiseAroundTheAnswer(t *testing.T) {
	r := newRig(t)
	r.modem.Set(once(modemtest.Reply{Garbage: true}))
	r.start()
	r.happen(alert.Raised, "a", 1)
	r.happen(alert.Escalated, "a", 1, to("second-channel"))
	r.expect(map[string][]string{"+77010000003": {askEN}})
}

func TestAModemThatDoesNotAnswer(t *testing.T) {
	t.Run("from the start", func(t *testing.T) {
		r := newRig(t, func(o *sms.Options) { o.Timing.Command = 300 * time.Millisecond })
		r.modem.Set(func(s *modemtest.Settings) { s.Deaf = true })
		r.start()
		r.happen(alert.Raised, "a", 1)
		r.happen(alert.Escalated, "a", 1, to("second-channel"))
		r.until("the condition, and the lane is not held up", func() bool {
			return r.condition("sms-modem-silent") && r.lane.Passed() == 2
		})
		r.modem.Set(func(s *modemtest.Settings) { s.Deaf = false })
		r.expect(map[string][]string{"+77010000003": {askEN}})
	})
	t.Run("without a prompt nothing was handed over", func(t *testing.T) {
		r := newRig(t, func(o *sms.Options) { o.Timing.Submit = 300 * time.Millisecond })
		r.modem.Set(func(s *modemtest.Settings) { s.NoPrompt = true })
		r.start()
		r.happen(alert.Raised, "a", 1)
		r.happen(alert.Escalated, "a", 1, to("second-channel"))
		r.until("an attempt", func() bool {
			return slices.ContainsFunc(r.modem.Commands(), func(c string) bool { return len(c) > 6 && c[:6] == "AT+CMG" && c[6] == 'S' })
		})
		r.modem.Set(func(s *modemtest.Settings) { s.NoPrompt = false })
		r.until("the message", func() bool { return len(r.came("+77010000003")) > 0 })
		r.idle()
		asks := slices.DeleteFunc(r.came("+77010000003"), func(text string) bool { return text != askEN })
		if len(asks) != 1 { // on a slow machine the answer may come too late, and a summary follows
			t.Errorf("came %q", r.came("+77010000003"))
		}
	})
}

func TestRegistration(t *testing.T) {
	r := newRig(t)
	r.modem.Set(func(s *modemtest.Settings) { s.Network = 2 })
	r.start()
	r.until("the condition", func() bool { return r.condition("sms-not-registered") })
	r.happen(alert.Raised, "a", 1)
	r.happen(alert.Escalated, "a", 1, to("second-channel"))
	r.modem.Set(func(s *modemtest.Settings) { s.LTE, s.Signal = 5, 2 })
	r.expect(map[string][]string{"+77010000003": {askEN}})
	r.until("the signal", func() bool { return r.condition("sms-signal") && !r.condition("sms-not-registered") })
	r.modem.Set(func(s *modemtest.Settings) { s.LTE, s.Signal = 3, 20 })
	r.until("the network is lost", func() bool { return r.condition("sms-not-registered") })
	r.modem.Set(func(s *modemtest.Settings) { s.Network = 1 })
	r.until("all is well", func() bool { return len(r.health.List()) == 0 })
}

func TestTheCard(t *testing.T) {
	t.Run("missing", func(t *testing.T) {
		r := newRig(t)
		r.modem.Set(func(s *modemtest.Settings) { s.NoSIM = true })
		r.start()
		r.until("the condition", func() bool { return r.condition("sms-sim") })
		r.modem.Set(func(s *modemtest.Settings) { s.NoSIM = false })
		r.until("all is well", func() bool { return r.d.Stats().Ready && len(r.health.List()) == 0 })
	})
	t.Run("locked for good", func(t *testing.T) {
		r := newRig(t)
		r.modem.Set(func(s *modemtest.Settings) { s.PUK = true })
		r.start()
		r.until("the condition", func() bool { return r.condition("sms-pin") })
	})
	t.Run("a wrong PIN is tried once, also after restarts", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "pin")
		if err := os.WriteFile(file, []byte("1111\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		r := newRig(t, func(o *sms.Options) { o.PINFile = file })
		r.modem.Set(func(s *modemtest.Settings) { s.PIN = "2222" })
		for range 3 {
			r.start()
			r.until("the condition", func() bool { return r.condition("sms-pin") })
			looks := func() (n int) {
				for _, c := range r.modem.Commands() {
					if c == "AT+CPIN?" {
						n++
					}
				}
				return n
			}
			before := looks()
			r.until("more attempts", func() bool { return looks() > before+2 })
			r.end()
		}
		if pins := r.modem.PINs(); len(pins) != 1 {
			t.Errorf("%d PINs were tried", len(pins))
		}
		if err := os.WriteFile(file, []byte("2222\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, time.Time{}, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		r.start()
		r.until("all is well", func() bool { return r.d.Stats().Ready && !r.condition("sms-pin") })
		if pins := r.modem.PINs(); len(pins) != 2 {
			t.Errorf("%d PINs were tried", len(pins))
		}
	})
}

func TestAtMostOnceWhateverTheModemDoes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	r := newRig(t, func(o *sms.Options) { o.Timing.Submit = 300 * time.Millisecond })
	plug := make(chan struct{}, 100)
	r.modem.Set(func(s *modemtest.Settings) {
		s.Submit = func(modemtest.Part) modemtest.Reply {
			switch random.IntN(12) {
			case 0:
				return modemtest.Reply{Silent: true}
			case 1:
				plug <- struct{}{}
				return modemtest.Reply{Unplug: true}
			case 2, 3:
				return modemtest.Reply{Code: 41}
			case 4:
				return modemtest.Reply{Code: 332}
			case 5:
				return modemtest.Reply{Garbage: true}
			}
			return modemtest.Reply{}
		}
	})
	r.start()
	const events = 25
	for i := range uint64(events) {
		id := fmt.Sprintf("alert-%d", i)
		change := func(e *alert.Event) { e.Place = &alert.Location{ID: id} }
		r.happen(alert.Raised, id, i+1, change)
		r.happen(alert.Escalated, id, i+1, to("second-channel"), change)
	}
	r.until("all is dealt with", func() bool {
		select {
		case <-plug:
			r.until("it was pulled", func() bool { _, err := os.Lstat(r.modem.Device()); return err != nil })
			r.modem.Plug()
		default:
		}
		return r.lane.Passed() == int(r.seq) && r.d.Stats() == sms.Stats{Ready: true} && len(plug) == 0
	})
	seen := make(map[string]int)
	for _, text := range r.came("+77010000003") {
		if strings.HasPrefix(text, "EMERGENCY") { // one summary may read like another
			seen[text]++
		}
	}
	for text, n := range seen {
		if n > 1 {
			t.Errorf("%d times: %q", n, text)
		}
	}
	if len(seen) < events/2 {
		t.Errorf("only %d messages came: %q", len(seen), r.came("+77010000003"))
	}
}
