package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
	"nabat/sync/dispatch/store"
	"nabat/sync/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var school = store.Gateway{Site: "school-12", ID: "main"}

func arrival(g store.Gateway, seq uint64) store.Arrival {
	data, _ := json.Marshal(alert.Event{Detail: "x"})
	raw := event.Append(nil, event.Source(g.Site, g.ID), journal.Row{Ref: alert.Ref{Epoch: "e1", Seq: seq}, Type: alert.LinkUp, Data: data})
	e, err := event.Decode(raw)
	if err != nil {
		panic(err)
	}
	return store.Arrival{Gateway: g, Event: e, Raw: raw, Link: "mqtt", At: time.Now()}
}

func arrivals(g store.Gateway, from, to uint64) (list []store.Arrival) {
	for n := from; n <= to; n++ {
		list = append(list, arrival(g, n))
	}
	return list
}

// gateDB is a real database whose door can be shut, and that can be made to
// fail: a disk or server does neither on command. It counts transactions.
type gateDB struct {
	*store.Store
	mu    sync.Mutex
	calls []int
	fail  func([]store.Arrival) error
	door  chan struct{} // where not nil, each transaction takes one first
	began chan struct{} // where not nil, told when a transaction comes to the door
}

func (f *gateDB) Ingest(ctx context.Context, list []store.Arrival) (store.Result, error) {
	f.mu.Lock()
	f.calls = append(f.calls, len(list))
	fail := f.fail
	f.mu.Unlock()
	if f.began != nil {
		f.began <- struct{}{}
	}
	if f.door != nil {
		select {
		case <-f.door:
		case <-ctx.Done():
			return store.Result{}, ctx.Err()
		}
	}
	if fail != nil {
		if err := fail(list); err != nil {
			return store.Result{}, err
		}
	}
	return f.Store.Ingest(ctx, list)
}

func (f *gateDB) sizes() []int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

func database(t *testing.T) *gateDB {
	t.Helper()
	s, err := store.Open(context.Background(), store.Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "d.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for _, g := range []store.Gateway{school, {Site: "school-13", ID: "main"}} {
		if _, err := s.AddGateway(context.Background(), g, "", "test"); err != nil {
			t.Fatal(err)
		}
	}
	return &gateDB{Store: s}
}

// running runs an intake until the test ends.
func running(t *testing.T, in *Intake) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func TestWhatArrivesDuringACommitGoesTogether(t *testing.T) {
	db := database(t)
	db.door, db.began = make(chan struct{}), make(chan struct{}, 100)
	in := New(db, Options{})
	running(t, in)
	other := store.Gateway{Site: "school-13", ID: "main"}
	var wg sync.WaitGroup
	defer wg.Wait()
	submit := func(list []store.Arrival, want uint64) {
		wg.Go(func() {
			receipts, refused, err := in.Submit(context.Background(), list)
			if err != nil || len(refused) != 0 || len(receipts) != 1 || receipts[0].Gateway != list[0].Gateway || receipts[0].Through < want {
				t.Errorf("%v %v %v", receipts, refused, err)
			}
		})
	}
	submit(arrivals(school, 1, 1), 1)
	<-db.began
	for n := range uint64(20) {
		submit(arrivals(school, n+2, n+2), 0)
		submit(arrivals(other, 3*n+1, 3*n+3), 0)
	}
	for in.Depth() < 80 {
		wait(t)
	}
	db.door <- struct{}{}
	<-db.began
	db.door <- struct{}{}
	wg.Wait()
	if got := db.sizes(); !slices.Equal(got, []int{1, 80}) {
		t.Errorf("transactions of %v events, want 1 and then all 80", got)
	}
}

// wait lets others run for a moment.
func wait(t *testing.T) {
	t.Helper()
	select {
	case <-time.After(time.Millisecond):
	case <-t.Context().Done():
		t.Fatal("the test has ended")
	}
}

func TestAFailedCommitClaimsNothing(t *testing.T) {
	db := database(t)
	broken := errors.New("disk on fire")
	db.fail = func([]store.Arrival) error { return broken }
	in := New(db, Options{})
	running(t, in)
	receipts, refused, err := in.Submit(context.Background(), arrivals(school, 1, 3))
	if !errors.Is(err, broken) || receipts != nil || refused != nil {
		t.Errorf("%v %v %v", receipts, refused, err)
	}
	db.mu.Lock()
	db.fail = nil
	db.mu.Unlock()
	if receipts, _, err = in.Submit(context.Background(), arrivals(school, 1, 3)); err != nil || len(receipts) != 1 || receipts[0].Through != 3 {
		t.Errorf("afterwards: %v %v", receipts, err)
	}
}

func TestOneThatTheDatabaseRefusesDoesNotHoldUpTheOthers(t *testing.T) {
	db := database(t)
	db.fail = func(list []store.Arrival) error {
		for _, a := range list {
			if a.Event.Ref.Seq == 2 {
				return fmt.Errorf("value out of range: %w", store.ErrInvalid)
			}
		}
		return nil
	}
	in := New(db, Options{})
	running(t, in)
	receipts, refused, err := in.Submit(context.Background(), arrivals(school, 1, 4))
	if err != nil || len(refused) != 1 || refused[0].ID != "e1-2" || refused[0].Kept || len(receipts) != 1 || receipts[0].Through != 1 || !slices.Equal(receipts[0].Above, []uint64{3, 4}) {
		t.Errorf("%v %v %v", receipts, refused, err)
	}
}

func TestTheQueueIsBounded(t *testing.T) {
	db := database(t)
	db.door, db.began = make(chan struct{}), make(chan struct{}, 100)
	in := New(db, Options{Queue: 10, Batch: 4})
	running(t, in)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(db.door)
	for n := range uint64(3) {
		wg.Go(func() {
			if _, _, err := in.Submit(context.Background(), arrivals(school, 4*n+1, 4*n+4)); err != nil {
				t.Error(err)
			}
		})
		if n == 0 {
			<-db.began // it is out of the queue
		}
	}
	for in.Depth() < 8 {
		wait(t)
	}
	// Without the bound it would wait for the door that this test holds shut.
	bounded, end := context.WithTimeout(context.Background(), time.Minute)
	defer end()
	if _, _, err := in.Submit(bounded, arrivals(school, 100, 103)); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := in.Submit(ctx, arrivals(school, 100, 101)); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that does not wait: %v", err)
	}
}

func TestWhatWaitsIsCommittedAtTheEnd(t *testing.T) {
	db := database(t)
	in := New(db, Options{Batch: 5})
	var wg sync.WaitGroup
	defer wg.Wait()
	for n := range uint64(10) {
		wg.Go(func() {
			if _, _, err := in.Submit(context.Background(), arrivals(school, 2*n+1, 2*n+2)); err != nil {
				t.Error(err)
			}
		})
	}
	for in.Depth() < 20 {
		wait(t)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := in.Run(ctx); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if r, err := db.ReceiptOf(context.Background(), school, "e1"); err != nil || r.Through != 20 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, _, err := in.Submit(context.Background(), arrivals(school, 21, 21)); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

func TestACallerSeesAllItsOwnEventsAboveTheMark(t *testing.T) {
	db := database(t)
	in := New(db, Options{})
	running(t, in)
	receipts, _, err := in.Submit(context.Background(), arrivals(school, 2, 1500))
	if err != nil || len(receipts) != 1 || receipts[0].Through != 0 || len(receipts[0].Above) != 1499 {
		t.Fatalf("%d receipts, %v", len(receipts), err)
	}
	receipts, _, err = in.Submit(context.Background(), arrivals(school, 5000, 5000))
	if err != nil || !slices.Contains(receipts[0].Above, 5000) || len(receipts[0].Above) != mostAbove {
		t.Errorf("%v, %v", receipts, err)
	}
}

func BenchmarkSubmit(b *testing.B) {
	s, err := store.Open(context.Background(), store.Options{URL: "sqlite:" + filepath.Join(b.TempDir(), "d.db")})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, err := s.AddGateway(context.Background(), school, "", "test"); err != nil {
		b.Fatal(err)
	}
	in := New(s, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx) }()
	var mu sync.Mutex
	seq := uint64(0)
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			mu.Lock()
			seq++
			n := seq
			mu.Unlock()
			if _, _, err := in.Submit(context.Background(), arrivals(school, n, n)); err != nil {
				b.Error(strconv.FormatUint(n, 10), err)
			}
		}
	})
	cancel()
	<-ended
}
