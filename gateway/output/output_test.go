package output

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"nabat/gateway/alert"
	"nabat/gateway/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

// source is a view that tests replace.
type source struct {
	mu      sync.Mutex // guards all fields below
	view    *alert.View
	changed chan struct{}
}

func newSource() *source { return &source{changed: make(chan struct{})} }

func (s *source) View() *alert.View {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view
}

func (s *source) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

func (s *source) show(v *alert.View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view = v
	close(s.changed)
	s.changed = make(chan struct{})
}

// told is one call of a driver.
type told struct {
	at time.Duration
	on bool
}

// lamp records what it is told. No real lamp is needed here: the lines behind
// the interface are tested with the drivers.
type lamp struct {
	begin time.Time
	hang  chan struct{} // Set waits for it where it is not nil

	mu   sync.Mutex // guards all fields below
	err  error
	told []told
}

func newLamp() *lamp { return &lamp{begin: time.Now()} }

func (l *lamp) Set(on bool) error {
	if l.hang != nil {
		<-l.hang
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = append(l.told, told{time.Since(l.begin), on})
	return l.err
}

func (l *lamp) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func (l *lamp) all() []told {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.told)
}

// changes leaves out what only repeats the level before.
func (l *lamp) changes() []told {
	return slices.CompactFunc(l.all(), func(a, b told) bool { return a.on == b.on })
}

func site(lamps ...alert.Lamp) *alert.Site { return &alert.Site{Lamps: lamps} }

var theLamp = alert.Lamp{ID: "lamp-204", Place: "room-204"}

// view has alerts of the room, each of which has come as far as told.
func view(truths map[alert.Kind]alert.Truth) *alert.View {
	v := &alert.View{Truths: make(map[alert.Key]alert.Truth)}
	for i, k := range slices.Sorted(maps.Keys(truths)) {
		e := alert.Event{
			Type: alert.Raised, Subject: "id-" + string(k), Numbering: "n", Number: uint64(i + 1), Kind: k,
			Level: alert.LevelHelp, Status: alert.Actual, Place: &alert.Location{ID: theLamp.Place},
		}
		v.State = v.State.Next(e)
		key, _ := e.Key()
		v.Truths[key] = truths[k]
	}
	v.Open = v.State.Open()
	return v
}

func one(t alert.Truth) *alert.View { return view(map[alert.Kind]alert.Truth{alert.Help: t}) }

func TestDrillHidesNothingOfARealAlert(t *testing.T) {
	raise := func(s alert.State, numbering string, number uint64, status alert.Status) (alert.State, alert.Key) {
		e := alert.Event{
			Type: alert.Raised, Subject: numbering, Numbering: numbering, Number: number, Kind: alert.Fire,
			Level: alert.LevelEmergency, Status: status, Place: &alert.Location{ID: theLamp.Place},
		}
		key, _ := e.Key()
		return s.Next(e), key
	}
	state, drill := raise(alert.State{}, "n-drill", 1, alert.Exercise)
	v := &alert.View{State: state, Open: state.Open(), Truths: map[alert.Key]alert.Truth{drill: alert.TruthSent}}
	show := func() string { return Show(site(theLamp), v, theLamp).Name }
	if got := show(); got != "sent" {
		t.Errorf("a drill alone shows %s", got)
	}
	state, real := raise(state, "n", 2, alert.Actual)
	for _, c := range []struct{ drill, real alert.Truth }{
		{alert.TruthAccepted, alert.TruthSaved}, {alert.TruthRaised, alert.TruthAccepted}, {alert.TruthSent, alert.TruthSent},
	} {
		v = &alert.View{State: state, Open: state.Open(), Truths: map[alert.Key]alert.Truth{drill: c.drill, real: c.real}}
		for range 2 { // whichever comes first
			if got := show(); got != c.real.String() {
				t.Errorf("drill %v, real %v: the lamp shows %s", c.drill, c.real, got)
			}
			slices.Reverse(v.Open)
		}
	}
}

// wait lets the fake clock run on and everyone come to rest.
func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// run starts the job for theLamp inside a synctest bubble.
func run(t *testing.T, s *source, r *health.Registry, drivers map[string]Lamp, lamps ...alert.Lamp) (stop func()) {
	t.Helper()
	job, err := NewLamps(site(lamps...), s, r, drivers)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- job.Run(ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run after cancel: %v", err)
		}
	}
}

func TestEveryTruthHasItsRhythm(t *testing.T) {
	for _, c := range []struct {
		truth alert.Truth
		want  []int64 // times of changes in ms, the first switches on
	}{
		{alert.TruthRaised, []int64{0, 170, 340, 510, 680, 850, 1020}},
		{alert.TruthSaved, []int64{0, 200, 2000, 2200}},
		{alert.TruthSent, []int64{0, 200, 500, 700, 2000, 2200, 2500}},
		{alert.TruthReceived, []int64{0, 500, 750, 1250, 1500, 2000, 3000, 3500}},
		{alert.TruthAccepted, []int64{0}},
	} {
		t.Run(c.truth.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, l := newSource(), newLamp()
				s.show(one(c.truth))
				defer run(t, s, nil, map[string]Lamp{theLamp.ID: l}, theLamp)()
				wait(6 * time.Second)
				got := l.changes()
				if len(got) < len(c.want) || c.truth == alert.TruthAccepted && len(got) > 1 {
					t.Fatalf("changes are %v, want them at %v", got, c.want)
				}
				for i, at := range c.want {
					if got[i] != (told{time.Duration(at) * ms, i%2 == 0}) {
						t.Fatalf("change %d is %v, want it at %d ms", i, got[i], at)
					}
				}
			})
		})
	}
}

func TestNothingIsSaidBeforeTheStateIsLoaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := newSource(), newLamp()
		var r health.Registry
		stop := run(t, s, &r, map[string]Lamp{theLamp.ID: l}, theLamp)
		wait(time.Hour)
		if got := l.all(); len(got) != 0 {
			t.Errorf("the lamp was told %v before anything was known", got)
		}
		if stalled := r.Stalled(); len(stalled) != 0 {
			t.Errorf("waiting for the state is no stall: %v", stalled)
		}
		stop()
		if got := l.all(); len(got) != 0 {
			t.Errorf("the lamp was told %v at the end, though nothing was ever known", got)
		}
	})
}

func TestAnOpenAlertFoundAtStartNeverShowsDarkFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := newSource(), newLamp()
		defer run(t, s, nil, map[string]Lamp{theLamp.ID: l}, theLamp)()
		wait(time.Second)
		s.show(one(alert.TruthAccepted))
		wait(time.Second)
		if got := l.all(); len(got) == 0 || !got[0].on {
			t.Errorf("the lamp was told %v", got)
		}
	})
}

func TestALevelIsSaidAgainEveryFewSeconds(t *testing.T) {
	for name, v := range map[string]*alert.View{"dark": view(nil), "steady": one(alert.TruthAccepted)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, l := newSource(), newLamp()
				s.show(v)
				defer run(t, s, nil, map[string]Lamp{theLamp.ID: l}, theLamp)()
				wait(time.Minute)
				if n := len(l.all()); n != int(time.Minute/Reassert)+1 {
					t.Errorf("told %d times in a minute", n)
				}
			})
		})
	}
}

func TestTheLampEndsDark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := newSource(), newLamp()
		s.show(one(alert.TruthAccepted))
		stop := run(t, s, nil, map[string]Lamp{theLamp.ID: l}, theLamp)
		wait(time.Second)
		stop()
		if got := l.all(); got[len(got)-1].on {
			t.Error("the lamp stayed on, which says that a person has taken the call")
		}
	})
}

func TestAFailingLampIsAConditionAndIsToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := alert.Lamp{ID: "lamp-205", Place: theLamp.Place}
		s, bad, good := newSource(), newLamp(), newLamp()
		var r health.Registry
		bad.fail(errors.New("no such device"))
		s.show(one(alert.TruthSaved))
		defer run(t, s, &r, map[string]Lamp{theLamp.ID: bad, other.ID: good}, theLamp, other)()
		wait(20 * time.Second)

		list := r.List()
		if len(list) != 1 || list[0].Name != "lamp-fault:lamp-204" || !strings.Contains(list[0].Detail, "no such device") {
			t.Errorf("conditions are %+v", list)
		}
		if n := len(bad.all()); n < 10 {
			t.Errorf("the failing lamp was told only %d times in 20 s", n)
		}
		if stalled := r.Stalled(); len(stalled) != 0 {
			t.Errorf("an error is no stall: %v", stalled)
		}
		bad.fail(nil)
		wait(Reassert)
		if list := r.List(); len(list) != 0 {
			t.Errorf("conditions after the repair are %+v", list)
		}
		if got, want := good.changes()[:3], []told{{0, true}, {200 * ms, false}, {2000 * ms, true}}; !slices.Equal(got, want) {
			t.Errorf("the other lamp did %v, want %v", got, want)
		}
	})
}

func TestAHangingLampStopsItsPulseAndNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := alert.Lamp{ID: "lamp-205", Place: theLamp.Place}
		s, bad, good := newSource(), newLamp(), newLamp()
		bad.hang = make(chan struct{})
		var r health.Registry
		s.show(one(alert.TruthRaised))
		defer run(t, s, &r, map[string]Lamp{theLamp.ID: bad, other.ID: good}, theLamp, other)()
		wait(pulseAge + time.Second)
		if got := r.Stalled(); !slices.Equal(got, []string{"lamp:lamp-204"}) {
			t.Errorf("stalled are %v", got)
		}
		if n := len(good.changes()); n < 60 {
			t.Errorf("the other lamp changed only %d times", n)
		}
		close(bad.hang)
		wait(time.Second)
		if got := r.Stalled(); len(got) != 0 {
			t.Errorf("stalled after it went on: %v", got)
		}
	})
}

func TestASiteWithoutLampsRunsUntilTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		job, err := NewLamps(site(), newSource(), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- job.Run(ctx) }()
		wait(time.Hour)
		if len(done) != 0 {
			t.Error("an essential job ended by itself")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// moving is a source whose view is replaced just after it was read.
type moving struct {
	*source
	next *alert.View
}

func (m *moving) View() *alert.View {
	v := m.source.View()
	if m.next != nil {
		m.show(m.next)
		m.next = nil
	}
	return v
}

func TestAChangeWhileLookingIsNotMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := newLamp(), newSource()
		s.show(view(nil))
		job, err := NewLamps(site(theLamp), &moving{s, one(alert.TruthAccepted)}, nil, map[string]Lamp{theLamp.ID: l})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- job.Run(ctx) }()
		wait(200 * ms)
		if got := l.all(); !got[len(got)-1].on {
			t.Errorf("200 ms after the change the lamp was told only %v", got)
		}
		cancel()
		<-done
	})
}

func TestTheFirstFlashIsNeverCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := newSource(), newLamp()
		s.show(one(alert.TruthSaved))
		defer run(t, s, nil, map[string]Lamp{theLamp.ID: l}, theLamp)()
		wait(250 * ms)
		s.show(view(nil))
		wait(50 * ms)
		s.show(one(alert.TruthSaved))
		wait(time.Second)
		if got, want := l.changes(), []told{{0, true}, {200 * ms, false}, {370 * ms, true}, {570 * ms, false}}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestALampWithoutADriverIsRefused(t *testing.T) {
	if _, err := NewLamps(site(theLamp), newSource(), nil, nil); err == nil || !strings.Contains(err.Error(), theLamp.ID) {
		t.Errorf("got %v, want an error that names the lamp", err)
	}
}
