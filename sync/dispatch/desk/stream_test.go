package desk

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/sync/dispatch/store"
)

// said is one event of a stream.
type said struct {
	event, id string
	message   message
	state     state
}

// listen reads a stream until it ends; the channel is closed then.
func (v *visit) listen(ctx context.Context, last string) <-chan said {
	v.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.base+"/dispatch/events?lang=en", nil)
	if err != nil {
		v.t.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	client := *v.client
	client.Timeout = 0
	answer, err := client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
		answer.Body.Close()
		v.t.Fatalf("the stream: %s", answer.Status)
	}
	out := make(chan said, 64)
	go func() {
		defer close(out)
		defer answer.Body.Close()
		var s said
		lines := bufio.NewScanner(answer.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				s = said{event: value}
			case "id":
				s.id = value
			case "data":
				if json.Unmarshal([]byte(value), &s.message) != nil || (s.message.State != nil && json.Unmarshal(s.message.State, &s.state) != nil) {
					s.event = "broken"
				}
				select {
				case out <- s:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return out
}

// until waits for an event that is as wanted.
func until(t *testing.T, from <-chan said, wanted func(said) bool) said {
	t.Helper()
	deadline := time.NewTimer(45 * time.Second)
	defer deadline.Stop()
	for {
		select {
		case s, ok := <-from:
			if !ok {
				t.Fatal("the stream ended before")
			}
			if wanted(s) {
				return s
			}
		case <-deadline.C:
			t.Fatal("not in time")
		}
	}
}

func TestAPageHearsOfWhatHappens(t *testing.T) {
	w := newTown(t)
	w.heard(school(), time.Now(), 0)
	v := open(t, w.desk(nil)).in("boris", otherSecret)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream := v.listen(ctx, "")
	first := until(t, stream, func(s said) bool { return s.event == "state" })
	if len(first.state.Alerts) != 0 || first.id == "" {
		t.Errorf("at first: %+v", first)
	}
	until(t, stream, func(s said) bool { return s.event == "beat" && s.message.Left > 0 && s.message.State == nil })
	w.press(press{id: "alert-1", number: 1, kind: alert.Fire, level: alert.LevelEmergency})
	next := until(t, stream, func(s said) bool { return s.event == "state" && len(s.state.Alerts) == 1 })
	if c := next.state.Alerts[0]; c.Kind != "Fire" || c.Site != "Школа № 12" {
		t.Errorf("card %+v", c)
	}
	// Who comes back with the last id is told nothing twice; with another, all.
	again := v.listen(ctx, next.id)
	if s := until(t, again, func(said) bool { return true }); s.event != "beat" && s.id == next.id {
		t.Errorf("told twice: %+v", s)
	}
	if s := until(t, v.listen(ctx, "another"), func(said) bool { return true }); s.event != "state" {
		t.Errorf("after a gap: %+v", s)
	}
}

func TestAStreamEndsWithItsSession(t *testing.T) {
	w := newTown(t)
	v := open(t, w.desk(nil)).in("boris", otherSecret)
	stream := v.listen(t.Context(), "")
	until(t, stream, func(s said) bool { return s.event == "beat" })
	if err := w.store.SetOperator(t.Context(), store.Operator{ID: "boris", Role: store.OperatorRole, Disabled: time.Now()}, "test"); err != nil {
		t.Fatal(err)
	}
	until(t, stream, func(s said) bool { return s.event == "end" })
	for range stream { // nothing follows
		t.Error("something was told after the end")
	}
}

func TestAnOpenPageAloneDoesNotKeepASessionAlive(t *testing.T) {
	w := newTown(t)
	v := open(t, w.desk(func(o *Options) { o.Idle = 3 * time.Second })).in("boris", otherSecret)
	stream := v.listen(t.Context(), "")
	if s := until(t, stream, func(s said) bool { return s.event == "beat" }); s.message.Left > 3 {
		t.Errorf("the page is told of %d s", s.message.Left)
	}
	until(t, stream, func(s said) bool { return s.event == "end" })
	if status, _ := v.get("/dispatch"); status != http.StatusSeeOther {
		t.Errorf("after the idle time: %d", status)
	}
}

func TestStreamsAreBounded(t *testing.T) {
	var st streams
	host, other := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("192.0.2.1")
	for range mostOfHost {
		if !st.take(host) {
			t.Fatal("refused too soon")
		}
	}
	if st.take(netip.MustParseAddr("2001:db8::2")) || !st.take(other) {
		t.Error("one host may take everybody's places, or nobody may have any")
	}
	for range mostOfHost {
		st.release(host)
	}
	st.release(other)
	if st.open != 0 || len(st.host) != 0 {
		t.Errorf("%d open, %d hosts remembered", st.open, len(st.host))
	}
}
