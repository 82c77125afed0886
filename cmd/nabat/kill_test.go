package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/control"
	"nabat/gateway/journal"
	"nabat/sync/mqtt/brokertest"
)

// ledger is what the test knows about one button for certain. Between tried
// and acknowledged lies what a kill may have decided either way.
type ledger struct {
	id                       string
	clears                   bool // this button's alerts are cleared now and then
	pressTried, pressAcked   int
	clearTried, clearAcked   int
	mustBeOpen, mustBeClosed bool
}

// TestKill9UnderLoad kills the gateway again and again at random moments while
// buttons are pressed and alerts are cleared: nothing that was acknowledged may
// be lost, no press and no clear may appear that nobody made, and dispatch gets
// everything, in order.
func TestKill9UnderLoad(t *testing.T) {
	kills := 200
	if testing.Short() { // under the race detector the point is the races, not the count
		kills = 15
	}
	broker := brokertest.Start(t, brokertest.Options{})
	far := subscribe(t, broker.Addr())
	dir := t.TempDir()
	ledgers := []*ledger{{id: "a"}, {id: "b"}, {id: "c", clears: true}, {id: "d", clears: true}}
	var ids []string
	for _, l := range ledgers {
		ids = append(ids, l.id)
	}
	path, pages := writeConfig(t, dir, ids, mqttSection(broker))

	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for i := range kills {
		p := start(t, path, dir)
		checkOpen(t, fmt.Sprintf("start %d", i), p, ledgers)
		load, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, l := range ledgers {
			wg.Go(func() { l.work(load, p.client, pages) })
		}
		<-time.After(time.Duration(random.IntN(400)) * time.Millisecond)
		p.kill()
		stop()
		wg.Wait()
		if t.Failed() {
			t.Fatalf("after kill %d of seed %d", i, seed)
		}
	}

	p := start(t, path, dir)
	checkOpen(t, "last start", p, ledgers)
	p.waitFor(t, "an empty queue", emptyQueue)
	p.stop(t)
	rows := journalRows(t, dir)
	checkLedgers(t, rows, ledgers)
	p = start(t, path, dir) // what the gateway wrote while it ended goes out now
	waitForRows(t, rows, far)
	p.stop(t)
	rows = journalRows(t, dir)
	for _, e := range far.seen() {
		if _, ok := rows[e.ID()]; !ok {
			t.Errorf("%s (%s) arrived but is not in the journal", e.ID(), e.Type)
		}
	}
	far.checkOrder(t)
	for _, l := range ledgers {
		t.Logf("button %s: %d presses tried, %d acknowledged; %d clears tried, %d acknowledged", l.id, l.pressTried, l.pressAcked, l.clearTried, l.clearAcked)
		if l.pressAcked == 0 {
			t.Errorf("button %s: no press was ever acknowledged, so nothing was shown", l.id)
		}
	}
}

// work presses, and clears, until the gateway is gone.
func (l *ledger) work(ctx context.Context, client *control.Client, pages string) {
	var staff *staffMember
	for ctx.Err() == nil {
		l.pressTried++
		l.mustBeClosed = false
		if err := client.Press(ctx, l.id, 0); err != nil {
			return
		}
		l.pressAcked++
		l.mustBeOpen = true
		if !l.clears {
			continue
		}
		if staff == nil {
			var err error
			if staff, err = login(ctx, pages); err != nil {
				return
			}
		}
		if err := l.clear(ctx, staff); err != nil {
			return
		}
	}
}

func (l *ledger) clear(ctx context.Context, staff *staffMember) error {
	id, number, err := staff.find(ctx, l.id)
	if err != nil {
		return err
	}
	l.clearTried++
	l.mustBeOpen = false
	if err := staff.decide(ctx, id, "clear", map[string]any{"number": number, "outcome": alert.Resolved}); err != nil {
		return err
	}
	l.clearAcked++
	l.mustBeClosed = true
	return nil
}

// find returns the open alert whose last press was at the given button.
func (s *staffMember) find(ctx context.Context, point string) (id string, number uint64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/api/v1/state?audience=console", nil)
	if err != nil {
		return "", 0, err
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", 0, err
	}
	var state struct {
		State struct {
			Alerts []struct {
				ID     string
				Number uint64
				Point  string
			}
		}
	}
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(&state); err != nil {
		return "", 0, fmt.Errorf("%w in %s", err, b)
	}
	for _, a := range state.State.Alerts {
		if a.Point == point {
			return a.ID, a.Number, nil
		}
	}
	return "", 0, fmt.Errorf("no open alert of %s in %s", point, b)
}

// checkOpen compares the open alerts with what is certain.
func checkOpen(t *testing.T, when string, p *process, ledgers []*ledger) {
	t.Helper()
	s, err := p.client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	open := make(map[string]bool)
	for _, a := range s.Alerts {
		open[a.Point] = true
	}
	for _, l := range ledgers {
		if l.mustBeOpen && !open[l.id] {
			t.Errorf("%s: the acknowledged press of %s is lost, or was cleared by nobody", when, l.id)
		}
		if l.mustBeClosed && open[l.id] {
			t.Errorf("%s: %s is open although its clear was acknowledged: a false alarm", when, l.id)
		}
	}
}

// journalRows returns what the stopped gateway's journal holds, by the ids under
// which it goes out.
func journalRows(t *testing.T, dir string) map[string]alert.Event {
	t.Helper()
	r, err := journal.OpenReader(filepath.Join(dir, journalFile))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	report, err := r.Verify(t.Context(), nil)
	if err != nil || !report.OK() || len(report.Twice) > 0 {
		t.Errorf("the journal is not sound: %+v, %v", report, err)
	}
	rows := make(map[string]alert.Event)
	pipe, w := io.Pipe()
	defer pipe.Close()
	go func() {
		_, err := r.Export(t.Context(), w)
		_ = w.CloseWithError(err)
	}()
	for dec := json.NewDecoder(pipe); ; {
		var line struct { // as `nabat journal export` writes it
			Epoch string
			Seq   uint64
			Type  alert.Type
			Data  json.RawMessage
		}
		if err := dec.Decode(&line); errors.Is(err, io.EOF) {
			return rows
		} else if err != nil {
			t.Fatal(err)
		}
		var e alert.Event
		if err := json.Unmarshal(line.Data, &e); err != nil {
			t.Fatal(err)
		}
		e.Type = line.Type
		rows[fmt.Sprintf("%s-%d", line.Epoch, line.Seq)] = e
	}
}

// checkLedgers compares the journal with what is certain.
func checkLedgers(t *testing.T, rows map[string]alert.Event, ledgers []*ledger) {
	t.Helper()
	raised, cleared := make(map[string]int), make(map[string]int)
	for _, e := range rows {
		if e.Type == alert.Raised {
			raised[e.Point]++
		}
		if e.Type == alert.Cleared {
			cleared[e.Place.ID]++
		}
	}
	for _, l := range ledgers {
		if n := raised[l.id]; n < l.pressAcked || n > l.pressTried {
			t.Errorf("button %s: %d presses in the journal, want between %d acknowledged and %d tried", l.id, n, l.pressAcked, l.pressTried)
		}
		if n := cleared["place-"+l.id]; n < l.clearAcked || n > l.clearTried {
			t.Errorf("button %s: %d clears in the journal, want between %d acknowledged and %d tried", l.id, n, l.clearAcked, l.clearTried)
		}
	}
}

// waitForRows waits until everything of the journal has arrived.
func waitForRows(t *testing.T, rows map[string]alert.Event, far *farEnd) {
	t.Helper()
	missing := maps.Clone(rows)
	defer func() {
		for id, e := range missing {
			t.Logf("%s (%s) has not arrived", id, e.Type)
		}
	}()
	waitUntil(t, "arrival of every event", func() bool {
		for _, e := range far.seen() {
			delete(missing, e.ID())
		}
		return len(missing) == 0
	})
}
