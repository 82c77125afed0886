package sms

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/warthog618/modem/gsm"

	"nabat/gateway/alert"
)

// maxAttempts is how often a message is tried that the network refuses.
const maxAttempts = 8

// choose returns the next message to be sent. What nobody needs any more is
// taken off on the way, and summaries are queued for what was skipped.
func (d *Deliverer) choose(ctx context.Context, st *store, later map[int64]time.Time) (message, bool, error) {
	for {
		waiting, err := st.waiting(ctx)
		if err != nil {
			return message{}, false, fmt.Errorf("%w: %w", errStore, err)
		}
		now := d.o.Now()
		known := make(map[int64]time.Time, len(later))
		for _, m := range waiting {
			if t, ok := later[m.id]; ok && time.Now().Before(t) {
				known[m.id] = t
			}
			verdict, reason, err := d.look(ctx, st, m, now)
			if err != nil {
				return message{}, false, fmt.Errorf("%w: %w", errStore, err)
			}
			if verdict != stateQueued {
				d.log.Info("a message is not sent", "recipient", m.recipient, "class", m.class, "state", verdict, "reason", reason)
				if err := st.end(ctx, m, verdict, reason); err != nil {
					return message{}, false, fmt.Errorf("%w: %w", errStore, err)
				}
				delete(known, m.id)
				continue
			}
			if time.Now().Before(later[m.id]) {
				continue
			}
			full, err := d.full(ctx, st, m.recipient, now)
			if err != nil {
				return message{}, false, fmt.Errorf("%w: %w", errStore, err)
			}
			if !full {
				return m, true, nil
			}
		}
		clear(later)
		for id, t := range known {
			later[id] = t
		}
		more, err := d.summaries(ctx, st, now)
		if err != nil || !more {
			return message{}, false, err
		}
	}
}

// look decides whether a waiting message is still wanted: stateQueued when it is.
func (d *Deliverer) look(ctx context.Context, st *store, m message, now alert.Stamp) (state, string, error) {
	if _, ok := d.contact(m.recipient); !ok {
		return stateFailed, "the recipient is not configured any more", nil
	}
	if m.class != classSummary && now.Since(m.at) > d.o.Stale {
		return stateStale, "too old when it could be sent", nil
	}
	switch m.class {
	case classAsk:
		if a, found := d.o.Alert(m.alert); found && (!a.Open() || a.Accepted()) {
			return stateSettled, "the alert is closed or taken", nil
		}
	case classClear:
		was, err := st.wasTold(ctx, m.alert, m.recipient)
		if err != nil {
			return "", "", err
		}
		if !was {
			return stateSettled, "the recipient had not been told of the alert", nil
		}
	case classSummary:
	}
	return stateQueued, "", nil
}

// full reports whether a recipient has had all messages of this hour. A moment
// of another boot that cannot be compared counts as recent.
func (d *Deliverer) full(ctx context.Context, st *store, recipient string, now alert.Stamp) (bool, error) {
	handed, err := st.handedLast(ctx, recipient, d.o.PerHour)
	if err != nil || len(handed) < d.o.PerHour {
		return false, err
	}
	return now.Since(handed[len(handed)-1]) < time.Hour, nil
}

// summaries queues the summaries that are owed, and reports whether there were any.
func (d *Deliverer) summaries(ctx context.Context, st *store, now alert.Stamp) (bool, error) {
	owed, err := st.owed(ctx)
	if err != nil {
		return false, fmt.Errorf("%w: %w", errStore, err)
	}
	for _, m := range owed {
		c, ok := d.contact(m.recipient)
		if ok {
			err = st.summarise(ctx, m, d.writer(c).summary(m, d.stillOpen(m.alerts)), now)
		} else {
			err = st.waive(ctx, m)
		}
		if err != nil {
			return false, fmt.Errorf("%w: %w", errStore, err)
		}
	}
	return len(owed) > 0, nil
}

// stillOpen returns those alerts that are open and that nobody has taken.
func (d *Deliverer) stillOpen(ids []string) []alert.Alert {
	seen := make(map[string]bool)
	var open []alert.Alert
	for _, id := range ids {
		if a, found := d.o.Alert(id); found && !seen[id] && a.Open() && !a.Accepted() {
			open = append(open, a)
		}
		seen[id] = true
	}
	return open
}

// send gives a message to the modem, part by part. An error ends the session.
func (d *Deliverer) send(ctx context.Context, m *modem, st *store, msg message, later map[int64]time.Time) error {
	// What happens to a message is written down whatever ends.
	keep := context.WithoutCancel(ctx)
	c, _ := d.contact(msg.recipient)
	log := d.log.With("recipient", c.ID, "number", tail(c.Number), "class", msg.class, "message", msg.id)
	parts, err := encode(c.Number, msg.text, int(msg.id))
	if err != nil {
		log.Error("a message cannot be encoded", "error", err)
		return storeError(st.end(keep, msg, stateFailed, err.Error()))
	}
	for ; msg.part < len(parts); msg.part++ {
		if err := st.hand(keep, msg, d.o.Now()); err != nil {
			return storeError(err)
		}
		err := m.submit(ctx, parts[msg.part])
		if err != nil && !errors.Is(err, gsm.ErrMalformedResponse) { // which came with an OK
			log.Warn("a message was not taken", "part", msg.part+1, "of", len(parts), "error", err)
			return d.refused(keep, m, st, msg, later, err)
		}
	}
	log.Info("a message was sent", "parts", len(parts))
	d.o.Health.Clear(conditionRefused + c.ID)
	return storeError(st.end(keep, msg, stateSent, ""))
}

// refused notes what an error means for a message. An error that the modem has
// not put into words ends the session, because answers may be out of step.
func (d *Deliverer) refused(ctx context.Context, m *modem, st *store, msg message, later map[int64]time.Time, cause error) error {
	switch judge(cause) {
	case refusedForGood:
		return d.give(ctx, st, msg, cause)
	case refusedNow:
		if msg.attempts+1 >= maxAttempts {
			return d.give(ctx, st, msg, cause)
		}
		later[msg.id] = time.Now().Add(d.o.Timing.Again << min(msg.attempts, 5))
		return storeError(st.again(ctx, msg, cause.Error()))
	case refusedPerhaps:
		return storeError(st.end(ctx, msg, stateUnknown, cause.Error()))
	case notRefused:
	}
	// Once the end of the message is on the line, only the modem knows.
	if m.port.gave() {
		return errors.Join(cause, storeError(st.end(ctx, msg, stateUnknown, "no answer after the hand-over: "+cause.Error())))
	}
	return errors.Join(cause, storeError(st.again(ctx, msg, "never handed over: "+cause.Error())))
}

// give gives up on a message, and says so until one gets through.
func (d *Deliverer) give(ctx context.Context, st *store, msg message, cause error) error {
	d.o.Health.Set(conditionRefused+msg.recipient, "the network refused a message to this contact ("+cause.Error()+"): check the number in [[contact]], and whether the SIM card may send there")
	return storeError(st.end(ctx, msg, stateFailed, cause.Error()))
}

func storeError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errStore, err)
}
