package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/announce/clip"
	"nabat/hw/audio/audiotest"
	"nabat/hw/audio/rtp/rtptest"
)

// What ears make of a sound that is no chime.
const spoken = "words"

// earRate is at how many samples a second ears listen: that of telephones.
const earRate = 8000

// ears make a list of what they hear of a loudspeaker: chimes by their names, and
// words.
type ears struct {
	t       *testing.T
	name    string
	samples func() []int16 // all from the beginning, at earRate
	chimes  map[string][]int16
	at      int    // what comes before has been listened to
	now     string // what goes on there
	ends    int    // when it does, if that is known
	list    []noise
}

// noise is one thing that was heard, and where it began.
type noise struct {
	what string
	at   int
}

func newEars(t *testing.T, name string, samples func() []int16) *ears {
	e := &ears{t: t, name: name, samples: samples, chimes: make(map[string][]int16)}
	for _, c := range alert.Chimes() {
		if c != alert.ChimeNone {
			e.chimes[string(c)] = rtptest.Thirds(clip.Chime(c))
		}
	}
	return e
}

// atSink listens to a sink of a sound server.
func atSink(t *testing.T, s *audiotest.Server, sink string) *ears {
	t.Helper()
	r := s.Listen(t, sink)
	return newEars(t, s.Address(), func() []int16 { return rtptest.Thirds(r.Samples()) })
}

// atSocket listens to a group of IP loudspeakers.
func atSocket(t *testing.T, r *rtptest.Receiver) *ears {
	return newEars(t, fmt.Sprint("port ", r.Port()), func() []int16 { return rtptest.Sound(r.Packets(t)) })
}

// Lengths at earRate.
const (
	pause  = earRate / 7      // silence that ends a sound; words have shorter ones within
	probe  = earRate * 6 / 10 // of a chime, enough to know it by
	glance = earRate / 10     // of a chime, enough to look closer
	offset = earRate / 50     // by which a sound may begin before it is loud enough to be noticed
)

// listen hears what has come since the last time.
func (e *ears) listen() []noise {
	samples := e.samples()
	for e.at < len(samples) {
		if e.now == "" {
			begin := e.at + audiotest.FirstSound(samples[e.at:])
			if begin < e.at || begin+probe+offset > len(samples) {
				break // silence, or too little to tell
			}
			e.begin(begin, e.recognise(samples, begin))
		}
		if !e.follow(samples) {
			break
		}
	}
	return e.list
}

func (e *ears) begin(at int, what string) {
	e.at, e.now, e.ends = at, what, at+len(e.chimes[what])
	if what != spoken || len(e.list) == 0 || e.list[len(e.list)-1].what != spoken {
		e.list = append(e.list, noise{what, at})
	}
}

// follow goes through a sound until it ends, by itself or because a chime breaks
// in, which needs no pause. It reports whether it has ended.
func (e *ears) follow(samples []int16) bool {
	end := e.ends
	if e.now == spoken {
		end = quietAfter(samples, e.at)
	}
	last := len(samples) - probe - offset
	if end >= 0 {
		last = min(last, end)
	}
	for ; e.at < last; e.at += 2 {
		for name, chime := range e.chimes {
			if name == e.now || math.Abs(audiotest.Alike(samples, chime[:glance], e.at)) < 0.6 {
				continue
			}
			if what := e.recognise(samples, e.at); what != spoken && what != e.now {
				e.begin(e.at, what)
				return true
			}
		}
	}
	if end < 0 || e.at < end {
		return false
	}
	e.now = ""
	return true
}

// recognise says what begins there.
func (e *ears) recognise(samples []int16, begin int) string {
	best, what := 0.6, spoken
	for name, chime := range e.chimes {
		for shift := max(-offset, -begin); shift <= offset; shift++ {
			if a := math.Abs(audiotest.Alike(samples, chime[:probe], begin+shift)); a > best {
				best, what = a, name
			}
		}
	}
	return what
}

// quietAfter is where the first pause after begin ends a sound; -1 when none has yet.
func quietAfter(samples []int16, begin int) int {
	silent := 0
	for i := begin; i < len(samples); i++ {
		if silent++; samples[i] > audiotest.Silence || samples[i] < -audiotest.Silence {
			silent = 0
		}
		if silent == pause {
			return i
		}
	}
	return -1
}

// forget drops what was heard before: what sounds at this moment counts as words.
func (e *ears) forget() {
	e.at, e.now, e.list = len(e.samples()), "", nil
}

func (e *ears) String() string {
	var all []string
	for _, s := range e.list {
		all = append(all, fmt.Sprintf("%s at %.1f s", s.what, float64(s.at)/earRate))
	}
	return e.name + ": " + strings.Join(all, ", ")
}

// until waits until what was heard satisfies ok.
func (e *ears) until(what string, ok func([]noise) bool) []noise {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), patience)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !ok(e.listen()) {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			e.t.Fatalf("this was not heard within %v: %s; %v", patience, what, e)
		}
	}
	return slices.Clone(e.list)
}

// untilHeard waits until a chime has been heard.
func (e *ears) untilHeard(c alert.Chime) {
	e.t.Helper()
	e.until("the chime "+string(c), func(list []noise) bool { return count(list, string(c)) > 0 })
}

// untilChime waits until a chime has been heard so many times with words after it.
func (e *ears) untilChime(c alert.Chime, times int) []noise {
	e.t.Helper()
	return e.until(fmt.Sprintf("%d times the chime %s and words", times, c), func(list []noise) bool {
		n := 0
		for i, s := range list {
			if s.what == string(c) && i+1 < len(list) && list[i+1].what == spoken {
				n++
			}
		}
		return n >= times
	})
}

// nothingFor waits until this much has been recorded of a loudspeaker that is
// silent. How long a machine takes for that does not matter.
func (e *ears) nothingFor(length time.Duration, why string) {
	e.t.Helper()
	e.forget()
	until := e.at + int(length*earRate/time.Second) + probe + offset
	e.until("silence", func(list []noise) bool { return len(list) > 0 || len(e.samples()) >= until })
	if len(e.list) > 0 {
		e.t.Fatalf("%s: %v", why, e)
	}
}

// count is how often something was heard.
func count(list []noise, what string) (n int) {
	for _, s := range list {
		if s.what == what {
			n++
		}
	}
	return n
}
