package press

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"nabat/hw/point"
)

// script turns "at letter" pairs, at in milliseconds, into signals: A and I are
// edges, a and i settled readings, X and O the first reading (closed, open),
// x and o the same as a debouncing source sends it, L a lost point, T a
// tampered one, S one that the source calls stuck, R restored.
func script(t testing.TB, text string) []point.Signal {
	t.Helper()
	var out []point.Signal
	for _, word := range strings.Fields(text) {
		var at int64
		var letter string
		if _, err := fmt.Sscanf(word, "%d%1s", &at, &letter); err != nil {
			t.Fatalf("%q: %v", word, err)
		}
		s := point.Signal{Point: "b", At: time.Duration(at) * ms}
		switch letter {
		case "A", "a", "X", "x":
			s.Change = point.Active
		case "I", "i", "O", "o":
			s.Change = point.Inactive
		case "L":
			s.Change, s.Fault = point.Faulted, point.FaultLost
		case "T":
			s.Change, s.Fault = point.Faulted, point.FaultTamper
		case "S":
			s.Change, s.Fault = point.Faulted, point.FaultStuck
		case "R":
			s.Change = point.Restored
		default:
			t.Fatalf("%q: unknown letter", word)
		}
		s.Settled = strings.Contains("aixo", letter)
		s.Initial = strings.Contains("XOxo", letter)
		out = append(out, s)
	}
	return out
}

// describe writes gestures as "at kind"; Proven is left out.
func describe(gs []Gesture) string {
	var words []string
	for _, g := range gs {
		if g.Kind == Proven {
			continue
		}
		w := fmt.Sprintf("%d%v", g.At/ms, g.Kind)
		if g.Initial {
			w += "(initial)"
		}
		if g.Fault != "" {
			w += "(" + string(g.Fault) + ")"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

func TestGestures(t *testing.T) {
	for _, c := range []struct{ name, signals, want string }{
		{"a press is known after 10 ms of rest", "0O 100A 110a", "100tap"},
		{"a press of 30 ms whose signals all come late", "0O 100A 130I", "100tap"},
		{"and its release", "0O 100A 130I 140i", "100tap 130released"},
		{"9 ms are nothing", "0O 100A 109I 119i 1000i", ""},
		{"a bounce before the press", "0O 100A 103I 104A 114a", "104tap"},
		{"a bounce after the release", "0O 100A 110a 200I 203A 205I 215i", "100tap 205released"},
		{"a break of 9 ms is the same press", "0O 100A 110a 200I 209A 219a 300I 310i", "100tap 300released"},
		{"a break of 10 ms is a second press", "0O 100A 110a 200I 210A 220a", "100tap 200released 210tap"},
		{"a reading too early proves nothing", "0O 100A 105a", ""},
		{"a reading before the first signal's rest", "0O 100A 105I 106a", ""},
		{"held for 3 s, known by a reading", "0O 100A 110a 1100a 2100a 3099a 3100a 4100a", "100tap 100hold"},
		{"held for 3 s, known by the release", "0O 100A 110a 2900a 3200I", "100tap 100hold"},
		{"released at 2.9 s, told late", "0O 100A 110a 3000I 3900i", "100tap 3000released"},
		{"a bounce after 3 s does not make a hold of a short press", "0O 100A 110a 3095I 3101A 3103I 3113i", "100tap 3103released"},
		{"held with a short break", "0O 100A 110a 2000I 2005A 2015a 3100a", "100tap 100hold"},
		{"held at start", "0X 1000a 2000a 3000a 4000a 5000I 5010i", "0tap(initial) 5000released"},
		{"held at start, with a shaky contact", "0X 2I 4A 14a 4000a", "4tap(initial)"},
		{"held at start, then pressed again", "0X 1000a 2000I 2010i 3000A 3010a 6000a", "0tap(initial) 2000released 3000tap 3000hold"},
		{"stuck", "0O 100A 110a 3100a 60099a 60100a 61100a 62000I 62010i", "100tap 100hold 60100faulted(stuck) 62000released 62010restored(stuck)"},
		{"stuck, known only by the release", "0O 100A 110a 62000I 62010i", "100tap 100hold 62000faulted(stuck) 62000released 62010restored(stuck)"},
		{"stuck and shaky gives no further taps", "0X 1000a 60000a 61000I 61005A 61015a 62000I 62001A 62050a", "0tap(initial) 60000faulted(stuck)"},
		{"stuck, lost and read again is still the same press", "0X 1000a 60000a 61000L 62000R 62000X 63000a 64000I 64010i", "0tap(initial) 60000faulted(stuck) 61000faulted(lost) 62000restored(lost) 63000faulted(stuck) 64000released 64010restored(stuck)"},
		{"lost in the middle of a press", "0O 100A 105L 120a 130I", "105faulted(lost)"},
		{"lost while pressed, and read anew", "0O 100A 110a 200L 300R 300X 310a 400I 410i", "100tap 200faulted(lost) 300restored(lost) 300tap(initial) 400released"},
		{"lost twice is reported once", "0O 10L 20L 30R 40R", "10faulted(lost) 30restored(lost)"},
		{"stuck, and the source says so too", "0X 60000a 60500S 61000R 61000O 61010i", "0tap(initial) 60000faulted(stuck) 61000restored(stuck) 61000released"},
		{"lost and then tampered with", "0O 10L 20T 30R", "10faulted(lost) 20faulted(tamper) 30restored(tamper)"},
		{"a press counts while the housing is open, once it is read anew", "0O 10T 20O 100A 110a 200I 210i 300R", "10faulted(tamper) 100tap 200released 300restored(tamper)"},
		{"a press that outlasts a fault of the housing is one press", "0O 100A 110a 200T 300R 1000a 2000I 2010i 3000A 3010a", "100tap 200faulted(tamper) 300restored(tamper) 3000tap"},
		{"a fault that ends without a first reading", "0O 200L 300R 1000i 3000A 3010a", "200faulted(lost) 300restored(lost) 3000tap"},
		{"a press just after such a fault", "0O 200L 300R 400A 410a", "200faulted(lost) 300restored(lost) 400tap"},
		{"the first reading before the fault is over", "0O 10L 20O 30R 100A 110a", "10faulted(lost) 30restored(lost) 100tap"},
		{"restored without a fault", "0O 10R", ""},
		{"a debouncing source", "0o 100a 140i 200a 4000a 4100i", "100tap 140released 200tap 200hold 4100released"},
		{"a debouncing source held at start", "0x 5000i", "0tap(initial) 5000released"},
		{"a wire that charges after it was opened is no press", "0x 1I 11i 1000i", ""},
		{"nor after a fault", "0O 100L 200R 200x 203I 213i", "100faulted(lost) 200restored(lost)"},
		{"held at start is known after the next reading", "0x 9a 10a", "0tap(initial)"},
		{"a debouncing source that never said what it found first", "100a 140i 200a", "100tap(initial) 140released 200tap"},
		{"a spike met by a reading, its edges told afterwards", "0O 50A 60I 70i 1000a 1000A 1001I 2000i", "50tap 60released"},
		{"a press met by a reading, its edge told afterwards", "0O 50A 60I 1000a 1000A 1010a", "50tap 60released 1000tap"},
		{"an edge that never came is found by two readings", "0O 50A 60I 70i 1000a 2000a", "50tap 60released 1000tap"},
		{"one reading against the edges is not believed", "0O 50A 60I 70i 1000a 1010i 2000i", "50tap 60released"},
		{"a source that says stuck", "0O 10S 20R 20X 30a 40I 50i", "10faulted(stuck) 20restored(stuck) 30faulted(stuck) 40released 50restored(stuck)"},
		{"nor are two with one between them that agrees", "0O 50A 60I 70i 1000a 1010i 2000a 3000i 4000a", "50tap 60released"},
		{"what the source calls stuck only the source restores", "0O 10S 20X 30a 40I 50i 60R", "10faulted(stuck) 40released 60restored(stuck)"},
		{"a release whose edge never came", "0O 50A 60a 1000i 2000i", "50tap 1000released"},
		{"two edges to one level: nothing is known between them", "0O 100A 120A 125I", ""},
		{"an unknown start with edges", "100A 110a", "100tap"},
		{"first readings again while pressed are no second press", "0O 100A 110a 500X 600a 700O 800i", "100tap 700released"},
		{"a clock that steps back starts over", "9000O 9100A 100a 110a", "100tap"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := describe(gestures(t, script(t, c.signals))); got != c.want {
				t.Errorf("signals %s\n got %s\nwant %s", c.signals, got, c.want)
			}
		})
	}
}

// storm gives n edges, every apart, the first one closing.
func storm(from, every time.Duration, n int) []point.Signal {
	var out []point.Signal
	for i := range n {
		out = append(out, point.Signal{Point: "b", Change: change(i%2 == 0), At: from + time.Duration(i)*every})
	}
	return out
}

func TestChatterIsOneFaultAndNoPress(t *testing.T) {
	var m Machine
	var gs []Gesture
	feed := func(signals []point.Signal) {
		for _, s := range signals {
			gs = append(gs, m.Next(s)...)
		}
	}
	feed(script(t, "0O"))
	for second := range time.Duration(3600) { // an hour at 1 kHz
		feed(storm((second+1)*time.Second, ms/2, 2000))
	}
	feed(script(t, "3601100i 3601999i 3602000i"))
	checkGrammar(t, gs)
	if got, want := describe(gs), "1049faulted(chatter) 3602000restored(chatter)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestReadingsInTheMidstOfAStormEndNothing(t *testing.T) {
	signals := script(t, "0O")
	for _, s := range storm(time.Second, ms, 5000) {
		signals = append(signals, s)
		s.Settled, s.At = true, s.At+ms/2
		signals = append(signals, s)
	}
	if got, want := describe(gestures(t, signals)), "1099faulted(chatter)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAContactThatComesToRestClosedIsAPress(t *testing.T) {
	signals := slices.Concat(script(t, "0O"), storm(time.Second, ms, 151), script(t, "1160a 2149a 2150a 3150a 9000a 9500I 9510i"))
	got := describe(gestures(t, signals))
	if want := "1099faulted(chatter) 2150restored(chatter) 1150tap(initial) 9500released"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Mains hum on a wet wire closes the contact for 10 ms, 50 times a second.
func TestHumIsAFaultBeforeItIsAnEndlessAlarm(t *testing.T) {
	signals := slices.Concat(script(t, "0O"), storm(time.Second, 10*ms, 100_000), script(t, "1002000i 1003000i"))
	gs := gestures(t, signals)
	if n := len(only(gs, Tap)); n != TapsPerSecond {
		t.Errorf("%d taps, want %d", n, TapsPerSecond)
	}
	if got, want := describe(only(gs, Faulted, Restored)), "1410faulted(chatter) 1002000restored(chatter)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A button node that restarts counts its time from nothing. Seldom presses are
// no hum because an earlier one bears a later time.
func TestAClockThatSteppedBackMakesNoHum(t *testing.T) {
	signals := script(t, "3600000o 3600100a 3600300i")
	for n := range TapsPerSecond + 1 {
		signals = append(signals, script(t, fmt.Sprintf("%da %di", 10_000*n, 10_000*n+200))...)
	}
	gs := gestures(t, signals)
	if taps, faults := only(gs, Tap), only(gs, Faulted); len(taps) != TapsPerSecond+2 || len(faults) != 0 {
		t.Errorf("%d taps, want %d; faults %+v", len(taps), TapsPerSecond+2, faults)
	}
}

func TestAHummingWireThatComesToRestClosedIsOnePress(t *testing.T) {
	signals := slices.Concat(script(t, "0O"), storm(time.Second, 10*ms, 47), script(t, "2000a 2459a 2460a 3460a 4460a"))
	gs := only(gestures(t, signals), Tap, Faulted, Restored)[TapsPerSecond:]
	if got, want := describe(gs), "1410faulted(chatter) 2460restored(chatter) 1460tap(initial)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAStuckButtonMayRattleAndStaysStuck(t *testing.T) {
	signals := slices.Concat(script(t, "0O 100A 110a 60100a"), storm(61*time.Second, ms, 201), script(t, "62000a 63000I 63010i"))
	got := describe(gestures(t, signals))
	if want := "100tap 100hold 60100faulted(stuck) 63000released 63010restored(stuck)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestProvenComesOnceAMinute(t *testing.T) {
	signals := script(t, "0O")
	for i := range 180 {
		signals = append(signals, point.Signal{Point: "b", Change: point.Inactive, At: time.Duration(i+1) * time.Second, Settled: true})
	}
	var at []time.Duration
	for _, g := range gestures(t, signals) {
		at = append(at, g.At)
	}
	if want := []time.Duration{0, time.Minute, 2 * time.Minute, 3 * time.Minute}; !slices.Equal(at, want) {
		t.Errorf("proven at %v, want %v", at, want)
	}
}

func TestKindsHaveWords(t *testing.T) {
	for k, want := range map[Kind]string{Tap: "tap", Hold: "hold", Released: "released", Faulted: "faulted", Restored: "restored", Proven: "proven", 0: "unknown"} {
		if k.String() != want {
			t.Errorf("kind %d is %q, want %q", k, k.String(), want)
		}
	}
}
