package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
	"nabat/sync/event"
)

func TestAnEventIsStoredOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		w := newWatch()
		s := ready(t, Options{URL: url, Now: w.now})
		at := stamp(w.now(), "boot", time.Minute, true)
		started := said(school, "e1", 2, alert.Event{Type: alert.GatewayStarted, At: at}, "mqtt", w.now())
		press := said(school, "e1", 3, about(alert.Raised, "a1", 1, at), "mqtt", w.now())

		r := ingest(t, s, press, press, started)
		if r.New != 2 || len(r.Receipts) != 1 || r.Receipts[0].Through != 0 || !slices.Equal(r.Receipts[0].Above, []uint64{2, 3}) {
			t.Errorf("with a hole below: %+v", r)
		}
		press.Link = "http"
		press.At = w.now().Add(time.Second)
		r = ingest(t, s, press, started, said(school, "e1", 1, alert.Event{Type: alert.LinkUp, At: at}, "mqtt", w.now()))
		if r.New != 1 || r.Receipts[0].Through != 3 || len(r.Receipts[0].Above) != 0 {
			t.Errorf("the hole is closed: %+v", r)
		}
		open, err := s.OpenAlerts(context.Background())
		if err != nil || len(open) != 1 || open[0].ID != "a1" || !open[0].Stands || open[0].Late || open[0].Name != "School 12" {
			t.Fatalf("open: %+v, %v", open, err)
		}
		line, err := s.Timeline(context.Background(), school, "a1")
		if err != nil || len(line) != 1 || len(line[0].Deliveries) != 2 || line[0].Deliveries[0].Link != "mqtt" || line[0].Deliveries[1].Link != "http" {
			t.Errorf("timeline: %+v, %v", line, err)
		}
		if got, err := s.ReceiptOf(context.Background(), school, "e1"); err != nil || got.Through != 3 {
			t.Errorf("receipt: %+v, %v", got, err)
		}
		if got, err := s.ReceiptOf(context.Background(), school, "e2"); err != nil || got.Through != 0 {
			t.Errorf("receipt of an unknown epoch: %+v, %v", got, err)
		}
	})
}

func TestWhatCannotBeUnderstoodIsKeptAndCovered(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		w := newWatch()
		s := ready(t, Options{URL: url, Now: w.now})
		row := func(seq uint64, data string) journal.Row {
			return journal.Row{Ref: alert.Ref{Epoch: "e1", Seq: seq}, Type: alert.Raised, Subject: "a1", At: stamp(w.now(), "b", 1, true), Data: []byte(data)}
		}
		long := strings.Repeat("x", 5000)
		r := ingest(t, s,
			saidRaw(school, row(1, `{"level":"loud"}`), "mqtt", w.now()),
			saidRaw(school, row(2, `{"number":1,"kind":"`+long+`","place":{"id":"p"}}`), "mqtt", w.now()),
			saidRaw(school, row(3, `{"number":1,"kind":"fire","place":{"id":"p\u0000q"}}`), "mqtt", w.now()),
			saidRaw(school, row(4, `{"number":18446744073709551615,"kind":"fire","place":{"id":"p"}}`), "mqtt", w.now()),
			saidRaw(school, row(5, `{"detail":"a\u0000b"}`), "mqtt", w.now()),
			saidRaw(Gateway{"school-12", "stranger"}, row(6, `{}`), "mqtt", w.now()),
			saidRaw(school, row(1<<63, `{}`), "mqtt", w.now()),
			saidRaw(school, row(0, `{}`), "mqtt", w.now()),
		)
		kept := 0
		for _, x := range r.Refusals {
			if x.Kept {
				kept++
			}
		}
		if r.New != 5 || len(r.Refusals) != 7 || kept != 4 || len(r.Receipts) != 1 || r.Receipts[0].Through != 5 || len(r.Receipts[0].Above) != 0 {
			t.Errorf("got %+v", r)
		}
		list, err := s.Refused(context.Background(), 10)
		if err != nil || len(list) != 4 || list[0].Gateway != school || list[0].Reason == "" {
			t.Errorf("refused: %+v, %v", list, err)
		}
	})
}

func TestACopiedDiskIsSeen(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		w := newWatch()
		s := ready(t, Options{URL: url, Now: w.now})
		at := stamp(w.now(), "b", 1, true)
		ingest(t, s, said(school, "e1", 1, about(alert.Raised, "a1", 1, at), "mqtt", w.now()))
		for range 2 {
			r := ingest(t, s, said(school, "e1", 1, about(alert.Raised, "a2", 1, at), "http", w.now()))
			if r.New != 0 || len(r.Refusals) != 1 || !r.Refusals[0].Kept {
				t.Errorf("got %+v", r)
			}
		}
		info, err := s.GatewayInfo(context.Background(), school)
		if err != nil || info.Forked.IsZero() || info.Events != 1 {
			t.Errorf("gateway: %+v, %v", info, err)
		}
		if list, err := s.Refused(context.Background(), 10); err != nil || len(list) != 1 || list[0].Event.Subject != "a2" {
			t.Errorf("kept: %+v, %v", list, err)
		}
	})
}

func TestALateCallAndAnUnsetClock(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		ctx := context.Background()
		w := newWatch()
		s := ready(t, Options{URL: url, Now: w.now})
		pressed := w.now()
		w.add(time.Hour)
		boot1970 := func(mono time.Duration) alert.Stamp { return stamp(time.Unix(0, 0).UTC().Add(mono), "b", mono, false) }
		ingest(t, s, said(school, "e1", 1, about(alert.Raised, "a1", 1, boot1970(10*time.Second)), "mqtt", w.now()))
		a, err := s.Alert(ctx, school, "a1")
		if err != nil || !a.Pressed.Estimated || a.Pressed.At.After(w.now()) || a.Late {
			t.Errorf("no clock yet: %+v, %v", a, err)
		}
		// The clock is set, and tells what the boot's first minute was.
		ingest(t, s, said(school, "e1", 2, alert.Event{Type: alert.ClockSynchronised, At: stamp(pressed.Add(50*time.Second), "b", time.Minute, true)}, "mqtt", w.now()))
		a, err = s.Alert(ctx, school, "a1")
		if err != nil || !a.Pressed.At.Equal(pressed) || !a.Pressed.Corrected || a.Pressed.Estimated || !a.Late {
			t.Errorf("corrected: %+v late %v, %v; want %v", a.Pressed, a.Late, err, pressed)
		}
		line, err := s.Timeline(ctx, school, "a1")
		if err != nil || len(line) != 1 || !line[0].Made.At.Equal(pressed) || !line[0].Late {
			t.Errorf("timeline: %+v, %v", line, err)
		}
	})
}

func TestAWithdrawnGatewayStoresNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		ctx := context.Background()
		w := newWatch()
		s := ready(t, Options{URL: url, Now: w.now})
		if err := s.Revoke(ctx, school, "test"); err != nil {
			t.Fatal(err)
		}
		r := ingest(t, s, said(school, "e1", 1, about(alert.Raised, "a1", 1, stamp(w.now(), "b", 1, true)), "mqtt", w.now()))
		if r.New != 0 || len(r.Receipts) != 0 || len(r.Refusals) != 1 || r.Refusals[0].Kept {
			t.Errorf("got %+v", r)
		}
		if _, err := s.Heard(ctx, Word{Gateway: school, Status: event.Status{Online: true, Session: "s"}, Link: "mqtt", At: w.now()}); !errors.Is(err, ErrDenied) {
			t.Errorf("status: %v", err)
		}
	})
}

func TestTwoOpenAtOnceAndANewerSchemaIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		type opened struct {
			s   *Store
			err error
		}
		ch := make(chan opened)
		for range 4 {
			go func() {
				s, err := Open(context.Background(), Options{URL: url})
				ch <- opened{s, err}
			}()
		}
		var last *Store
		for range 4 {
			o := <-ch
			if o.err != nil {
				t.Error(o.err)
				continue
			}
			if last != nil {
				_ = last.Close()
			}
			last = o.s
		}
		if last == nil {
			t.FailNow()
		}
		text := "INSERT INTO user_version VALUES (99)"
		if strings.HasPrefix(url, "sqlite") {
			text = "PRAGMA user_version = 99"
			l := last.eng.(*lite)
			if _, err := l.conn.ExecContext(context.Background(), text); err != nil {
				t.Error(err)
			}
		} else if _, err := last.eng.(*postgres).pool.Exec(context.Background(), text); err != nil {
			t.Error(err)
		}
		_ = last.Close()
		if s, err := Open(context.Background(), Options{URL: url}); !errors.Is(err, ErrNewerSchema) {
			t.Errorf("got %v, want ErrNewerSchema", err)
			if err == nil {
				_ = s.Close()
			}
		}
	})
}

func FuzzUnderstand(f *testing.F) {
	f.Add([]byte(`{"level":"loud"}`))
	f.Add([]byte(`{"number":1,"kind":"fire","place":{"id":"p"},"numbering":"n"}`))
	f.Add([]byte(`{"number":1,"kind":"fi\u0000re","place":{"id":"p"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, reason := understand(event.Event{Type: alert.Raised, Data: data}, len(data))
		if strings.ContainsRune(reason, 0) || len(reason) > maxReason {
			t.Errorf("the reason %q cannot be stored", reason)
		}
		if reason != "" {
			return
		}
		key, _ := a.Key()
		for _, s := range []string{key.Numbering, key.Place, string(key.Kind), a.Command} {
			if strings.ContainsRune(s, 0) || len(s) > maxKey {
				t.Errorf("the name %q cannot be stored", s)
			}
		}
		if a.Number > maxNumber || a.Counter > maxNumber {
			t.Error("a number cannot be stored")
		}
	})
}

func TestALargeBatchIsLikeASmallOne(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		w := newWatch()
		s := ready(t, Options{URL: url, Now: w.now})
		var list []Arrival
		for n := range uint64(600) {
			list = append(list, said(school, "e1", n+1, about(alert.Raised, "a1", n+1, stamp(w.now(), "b", time.Duration(n+1), true)), "mqtt", w.now()))
		}
		if r := ingest(t, s, list...); r.New != 600 || r.Receipts[0].Through != 600 {
			t.Errorf("%d new, %+v", r.New, r.Receipts)
		}
		if r := ingest(t, s, list...); r.New != 0 {
			t.Errorf("%d new the second time", r.New)
		}
		line, err := s.Timeline(context.Background(), school, "a1")
		if err != nil || len(line) != 600 || line[599].Event.Ref.Seq != 600 || line[599].Data.Number != 600 {
			t.Errorf("timeline of %d, %v", len(line), err)
		}
	})
}
