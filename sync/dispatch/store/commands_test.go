package store

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/sync/command"
	"nabat/sync/event"
)

// stampSigner "signs" by writing the counter: real signatures have tests of
// their own, here only what is signed when matters.
type stampSigner struct{}

func (stampSigner) Sign(c command.Claims) (string, error) {
	return c.ID + "#" + strconv.FormatUint(c.Counter, 10) + "#" + c.Challenge, nil
}

func TestALifeOfCommands(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		ctx := context.Background()
		w := newWatch()
		s := ready(t, Options{URL: url, Now: w.now})
		word := Word{Gateway: school, Link: "mqtt", At: w.now(), Status: event.Status{Online: true, Session: "s1", Counter: 41, Challenge: "fresh", Clock: event.Clock{Synced: true}}}
		if _, err := s.Heard(ctx, word); err != nil {
			t.Fatal(err)
		}
		issue := func(id string) Command {
			t.Helper()
			c, err := s.Issue(ctx, school, command.Claims{ID: id, Verb: command.Acknowledge, Alert: "a1"}, "anna", stampSigner{})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		one, two := issue("c1"), issue("")
		if one.Claims.Counter != 42 || two.Claims.Counter != 43 || one.JWS != "c1#42#fresh" || one.Claims.Audience != "school-12/main" || two.Claims.ID == "" {
			t.Errorf("issued %+v %+v", one, two)
		}
		if _, err := s.Issue(ctx, school, command.Claims{ID: "c1", Verb: command.Clear}, "anna", stampSigner{}); !errors.Is(err, ErrExists) {
			t.Errorf("an id twice: %v", err)
		}
		list, err := s.Commands(ctx, school, 42)
		if err != nil || len(list) != 1 || list[0].Claims.ID != two.Claims.ID {
			t.Errorf("after 42: %+v, %v", list, err)
		}
		// One publisher has them, another does not get them in the meantime.
		if list, err = s.Unpublished(ctx, time.Minute, 10); err != nil || len(list) != 2 {
			t.Errorf("unpublished: %d, %v", len(list), err)
		}
		if list, err := s.Unpublished(ctx, time.Minute, 10); err != nil || len(list) != 0 {
			t.Errorf("leased: %d, %v", len(list), err)
		}
		if err := s.Published(ctx, school, "c1", 42); err != nil {
			t.Fatal(err)
		}
		w.add(2 * time.Minute)
		if list, err = s.Unpublished(ctx, time.Minute, 10); err != nil || len(list) != 1 || list[0].Claims.ID != two.Claims.ID {
			t.Errorf("the lease has ended: %+v, %v", list, err)
		}
		word.At = w.now()
		if h, err := s.Heard(ctx, word); err != nil || h.Pending != 2 {
			t.Errorf("pending: %+v, %v", h, err)
		}
		if list, err = s.ReissueDue(ctx, w.now().Add(-15*time.Second), stampSigner{}); err != nil || len(list) != 2 || list[0].Claims.Counter != 44 || list[0].Claims.ID != "c1" {
			t.Errorf("reissued: %+v, %v", list, err)
		}
		answer := func(seq uint64, typ alert.Type, id string, counter uint64) {
			t.Helper()
			ingest(t, s, said(school, "e1", seq, alert.Event{Type: typ, Command: id, Counter: counter, Detail: "no", At: stamp(w.now(), "b", 1, true)}, "mqtt", w.now()))
		}
		state := func(id string) Command {
			t.Helper()
			list, err := s.CommandsOf(ctx, school, "", 10)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(list, func(c Command) bool { return c.Claims.ID == id })
			return list[i]
		}
		answer(1, alert.CommandRefused, "c1", 42)
		if c := state("c1"); c.State != CommandPending {
			t.Errorf("the refusal of an older form counts: %+v", c)
		}
		answer(2, alert.CommandRefused, "c1", 44)
		if c := state("c1"); c.State != CommandRefused || c.Reason != "no" || c.Answered.IsZero() {
			t.Errorf("refused: %+v", c)
		}
		answer(3, alert.CommandAccepted, "c1", 42)
		answer(4, alert.CommandRefused, "c1", 99)
		if c := state("c1"); c.State != CommandAccepted {
			t.Errorf("what was done was done: %+v", c)
		}
		w.add(time.Hour)
		if c := state(two.Claims.ID); c.State != CommandExpired {
			t.Errorf("expired: %+v", c)
		}
		if list, err := s.Commands(ctx, school, 0); err != nil || len(list) != 0 {
			t.Errorf("nothing waits any more: %+v, %v", list, err)
		}
	})
}

func TestCountersNeverMeet(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		ctx := context.Background()
		stores := []*Store{ready(t, Options{URL: url}), open(t, Options{URL: url})}
		var wg sync.WaitGroup
		var mu sync.Mutex
		seen := make(map[uint64]bool)
		for i := range 4 {
			wg.Go(func() {
				for range 5 {
					c, err := stores[i%2].Issue(ctx, school, command.Claims{Verb: command.Announce}, "anna", stampSigner{})
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if seen[c.Claims.Counter] {
						t.Errorf("counter %d twice", c.Claims.Counter)
					}
					seen[c.Claims.Counter] = true
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if n, err := stores[0].VerifyAudit(ctx); err != nil || n != 21 {
			t.Errorf("audit %d, %v", n, err)
		}
	})
}

func TestTheOutboxGivesEachEventToOne(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		ctx := context.Background()
		w := newWatch()
		opt := Options{URL: url, Now: w.now, Webhooks: []string{"city"}}
		s, other := ready(t, opt), open(t, opt)
		at := stamp(w.now(), "b", 1, true)
		ingest(t, s, said(school, "e1", 1, about(alert.Raised, "a1", 1, at), "mqtt", w.now()), said(school, "e1", 2, about(alert.Cleared, "a1", 1, at), "mqtt", w.now()),
			said(school, "e1", 3, about(alert.Raised, "a2", 2, at), "mqtt", w.now()), said(school, "e1", 4, alert.Event{Type: alert.LinkUp, At: at}, "mqtt", w.now()))
		claim := func(s *Store, want ...string) []Outgoing {
			t.Helper()
			list, err := s.Claim(ctx, "city", time.Minute, 10)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range list {
				e, err := event.Decode(o.Event)
				if err != nil || o.Gateway != school {
					t.Error(o, err)
				}
				got = append(got, e.ID())
			}
			if !slices.Equal(got, want) {
				t.Errorf("claimed %v, want %v", got, want)
			}
			return list
		}
		first := claim(s, "e1-1", "e1-3")
		claim(other)
		if err := s.Done(ctx, first[0].ID); err != nil {
			t.Fatal(err)
		}
		if err := s.Failed(ctx, first[1].ID, "503", w.now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		second := claim(other, "e1-2")
		w.add(2 * time.Hour)
		claim(s, "e1-2", "e1-3") // the lease of one ended, the other is due again
		if err := s.Failed(ctx, second[0].ID, "410", time.Time{}); err != nil {
			t.Fatal(err)
		}
		if x, err := s.Stats(ctx); err != nil || x.OutboxWaiting != 1 || x.OutboxGivenUp != 1 {
			t.Errorf("stats %+v, %v", x, err)
		}
	})
}

func TestTeamsTakesAndHistory(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		ctx := context.Background()
		w := newWatch()
		s := ready(t, Options{URL: url, Now: w.now})
		for n := range uint64(5) {
			id := "a" + strconv.FormatUint(n+1, 10)
			at := stamp(w.now(), "b", time.Duration(n+1), true)
			ingest(t, s, said(school, "e1", 2*n+1, about(alert.Raised, id, n+1, at), "mqtt", w.now()))
			if n < 4 {
				ingest(t, s, said(school, "e1", 2*n+2, about(alert.Cleared, id, n+1, at), "mqtt", w.now()))
			}
			w.add(time.Minute)
		}
		team, err := s.PutTeam(ctx, Team{Name: "Car 7", Phone: "+7 700"}, "anna")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.PutTeam(ctx, Team{Name: "Car 7"}, "anna"); !errors.Is(err, ErrExists) {
			t.Errorf("a name twice: %v", err)
		}
		if err := s.Assign(ctx, school, "a5", team, w.now().Add(time.Minute), "anna"); err != nil {
			t.Fatal(err)
		}
		if err := s.Assign(ctx, school, "none", team, time.Time{}, "anna"); !errors.Is(err, ErrNotFound) {
			t.Errorf("an unknown alert: %v", err)
		}
		if err := s.TeamArrived(ctx, school, "a5", team, "anna"); err != nil {
			t.Fatal(err)
		}
		open, err := s.OpenAlerts(ctx)
		if err != nil || len(open) != 1 || len(open[0].Teams) != 1 || open[0].Teams[0].Team.Name != "Car 7" || open[0].Teams[0].Arrived.IsZero() {
			t.Errorf("open: %+v, %v", open, err)
		}
		name := AlertName{school, "a5"}
		if x, err := s.Take(ctx, name, 5, "anna"); err != nil || x.By != "anna" {
			t.Errorf("take: %+v, %v", x, err)
		}
		if x, err := s.Take(ctx, name, 5, "boris"); err != nil || x.By != "anna" {
			t.Errorf("taken already: %+v, %v", x, err)
		}
		if x, err := s.Take(ctx, name, 6, "boris"); err != nil || x.By != "boris" {
			t.Errorf("a later press: %+v, %v", x, err)
		}
		if m, err := s.Takes(ctx, name, AlertName{school, "a1"}); err != nil || len(m) != 1 || m[name].Number != 6 {
			t.Errorf("takes: %+v, %v", m, err)
		}
		var ids []string
		f := Filter{Limit: 2, Status: alert.Actual, Kind: alert.Intruder, Site: school.Site, ID: school.ID, From: w.now().Add(-time.Hour), To: w.now()}
		for {
			p, err := s.History(ctx, f)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range p.Alerts {
				ids = append(ids, a.ID)
				if a.Stands != (a.ID == "a5") || a.Stands != a.Open() {
					t.Errorf("%s stands: %v", a.ID, a.Stands)
				}
			}
			if f.Before = p.Next; p.Next == 0 {
				break
			}
		}
		if !slices.Equal(ids, []string{"a5", "a4", "a3", "a2", "a1"}) {
			t.Errorf("history: %v", ids)
		}
		if p, err := s.History(ctx, Filter{Status: alert.Exercise}); err != nil || len(p.Alerts) != 0 {
			t.Errorf("no drill: %+v, %v", p, err)
		}
		n := 0
		for _, err := range s.ExportAlerts(ctx, Filter{}) {
			if err != nil {
				t.Error(err)
			}
			n++
		}
		if n != 5 {
			t.Errorf("%d alerts exported", n)
		}
	})
}

func TestPrunedEventsAreStillKnown(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		ctx := context.Background()
		w := newWatch()
		s := ready(t, Options{URL: url, Now: w.now})
		at := stamp(w.now(), "b", 1, true)
		first := w.now()
		old := []Arrival{said(school, "e1", 1, about(alert.Raised, "a1", 1, at), "mqtt", w.now()), said(school, "e1", 2, about(alert.Cleared, "a1", 1, at), "mqtt", w.now()),
			said(school, "e1", 3, alert.Event{Type: alert.LinkUp, At: at}, "mqtt", w.now()), said(school, "e1", 4, about(alert.Raised, "a2", 2, at), "mqtt", w.now())}
		ingest(t, s, old...)
		count := func() (n int) {
			t.Helper()
			for x, err := range s.ExportEvents(ctx, first, time.Time{}) {
				if err != nil || x.Gateway != school {
					t.Fatal(x, err)
				}
				n++
			}
			return n
		}
		if n := count(); n != 4 {
			t.Errorf("%d events exported", n)
		}
		w.add(time.Hour)
		n, err := s.Prune(ctx, w.now(), w.now())
		if err != nil || n != 3 || count() != 1 {
			t.Errorf("pruned %d, %v; %d are left", n, err, count())
		}
		if r := ingest(t, s, old...); r.New != 0 || r.Receipts[0].Through != 4 || count() != 1 {
			t.Errorf("a repetition after pruning: %+v", r)
		}
		if a, err := s.Alert(ctx, school, "a1"); err != nil || a.Stands || a.Cleared.Outcome != alert.Resolved {
			t.Errorf("the alert stays: %+v, %v", a, err)
		}
	})
}
