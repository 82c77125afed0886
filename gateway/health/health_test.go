package health

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestConditions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Registry
		begin := time.Now().UTC()
		r.Set("point-lost:b", "gone")
		<-time.After(time.Minute)
		r.Set("clock-unsynchronised", "no time server")
		r.Set("point-lost:b", "still gone")
		want := []Condition{
			{"clock-unsynchronised", "no time server", begin.Add(time.Minute)},
			{"point-lost:b", "still gone", begin},
		}
		same := func(a, b Condition) bool { return a.Name == b.Name && a.Detail == b.Detail && a.Since.Equal(b.Since) }
		if got := r.List(); !slices.EqualFunc(got, want, same) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		r.Clear("point-lost:b")
		r.Clear("never-set")
		if got := r.List(); !slices.EqualFunc(got, want[:1], same) {
			t.Errorf("after the clear: %+v", got)
		}
	})
}

// woken reports whether the channel was closed, and gives the next one.
func woken(r *Registry, c *<-chan struct{}) bool {
	select {
	case <-*c:
		*c = r.Changed()
		return true
	default:
		return false
	}
}

func TestOnlyChangesWake(t *testing.T) {
	var r Registry
	c := r.Changed()
	for _, step := range []struct {
		name string
		do   func()
		want bool
	}{
		{"set", func() { r.Set("a", "x") }, true},
		{"set again", func() { r.Set("a", "x") }, false},
		{"another detail", func() { r.Set("a", "y") }, true},
		{"clear of what does not hold", func() { r.Clear("b") }, false},
		{"clear", func() { r.Clear("a") }, true},
		{"clear again", func() { r.Clear("a") }, false},
	} {
		step.do()
		if got := woken(&r, &c); got != step.want {
			t.Errorf("%s: woken %v, want %v", step.name, got, step.want)
		}
	}
}

func TestNoChangeIsMissed(t *testing.T) {
	var r Registry
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b", "c"} {
		wg.Go(func() {
			for range 100 {
				r.Set(name, "x")
				r.Clear(name)
			}
			r.Set(name, "last")
		})
	}
	deadline := time.After(time.Minute)
	for {
		c := r.Changed()
		if list := r.List(); len(list) == 3 && !slices.ContainsFunc(list, func(c Condition) bool { return c.Detail != "last" }) {
			break
		}
		select {
		case <-c:
		case <-deadline:
			t.Fatalf("asleep with %+v", r.List())
		}
	}
	wg.Wait()
}

func TestPulses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Registry
		slow := r.Pulse("slow", time.Minute)
		fast := r.Pulse("fast", time.Second)
		if got := r.Stalled(); got != nil {
			t.Errorf("registering is the first beat, but stalled are %v", got)
		}
		<-time.After(2 * time.Second)
		if got := r.Stalled(); !slices.Equal(got, []string{"fast"}) {
			t.Errorf("stalled are %v", got)
		}
		fast.Beat()
		if got := r.Stalled(); got != nil {
			t.Errorf("after a beat: %v", got)
		}
		<-time.After(2 * time.Minute)
		if got := r.Stalled(); !slices.Equal(got, []string{"fast", "slow"}) {
			t.Errorf("stalled are %v", got)
		}
		slow.Beat()
		fast = r.Pulse("fast", time.Second) // a job that was started anew
		if got := r.Stalled(); got != nil {
			t.Errorf("after a new start: %v", got)
		}
		fast.Beat()
	})
}

// Tests and small programs leave the registry out.
func TestWithoutARegistryNothingHappens(t *testing.T) {
	var r *Registry
	r.Set("a", "b")
	r.Clear("a")
	r.Pulse("p", time.Second).Beat()
	if r.List() != nil || r.Stalled() != nil || r.Changed() != nil {
		t.Error("a nil registry knows something")
	}
}

func TestMomentIsRestatedWhenTheClockWasSet(t *testing.T) {
	boot := time.Unix(60, 0).UTC() // a minute after a boot at 1970
	now := time.Date(2026, 11, 21, 8, 15, 0, 0, time.UTC)
	if got, want := restated(boot, now, time.Hour), now.Add(-time.Hour); !got.Equal(want) {
		t.Errorf("an hour ago is %v, want %v", got, want)
	}
	for _, drift := range []time.Duration{0, 900 * time.Millisecond, -900 * time.Millisecond} {
		since := now.Add(-time.Hour + drift)
		if got := restated(since, now, time.Hour); !got.Equal(since) {
			t.Errorf("a drift of %v restates %v as %v", drift, since, got)
		}
	}
}
