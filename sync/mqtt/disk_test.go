package mqtt

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
	"nabat/sync/cursor"
	"nabat/sync/mqtt/brokertest"
)

// fullDisk is a real cursor whose journal cannot park while full is set.
type fullDisk struct {
	cursor.Source
	full  atomic.Bool
	tried atomic.Int32
}

func (f *fullDisk) Park(ctx context.Context, row journal.Row, reason string) error {
	f.tried.Add(1)
	if f.full.Load() {
		return errors.New("no space left on device")
	}
	return f.Source.Park(ctx, row, reason)
}

func TestALinkIsNotCalledDownForAFullDisk(t *testing.T) {
	var disk fullDisk
	disk.full.Store(true)
	s := newScene(t, brokertest.Options{}, func(o *Options) {
		o.MaxEvent = 20_000
		disk.Source, o.Routine.Source = o.Routine.Source, &disk
	})
	s.d.join()
	s.g.start()
	s.flowing()
	s.g.j.Append(alert.Event{Type: alert.PointFault, Detail: strings.Repeat("x", 30_000)}, nil)
	until(t, "parking was tried again and again", func() bool { return disk.tried.Load() >= 3 })
	s.g.feed(alert.Raised, 1)
	disk.full.Store(false)
	s.d.complete(s.g, 1)
	if s.g.holds(conditionDown) || strings.Contains(s.g.log.String(), "link is down") {
		t.Errorf("our own disk was taken for trouble of the link:\n%s", s.g.log)
	}
}
