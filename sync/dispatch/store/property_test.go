package store

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nabat/gateway/alert"
)

// history draws what a gateway said in its life: alerts that are pressed,
// taken, cleared and pressed again, in two epochs.
func drawHistory(t *rapid.T, g Gateway, now time.Time) []Arrival {
	var list []Arrival
	seq := map[string]uint64{}
	number, ids := uint64(0), 0
	current := map[alert.Kind]string{}
	last := map[alert.Kind]uint64{}
	for i := range rapid.IntRange(3, 25).Draw(t, "events") {
		epoch := "e1"
		if i > 12 {
			epoch = "e2"
		}
		seq[epoch]++
		at := stamp(now.Add(time.Duration(i)*time.Second), "b", time.Duration(i)*time.Second, rapid.Bool().Draw(t, "synced"))
		kind := rapid.SampledFrom([]alert.Kind{alert.Fire, alert.Help}).Draw(t, "kind")
		var e alert.Event
		switch what := rapid.SampledFrom([]alert.Type{alert.Raised, alert.Raised, alert.Acknowledged, alert.Cleared, alert.LinkUp}).Draw(t, "type"); {
		case what == alert.LinkUp || what != alert.Raised && current[kind] == "":
			e = alert.Event{Type: alert.LinkUp, At: at}
		case what == alert.Raised:
			number++
			if current[kind] == "" {
				ids++
				current[kind] = fmt.Sprintf("%s-alert-%d", g.ID, ids)
			}
			last[kind] = number
			e = about(alert.Raised, current[kind], number, at)
			e.Kind = kind
		default:
			e = about(what, current[kind], last[kind], at)
			e.Kind = kind
			if what == alert.Cleared {
				current[kind] = ""
			}
		}
		list = append(list, said(g, epoch, seq[epoch], e, rapid.SampledFrom([]string{"mqtt", "http"}).Draw(t, "link"), now))
	}
	return list
}

// TestOrderRepetitionAndSplittingDoNotMatter: whatever way events take through
// two stores of one database at once, the marks, alerts and rows are the same.
func TestOrderRepetitionAndSplittingDoNotMatter(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		w := newWatch()
		stores := []*Store{open(t, Options{URL: url, Now: w.now}), open(t, Options{URL: url, Now: w.now})}
		ctx := context.Background()
		round := 0
		rapid.Check(t, func(t *rapid.T) {
			round++
			g := Gateway{"s", "g" + strconv.Itoa(round)}
			if _, err := stores[0].AddGateway(ctx, g, "", "test"); err != nil {
				t.Fatal(err)
			}
			story := drawHistory(t, g, w.now())
			var want alert.State
			for _, a := range story {
				e, err := a.Event.Alert()
				if err != nil {
					t.Fatal(err)
				}
				want = want.Next(e)
			}
			twice := append(slices.Clone(story), story[:rapid.IntRange(0, len(story)).Draw(t, "again")]...)
			twice = rapid.Permutation(twice).Draw(t, "order")
			var wg sync.WaitGroup
			errs := make(chan error, len(twice))
			for len(twice) > 0 {
				n := rapid.IntRange(1, len(twice)).Draw(t, "batch")
				batch, s := twice[:n], stores[rapid.IntRange(0, 1).Draw(t, "store")]
				twice = twice[n:]
				wg.Go(func() {
					if _, err := s.Ingest(ctx, batch); err != nil {
						errs <- err
					}
				})
			}
			wg.Wait()
			close(errs)
			for err := range errs {
				t.Fatal(err)
			}
			info, err := stores[1].GatewayInfo(ctx, g)
			if err != nil || info.Events != uint64(len(story)) || !info.Forked.IsZero() {
				t.Fatalf("%d events, want %d; forked %v; %v", info.Events, len(story), info.Forked, err)
			}
			for _, epoch := range []string{"e1", "e2"} {
				n := uint64(0)
				for _, a := range story {
					if a.Event.Ref.Epoch == epoch {
						n++
					}
				}
				r, err := stores[0].ReceiptOf(ctx, g, epoch)
				if err != nil || r.Through != n || len(r.Above) != 0 {
					t.Fatalf("epoch %s: %+v, %v; want %d", epoch, r, err, n)
				}
			}
			checkStanding(t, stores[0], g, want)
		})
	})
}

func checkStanding(t *rapid.T, s *Store, g Gateway, want alert.State) {
	list, err := s.OpenAlerts(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var got []alert.Alert
	for _, a := range list {
		if a.Gateway == g {
			got = append(got, a.Alert)
		}
	}
	open := want.Open()
	byID := func(a, b alert.Alert) int { return strings.Compare(a.ID, b.ID) }
	slices.SortFunc(got, byID)
	slices.SortFunc(open, byID)
	if len(got)+len(open) > 0 && !reflect.DeepEqual(got, open) {
		t.Fatalf("open alerts:\n%+v\nwant\n%+v", got, open)
	}
}

// TestManyGatewaysAtOnceDoNotBlockEachOther: transactions over the same
// gateways in any order, from two stores, all come to their end.
func TestManyGatewaysAtOnceDoNotBlockEachOther(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		const gateways, rounds, workers = 12, 8, 4
		w := newWatch()
		stores := []*Store{open(t, Options{URL: url, Now: w.now}), open(t, Options{URL: url, Now: w.now})}
		ctx := context.Background()
		names := make([]Gateway, gateways)
		for i := range names {
			names[i] = Gateway{"s", "g" + strconv.Itoa(i)}
			if _, err := stores[0].AddGateway(ctx, names[i], "", "test"); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		errs := make(chan error, workers*rounds)
		for worker := range workers {
			wg.Go(func() {
				for round := range uint64(rounds) {
					var batch []Arrival
					for i := range names {
						g := names[(i*5+worker*7)%gateways]
						e := about(alert.Raised, g.ID+"-a"+strconv.Itoa(int(round)), round+1, stamp(w.now(), "b", time.Duration(round+1), true))
						batch = append(batch, said(g, "e1", round+1, e, "link"+strconv.Itoa(worker), w.now()))
					}
					if _, err := stores[worker%2].Ingest(ctx, batch); err != nil {
						errs <- err
					}
				}
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			t.Error(err)
		}
		list, err := stores[0].Gateways(ctx)
		if err != nil || len(list) != gateways {
			t.Fatal(len(list), err)
		}
		for _, i := range list {
			if i.Events != rounds || i.Open != 1 {
				t.Errorf("%s has %d events and %d open alerts", i.Gateway, i.Events, i.Open)
			}
		}
		line, err := stores[1].Timeline(ctx, names[3], names[3].ID+"-a2")
		if err != nil || len(line) != 1 || len(line[0].Deliveries) != workers {
			t.Errorf("timeline: %+v, %v", line, err)
		}
	})
}
