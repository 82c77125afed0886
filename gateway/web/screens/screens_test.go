package screens

import (
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"context"

	"go.uber.org/goleak"

	"nabat/gateway/alert"
	"nabat/gateway/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	wall  = netip.MustParseAddr("10.0.0.7")
	phone = netip.MustParseAddr("10.0.0.99")
)

// bench is a watch whose clock a test moves.
type bench struct {
	*Watch
	t      *testing.T
	health *health.Registry
	now    time.Time
	frames uint64
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, health: &health.Registry{}, now: time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)}
	site := &alert.Site{Screens: []alert.Screen{{ID: "lobby", Watched: true}, {ID: "spare"}}}
	b.Watch = New(Options{Site: site, Health: b.health, Now: func() time.Time { return b.now }})
	return b
}

func (b *bench) pass(d time.Duration) {
	for ; d > 0; d -= time.Second {
		b.now = b.now.Add(time.Second)
		b.Look()
	}
}

func (b *bench) open(host netip.Addr) *Page {
	b.t.Helper()
	p, err := b.Open("lobby", host)
	if err != nil || p.Secret() == "" {
		b.t.Fatalf("open: %v", err)
	}
	return p
}

// beat proves that p draws what it was sent, every 5 s for d.
func (b *bench) beat(p *Page, d time.Duration, change func(*Proof)) {
	b.t.Helper()
	for ; d > 0; d -= BeatEvery {
		b.frames += 3
		proof := Proof{Page: p.Secret(), Frames: b.frames, Painted: p.last, Width: 1920, Height: 1080}
		if change != nil {
			change(&proof)
		}
		if err := b.Beat("lobby", p.host, proof); err != nil {
			b.t.Fatal(err)
		}
		b.pass(BeatEvery)
	}
}

func (b *bench) want(state State, why string, conditions ...string) {
	b.t.Helper()
	got := b.List()[0]
	if got.State != state || !strings.Contains(got.Why, why) {
		b.t.Errorf("%s (%s), want %s (%s)", got.State, got.Why, state, why)
	}
	var names []string
	for _, c := range b.health.List() {
		names = append(names, c.Name)
		if c.Detail != got.Why || c.Detail == "" {
			b.t.Errorf("condition says %q", c.Detail)
		}
	}
	if strings.Join(names, " ") != strings.Join(conditions, " ") {
		b.t.Errorf("conditions %v, want %v", names, conditions)
	}
}

func TestAScreenThatWasNeverSeenIsDarkAfterAMinute(t *testing.T) {
	b := newBench(t)
	b.Look()
	b.pass(59 * time.Second)
	b.want(Waiting, "")
	b.pass(time.Second)
	b.want(Dark, "look whether the screen", "screen-dark:lobby")
	if spare := b.List()[1]; spare.State != Dark || spare.Watched {
		t.Errorf("a screen that is not watched: %+v", spare)
	}
	p := b.open(wall)
	b.pass(time.Second)
	b.want(Dark, "says nothing of itself", "screen-dark:lobby")
	p.Sent("a-1")
	b.beat(p, BeatEvery, nil)
	b.want(OK, "")
	if got := b.List()[0]; got.Width != 1920 || got.Height != 1080 || got.Pages != 1 || got.Seen.IsZero() {
		t.Errorf("%+v", got)
	}
}

func TestASilentScreenIsDarkWithinThirtySeconds(t *testing.T) {
	for name, cut := range map[string]func(*Page){
		"connected": func(*Page) {}, "gone": func(p *Page) { p.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			p := b.open(wall)
			b.beat(p, time.Minute, nil)
			b.want(OK, "")
			cut(p)
			b.pass(DarkAfter - BeatEvery)
			b.want(OK, "")
			b.pass(2 * time.Second)
			b.want(Dark, "does not prove itself any more", "screen-dark:lobby")
			p = b.open(wall)
			b.beat(p, BeatEvery, nil)
			b.want(OK, "")
		})
	}
}

func TestAScreenThatDrawsNothingIsFrozen(t *testing.T) {
	for why, change := range map[string]func(*Proof){
		"draws nothing": func(p *Proof) { p.Frames = 7 },
		"is hidden":     func(p *Proof) { p.Hidden = true },
	} {
		t.Run(why, func(t *testing.T) {
			b := newBench(t)
			p := b.open(wall)
			b.beat(p, time.Minute, nil)
			b.want(OK, "")
			b.beat(p, 25*time.Second, change)
			b.want(Frozen, why, "screen-frozen:lobby")
			b.beat(p, BeatEvery, nil)
			b.want(OK, "")
			b.beat(p, 25*time.Second, change)
			b.pass(DarkAfter)
			b.want(Dark, "", "screen-dark:lobby") // one condition, the worse
		})
	}
}

func TestAScreenThatGoesOnShowingAnOldStateIsFrozen(t *testing.T) {
	b := newBench(t)
	p := b.open(wall)
	p.Sent("s-old")
	b.beat(p, time.Minute, nil)
	old := func(proof *Proof) { proof.Painted = "s-old" }
	p.Sent("s-new")
	b.beat(p, 2*BeatEvery, old)
	b.want(OK, "")
	b.beat(p, 2*BeatEvery, old)
	b.want(Frozen, "what is no longer so", "screen-frozen:lobby")
	// It counts from the first that is missing, however many come after it.
	for range 3 * maxSent {
		p.Sent("s-" + b.now.String())
		b.now = b.now.Add(20 * time.Millisecond)
	}
	b.beat(p, BeatEvery, old)
	b.want(Frozen, "what is no longer so", "screen-frozen:lobby")
	b.beat(p, BeatEvery, nil)
	b.want(OK, "")
	if len(p.sent) > maxSent {
		t.Errorf("%d states remembered", len(p.sent))
	}
	// A page that comes back to a state has painted it.
	p.Sent("s-new")
	p.Sent("s-old")
	b.beat(p, time.Minute, old)
	b.want(OK, "")
}

func TestALostProofIsNotHeldAgainstAScreen(t *testing.T) {
	b := newBench(t)
	p := b.open(wall)
	p.Sent("a")
	for range 20 {
		b.beat(p, BeatEvery, nil)
		b.want(OK, "")
		b.pass(2 * BeatEvery) // two of three are lost
		b.want(OK, "")
	}
}

func TestAPhoneCannotSpeakForAScreen(t *testing.T) {
	b := newBench(t)
	p := b.open(wall)
	p.Sent("a")
	b.beat(p, time.Minute, nil)
	good := Proof{Page: p.Secret(), Frames: 1, Painted: "a"}
	forged := good
	forged.Page = strings.Repeat("0", 32)
	visitor := b.open(phone)
	for name, err := range map[string]error{
		"a guessed secret":             b.Beat("lobby", wall, forged),
		"a stolen secret":              b.Beat("lobby", phone, good),
		"its own secret from the wall": b.Beat("lobby", wall, Proof{Page: visitor.Secret()}),
		"another screen":               b.Beat("spare", wall, good),
		"no such screen":               b.Beat("nothing", wall, good),
	} {
		if !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if unknown, err := b.Open("nothing", phone); unknown != nil || err != nil {
		t.Errorf("a page of no screen: %v %v", unknown, err)
	}
	// The visitor stands still, draws nothing, hides: the screen is as it was.
	for range 12 {
		if err := b.Beat("lobby", phone, Proof{Page: visitor.Secret(), Frames: 7, Hidden: true, Painted: "old"}); err != nil {
			t.Fatal(err)
		}
		b.beat(p, BeatEvery, nil)
		b.want(OK, "")
	}
	// The screen dies; the visitor proves on, and hides nothing.
	p.Close()
	b.beat(visitor, time.Minute, nil)
	b.want(Dark, "open at another address", "screen-dark:lobby")
	b.beat(visitor, TakeOver-time.Minute-BeatEvery, nil)
	b.want(Dark, "open at another address", "screen-dark:lobby")
	// The monitor was given another address: after a while that is where it is.
	b.beat(visitor, time.Minute, nil)
	b.want(OK, "")
	visitor.Close()
	if len(b.pages) != 0 || len(b.screens["lobby"].pages) != 0 {
		t.Errorf("%d pages remembered after the last", len(b.pages))
	}
}

func TestTwoMonitorsWithOneNameAreAsGoodAsTheWorse(t *testing.T) {
	b := newBench(t)
	one, two := b.open(wall), b.open(wall)
	for range 12 {
		b.frames++
		for p, frames := range map[*Page]uint64{one: b.frames, two: 1} {
			if err := b.Beat("lobby", wall, Proof{Page: p.Secret(), Frames: frames}); err != nil {
				t.Fatal(err)
			}
		}
		b.pass(BeatEvery)
	}
	b.want(Frozen, "draws nothing", "screen-frozen:lobby")
	two.Close()
	b.beat(one, BeatEvery, nil)
	b.want(OK, "")
}

func TestProofsAreTakenOnceASecond(t *testing.T) {
	b := newBench(t)
	p := b.open(wall)
	taken := 0
	for i := range 1000 {
		switch err := b.Beat("lobby", wall, Proof{Page: p.Secret(), Frames: uint64(i)}); {
		case err == nil:
			taken++
		case !errors.Is(err, ErrTooOften):
			t.Fatal(err)
		}
		b.now = b.now.Add(10 * time.Millisecond)
	}
	if taken != 10 {
		t.Errorf("%d proofs of 10 s taken", taken)
	}
}

func TestRunLooksUntilItIsStoppedAndTellsOfChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.Watch = New(Options{Site: &alert.Site{Screens: []alert.Screen{{ID: "lobby", Watched: true}}}, Health: b.health})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		changed, begun := b.Changed(), time.Now()
		<-changed
		if d := time.Since(begun); d < FirstWithin || d > FirstWithin+2*lookEvery {
			t.Errorf("dark after %v", d)
		}
		b.want(Dark, "", "screen-dark:lobby")
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestManyAtOnce(t *testing.T) {
	w := New(Options{Site: &alert.Site{Screens: []alert.Screen{{ID: "lobby", Watched: true}}}})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range 200 {
				p, err := w.Open("lobby", wall)
				if err != nil {
					t.Error(err)
					return
				}
				p.Sent("a")
				if err := w.Beat("lobby", wall, Proof{Page: p.Secret(), Frames: uint64(i)}); err != nil {
					t.Error(err)
				}
				w.Look()
				w.List()
				p.Close()
			}
		})
	}
	group.Wait()
}

// FuzzDecode: whatever a stranger sends, what is taken is within its bounds.
func FuzzDecode(f *testing.F) {
	secret := strings.Repeat("a", 32)
	for _, seed := range []string{
		`{"page":"` + secret + `","frames":3,"painted":"x-1","hidden":false,"width":1920,"height":1080}`,
		`{"page":"` + secret + `","frames":-1}`, `{"page":"` + secret + `","width":1e9}`, `{"page":"` + secret + `"}{}`, `[]`, ``,
		`{"page":"` + secret + `","painted":"` + strings.Repeat("x", 600) + `"}`, `{"page":"` + secret + `"}` + strings.Repeat(" ", 600),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Decode(strings.NewReader(text))
		if err != nil {
			if !errors.Is(err, ErrProof) {
				t.Fatalf("no reason: %v", err)
			}
			return
		}
		if len(text) > MaxProof || len(p.Page) != 32 || len(p.Painted) > maxPainted || p.Width < 0 || p.Height < 0 || p.Width > maxSide || p.Height > maxSide {
			t.Fatalf("%d bytes taken: %+v", len(text), p)
		}
	})
}
