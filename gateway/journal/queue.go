package journal

import (
	"fmt"
	"time"

	"nabat/gateway/alert"
)

// item is one event on its way to the disk.
type item struct {
	event alert.Event
	row   Row
	done  func(alert.Ref, error)
}

// order is one row that a consumer gives up on.
type order struct {
	key    cursorKey
	row    Row
	reason string
	done   chan<- error // buffered by one; nil when nobody waits
}

// queue is what waits for the writer. Journal.mu guards it.
type queue struct {
	lanes   [lanes][]item
	parks   []order
	refused []func()      // each tells one caller
	lost    [lanes]uint64 // refused since the last gap that was written down
	hold    time.Time     // no gap is written down before; a loss must not chase its own tail
}

// refuse remembers to tell a caller that its event is not recorded.
func (q *queue) refuse(err error, done func(alert.Ref, error)) {
	if done != nil {
		q.refused = append(q.refused, func() { done(alert.Ref{}, err) })
	}
}

// answer tells whoever waits for the order.
func (o order) answer(err error) {
	if o.done != nil {
		o.done <- err
	}
}

// batch is what one transaction commits.
type batch struct {
	items []item
	parks []order
	// late are rows that have their identity already.
	late []lateRow
	// also is more work for the same transaction; may be nil.
	also func(*store) error
	// epoch, through and ends say how far the database comes with this
	// transaction, so that its outcome can be looked up after an error that
	// did not tell.
	epoch   string
	through uint64
	ends    [lanes]int64
	// state and refs are what the alerts become with this batch.
	state   alert.State
	changed map[alert.Key]alert.Ref
	marks   map[cursorKey]int64
}

func (b *batch) empty() bool { return len(b.items) == 0 && len(b.parks) == 0 }

// maxBatch bounds a transaction, so that an alarm that comes during one does
// not wait long for the next.
const maxBatch = 256

// take moves what waits into a batch: alarms first. It also returns whom to
// tell that their event was refused.
func (q *queue) take(now func() alert.Stamp) (b *batch, refused []func()) {
	b = &batch{}
	for l := range q.lanes {
		n := min(len(q.lanes[l]), maxBatch-len(b.items))
		b.items = append(b.items, q.lanes[l][:n]...)
		q.lanes[l] = cut(q.lanes[l], n)
	}
	n := min(len(q.parks), maxBatch)
	b.parks = append(b.parks, q.parks[:n]...)
	q.parks = cut(q.parks, n)
	for _, p := range b.parks {
		ref := p.row.Ref
		b.items = append(b.items, own(alert.Event{
			Type: alert.JournalParked, Subject: p.key.consumer + "/" + p.key.lane.String(), At: now(),
			From: &ref, Through: &ref, Count: 1, Detail: p.reason,
		}))
	}
	for l, lost := range q.lost {
		if lost > 0 && !time.Now().Before(q.hold) {
			q.lost[l] = 0
			b.items = append(b.items, own(alert.Event{
				Type: alert.JournalGap, Subject: Lane(l).String(), At: now(), Count: lost,
				Detail: fmt.Sprintf("%d %s events were not recorded because the disk did not keep up", lost, Lane(l)),
			}))
		}
	}
	refused, q.refused = q.refused, nil
	return b, refused
}

// own makes an item of an event of the journal itself, which always encodes:
// it has no level, and its texts are short.
func own(e alert.Event) item {
	row, _ := newRow(e)
	return item{event: e, row: row}
}

// cut removes the first n elements and lets their memory go.
func cut[T any](s []T, n int) []T {
	if n == len(s) {
		return nil
	}
	clear(s[:n])
	return s[n:]
}
