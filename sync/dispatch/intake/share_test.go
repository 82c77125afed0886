package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"nabat/sync/dispatch/store"
)

// together submits two lists so that one transaction has both, and returns what
// each caller is told.
func together(t *testing.T, db *gateDB, a, b []store.Arrival) (answers [2]answer) {
	t.Helper()
	db.door, db.began = make(chan struct{}), make(chan struct{}, 100)
	in := New(db, Options{})
	running(t, in)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { _, _, _ = in.Submit(ctx, arrivals(store.Gateway{Site: "school-13", ID: "main"}, 1, 1)) })
	<-db.began
	for i, list := range [][]store.Arrival{a, b} {
		wg.Go(func() {
			x := &answers[i]
			x.receipts, x.refusals, x.err = in.Submit(ctx, list)
		})
		for depth := len(a) + i*len(b); in.Depth() < depth && ctx.Err() == nil; {
			wait(t)
		}
	}
	close(db.door)
	wg.Wait()
	return answers
}

// TestACallersOwnEventsFitIntoItsReceipt: what stands beyond the bound of a
// receipt is cut off by the link, so that no neighbour's may take the place.
func TestACallersOwnEventsFitIntoItsReceipt(t *testing.T) {
	got := together(t, database(t), arrivals(school, 2, 601), arrivals(school, 700, 700))
	for i, x := range got {
		if x.err != nil || len(x.receipts) != 1 {
			t.Fatalf("caller %d: %+v", i, x)
		}
	}
	if above := got[1].receipts[0].Above; len(above) > mostAbove || !slices.Contains(above, 700) {
		t.Errorf("%d numbers, 700 among them: %v", len(above), slices.Contains(above, 700))
	}
}

func TestACallerWithABadEventDoesNotHoldUpAnother(t *testing.T) {
	db := database(t)
	db.fail = func(list []store.Arrival) error {
		if slices.ContainsFunc(list, func(a store.Arrival) bool { return a.Event.Ref.Seq == 1 && a.Gateway == school }) {
			return fmt.Errorf("value out of range: %w", store.ErrInvalid)
		}
		return nil
	}
	got := together(t, db, arrivals(school, 1, 1), arrivals(school, 2, 3))
	if x := got[0]; x.err != nil || len(x.refusals) != 1 {
		t.Errorf("the one: %+v", x)
	}
	if x := got[1]; x.err != nil || len(x.refusals) != 0 || len(x.receipts) != 1 || !slices.Equal(x.receipts[0].Above, []uint64{2, 3}) {
		t.Errorf("the other: %+v", x)
	}
}

// TestAFailureBesideABadEventClaimsNothing: while the events go one by one, the
// database may go away.
func TestAFailureBesideABadEventClaimsNothing(t *testing.T) {
	db := database(t)
	broken := errors.New("disk on fire")
	db.fail = func(list []store.Arrival) error {
		for _, a := range list {
			switch a.Event.Ref.Seq {
			case 2:
				return fmt.Errorf("value out of range: %w", store.ErrInvalid)
			case 3:
				return broken
			}
		}
		return nil
	}
	in := New(db, Options{})
	running(t, in)
	if receipts, _, err := in.Submit(context.Background(), arrivals(school, 1, 3)); !errors.Is(err, broken) || receipts != nil {
		t.Errorf("%v %v", receipts, err)
	}
}
