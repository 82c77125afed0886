package sms

import (
	"context"
	"database/sql"
	"fmt"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
)

// feedBatch is how many rows of the lane are taken in one transaction.
const feedBatch = 128

// feed carries rows of the alarm lane into the table until ctx ends. It never
// waits for the modem.
func (d *Deliverer) feed(ctx context.Context, st *store) error {
	src := d.o.Alarms.Source
	src.Rewind()
	for {
		appended := d.o.Alarms.Appended()
		rows, err := src.Read(ctx, feedBatch)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the journal: %w", err)
		}
		if len(rows) == 0 {
			d.history = false
			select {
			case <-ctx.Done():
				return nil
			case <-appended:
			}
			continue
		}
		if err := d.takeRows(ctx, st, rows); err != nil {
			return err
		}
	}
}

// takeRows puts rows into the table and passes them. A row that cannot be read
// is parked after those before it were passed.
func (d *Deliverer) takeRows(ctx context.Context, st *store, rows []journal.Row) error {
	good := rows
	var bad error
	for i, r := range rows {
		if _, err := r.Event(); err != nil {
			good, bad = rows[:i], err
			break
		}
	}
	if len(good) > 0 {
		if err := st.transact(ctx, func(tx *sql.Tx) error { return d.takeAll(ctx, tx, good) }); err != nil {
			return fmt.Errorf("%w: %w", errStore, err)
		}
		d.count(ctx, st) // before the lane shows them as passed
		d.o.Alarms.Source.Advance(good[len(good)-1])
		d.nudge()
	}
	if bad == nil {
		return nil
	}
	if err := d.o.Alarms.Source.Park(ctx, rows[len(good)], bad.Error()); err != nil {
		return fmt.Errorf("park a row: %w", err)
	}
	if rest := rows[len(good)+1:]; len(rest) > 0 {
		return d.takeRows(ctx, st, rest)
	}
	return nil
}

func (d *Deliverer) takeAll(ctx context.Context, tx *sql.Tx, rows []journal.Row) error {
	for _, r := range rows {
		e, err := r.Event()
		if err == nil {
			err = d.take(ctx, tx, r.Ref, e)
		}
		if err != nil {
			return fmt.Errorf("take event %s-%d: %w", r.Ref.Epoch, r.Ref.Seq, err)
		}
	}
	return nil
}

// take queues the messages that one event asks for.
func (d *Deliverer) take(ctx context.Context, tx *sql.Tx, ref alert.Ref, e alert.Event) error {
	rises := e.Type == alert.Raised || e.Type == alert.Escalated
	if !rises && e.Type != alert.Cleared || e.Subject == "" {
		return nil
	}
	if rises {
		if err := note(ctx, tx, e.Subject, e.At, e.Number); err != nil {
			return err
		}
	}
	if !d.wanted(e) {
		return nil
	}
	first, last, err := noted(ctx, tx, e.Subject)
	if err != nil {
		return err
	}
	if last == 0 {
		first = e.At
	}
	switch {
	case e.Type == alert.Cleared && e.Number >= last: // a press that came after keeps the alert open
		return d.queueClear(ctx, tx, ref, e, first)
	case e.Type == alert.Escalated && e.Gesture == "" && e.To != "":
		return d.queueAsk(ctx, tx, ref, e, first)
	}
	return nil
}

// wanted reports whether anybody is told of such an event at all.
func (d *Deliverer) wanted(e alert.Event) bool {
	if e.Status == alert.Test || e.Status == alert.Exercise && !d.o.Drills {
		return false
	}
	return !d.history || !d.before(e.At)
}

// before reports whether a moment lies so far before the beginning of the table
// that its events are none of its business: a gateway that gets its first modem
// does not tell of last month. While it reads its first rows, a moment that
// cannot be compared counts as long ago.
func (d *Deliverer) before(at alert.Stamp) bool {
	if at.Boot != d.born.Boot && (!at.Synced || !d.born.Synced) {
		return true
	}
	return d.born.Since(at) > d.o.Stale
}

func (d *Deliverer) queueAsk(ctx context.Context, tx *sql.Tx, ref alert.Ref, e alert.Event, first alert.Stamp) error {
	for _, c := range d.o.Contacts {
		if c.Role != e.To {
			continue
		}
		m := message{ref: ref, recipient: c.ID, class: classAsk, alert: e.Subject, at: e.At, text: d.writer(c).ask(e, first)}
		if err := queue(ctx, tx, m); err != nil {
			return err
		}
	}
	return nil
}

func (d *Deliverer) queueClear(ctx context.Context, tx *sql.Tx, ref alert.Ref, e alert.Event, first alert.Stamp) error {
	recipients, err := told(ctx, tx, e.Subject)
	if err != nil {
		return err
	}
	for _, id := range recipients {
		c, ok := d.contact(id)
		if !ok {
			continue
		}
		m := message{ref: ref, recipient: id, class: classClear, alert: e.Subject, at: e.At, text: d.writer(c).clear(e, first)}
		if err := queue(ctx, tx, m); err != nil {
			return err
		}
	}
	return nil
}

func (d *Deliverer) writer(c Contact) writer { return newWriter(d.o.Site, c.Language) }

func (d *Deliverer) contact(id string) (Contact, bool) {
	for _, c := range d.o.Contacts {
		if c.ID == id {
			return c, true
		}
	}
	return Contact{}, false
}

// nudge wakes the sender.
func (d *Deliverer) nudge() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}
