package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"nabat/gateway/alert"
)

// slowWriter is a connection whose far end may stop reading. It stands for a
// full socket buffer, which cannot be filled inside synctest's bubble.
type slowWriter struct {
	http.ResponseWriter
	mu       sync.Mutex
	deadline time.Time
	stuck    bool
	wrote    []string
	times    []time.Time
}

func (w *slowWriter) SetWriteDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = t
	return nil
}

func (w *slowWriter) FlushError() error { return nil }

func (w *slowWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	stuck, deadline := w.stuck, w.deadline
	w.wrote, w.times = append(w.wrote, string(b)), append(w.times, time.Now())
	w.mu.Unlock()
	if stuck {
		if deadline.IsZero() {
			select {} // the bubble reports a deadlock
		}
		<-time.After(time.Until(deadline))
		return 0, os.ErrDeadlineExceeded
	}
	return len(b), nil
}

func (w *slowWriter) count(event string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.wrote {
		if strings.HasPrefix(s, "event: "+event+"\n") {
			n++
		}
	}
	return n
}

func TestStreamBeatsEveryTwoSecondsAndDropsAClientThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		s := newTestServer(t, h, nil)
		w := &slowWriter{ResponseWriter: httptest.NewRecorder()}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan time.Time, 1)
		go func() {
			s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/events", nil).WithContext(ctx))
			ended <- time.Now()
		}()
		<-time.After(20*time.Second + time.Millisecond)
		if n := w.count("beat"); n != 11 {
			t.Errorf("%d beats in 20 s, want 11", n)
		}
		if n := w.count("state"); n != 1 {
			t.Errorf("%d states without a change, want 1", n)
		}
		w.mu.Lock()
		w.stuck = true
		w.mu.Unlock()
		stuck := time.Now()
		select {
		case at := <-ended:
			if d := at.Sub(stuck); d > beatEvery+writeWithin {
				t.Errorf("dropped after %s", d)
			}
		case <-time.After(time.Minute):
			t.Error("a client that does not read keeps its stream")
			cancel()
			<-ended
		}
		if s.streams.count(toLobby) != 0 || s.counters.streamsGivenAway.Load() != 1 {
			t.Errorf("%d streams open, %d dropped", s.streams.count(toLobby), s.counters.streamsGivenAway.Load())
		}
	})
}

func TestAStormOfChangesIsNotAStormOfMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		s := newTestServer(t, h, nil)
		w := &slowWriter{ResponseWriter: httptest.NewRecorder()}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/events", nil).WithContext(ctx))
		}()
		<-time.After(time.Second)
		begun := time.Now()
		clear := func(a alert.Alert) {
			if err := h.Clear(ctx, alert.Decision{Alert: a.ID, Number: a.Last.Number}); err != nil {
				t.Fatal(err)
			}
		}
		var last alert.Alert
		for i := range 1000 { // every millisecond the screen would have to show something else
			if i%2 == 0 {
				last = h.press(raise{kind: alert.Fire, place: "gym", level: alert.LevelEmergency})
			} else {
				clear(last)
			}
			<-time.After(time.Millisecond)
		}
		last = h.press(raise{kind: alert.Fire, place: "gym", level: alert.LevelEmergency})
		<-time.After(100 * time.Millisecond)
		if n := w.count("state"); n > 60 {
			t.Errorf("%d messages for 1000 changes in %s", n, time.Since(begun))
		}
		// The very first change was not held back, and the last is not lost.
		w.mu.Lock()
		if d := w.times[2].Sub(begun); d != 0 {
			t.Errorf("the first change waited %s", d)
		}
		w.mu.Unlock()
		clear(last)
		<-time.After(100 * time.Millisecond)
		now, err := s.lobbyShared("", alert.Russian, h.now())
		w.mu.Lock()
		if text := w.wrote[len(w.wrote)-1]; err != nil || !strings.Contains(text, now.id) {
			t.Errorf("the last message is not the last state: %s", text)
		}
		w.mu.Unlock()
		cancel()
		<-ended
	})
}

func TestStreamsAreBounded(t *testing.T) {
	s := newTestServer(t, newHouse(), nil)
	srv := serve(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	_, host := toLobby.limits()
	for range host {
		listen(ctx, t, srv.Client(), srv.URL+"/api/v1/events", "")
	}
	answer, err := srv.Client().Get(srv.URL + "/api/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
		t.Errorf("one more stream: %s", answer.Status)
	}
	cancel()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for s.streams.count(toLobby) != 0 {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%d streams still counted", s.streams.count(toLobby))
		}
	}
	if len(s.streams.byHost) != 0 {
		t.Errorf("hosts remembered after the last stream: %d", len(s.streams.byHost))
	}
}

func TestOneHostCannotTakeEverybodysStreams(t *testing.T) {
	var st streams
	var took int
	for i := range 256 { // a host may use any address of its /64
		addr := netip.AddrFrom16([16]byte{0xfd, 1, 2, 3, 4, 5, 6, 7, 8, 15: byte(i)})
		if st.take(toLobby, addr) {
			took++
		}
	}
	all, host := toLobby.limits()
	if took != host || took*4 > all {
		t.Errorf("one host took %d of %d lobby streams, want %d", took, all, host)
	}
	if same := netip.MustParseAddr("fd01:203:405:607::1"); !st.take(toConsole, same) || !st.take(toWall, same) {
		t.Error("streams of the lobby take places of the console and the wall")
	}
	for i := range 2 * all {
		st.take(toLobby, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	if n := st.count(toLobby); n != all {
		t.Errorf("%d lobby streams, want at most %d", n, all)
	}
	if !st.take(toConsole, netip.MustParseAddr("10.0.0.1")) {
		t.Error("a full lobby keeps the console out")
	}
}
