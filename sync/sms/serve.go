package sms

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// Conditions of the modem. At most one of the first group holds at a time.
const (
	conditionAbsent       = "sms-modem-absent"
	conditionSilent       = "sms-modem-silent"
	conditionSIM          = "sms-sim"
	conditionPIN          = "sms-pin"
	conditionUnregistered = "sms-not-registered"

	conditionSignal  = "sms-signal"
	conditionStore   = "sms-store"
	conditionRefused = "sms-refused:" // and the contact's id
)

func modemConditions() []string {
	return []string{conditionAbsent, conditionSilent, conditionSIM, conditionPIN, conditionUnregistered}
}

// trouble is why the modem cannot be used now: a condition and what to do.
type trouble struct {
	condition string
	remedy    string
	err       error
}

// Error implements error.
func (t *trouble) Error() string { return t.remedy + ": " + t.err.Error() }

// Unwrap returns the cause.
func (t *trouble) Unwrap() error { return t.err }

// serve keeps a session with the modem until ctx ends. It returns an error only
// when the table fails.
func (d *Deliverer) serve(ctx context.Context, st *store) error {
	said := ""
	for ctx.Err() == nil {
		err := d.session(ctx, st)
		d.setReady(false)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, errStore) {
			return err
		}
		t := asTrouble(err)
		d.show(t)
		if said != t.condition {
			d.log.Warn("no text messages for now", "condition", t.condition, "error", err)
			said = t.condition
		}
		wait(ctx, d.o.Timing.Reopen)
	}
	return nil
}

func asTrouble(err error) *trouble {
	var t *trouble
	if errors.As(err, &t) {
		return t
	}
	return &trouble{conditionSilent, "the modem has stopped answering; unplug it and plug it in again if that lasts", err}
}

// show makes the modem's one condition hold; nil ends them all.
func (d *Deliverer) show(t *trouble) {
	for _, c := range modemConditions() {
		if t != nil && c == t.condition {
			d.o.Health.Set(c, t.Error())
		} else {
			d.o.Health.Clear(c)
		}
	}
}

// session opens the modem, makes it ready and sends until something ends it.
func (d *Deliverer) session(ctx context.Context, st *store) (err error) {
	m, err := openModem(ctx, d.o.Device, d.o.Baud, d.o.Timing)
	switch {
	case errors.Is(err, errSilent):
		return &trouble{conditionSilent, "the modem does not answer; check its power and that " + d.o.Device + " is its command port (many have several)", err}
	case err != nil:
		return &trouble{conditionAbsent, "the modem is not there; plug it in, and check [sms] device and the rights of the gateway's user (group dialout)", err}
	}
	defer func() { err = errors.Join(err, m.close()) }()
	if err := d.unlock(ctx, m, st); err != nil {
		return err
	}
	if _, err := m.command(ctx, "+CMGF=0"); err != nil {
		return &trouble{conditionSilent, "the modem knows no PDU mode; use another modem", err}
	}
	for {
		ok, err := d.inNetwork(ctx, m)
		if err != nil {
			return err
		}
		if ok {
			break
		}
		wait(ctx, d.o.Timing.Register)
		if ctx.Err() != nil {
			return nil
		}
	}
	d.show(nil)
	d.log.Info("text messages can be sent")
	d.setReady(true)
	return d.drain(ctx, m, st)
}

// inNetwork looks at registration and signal, and shows what is wrong.
func (d *Deliverer) inNetwork(ctx context.Context, m *modem) (bool, error) {
	text, err := m.ask(ctx, "+CREG")
	if err != nil {
		return false, err
	}
	ok := registered(text)
	if !ok { // a modem that knows LTE only is registered there alone
		if lte, err := m.ask(ctx, "+CEREG"); err == nil {
			ok = registered(lte)
		}
	}
	if !ok {
		t := &trouble{conditionUnregistered, "the modem searches for a network; check the antenna and where the modem stands", fmt.Errorf("+CREG: %.32q", text)}
		if denied(text) {
			t.remedy = "the network refuses the SIM card; check that it is paid and not blocked"
		}
		d.show(t)
		return false, nil
	}
	lines, err := m.command(ctx, "+CSQ")
	if err != nil {
		return false, err
	}
	if text, err := answer(lines, "+CSQ"); err == nil && weak(text) {
		d.o.Health.Set(conditionSignal, fmt.Sprintf("the signal is weak (+CSQ: %.16q): messages may not get out; move the antenna", text))
	} else {
		d.o.Health.Clear(conditionSignal)
	}
	return true, nil
}

// drain sends what waits until the modem, the table or ctx ends it.
func (d *Deliverer) drain(ctx context.Context, m *modem, st *store) error {
	later := make(map[int64]time.Time) // messages that were refused, and when they come again
	poll := time.NewTicker(d.o.Timing.Poll)
	defer poll.Stop()
	for ctx.Err() == nil {
		msg, found, err := d.choose(ctx, st, later)
		if err != nil {
			return err
		}
		d.count(ctx, st)
		if found {
			if err := d.send(ctx, m, st, msg, later); err != nil {
				return err
			}
			select {
			case <-poll.C: // also while there is much to send
			default:
				continue
			}
		} else {
			select {
			case <-ctx.Done():
				return nil
			case <-m.at.Closed():
				return &trouble{conditionAbsent, "the modem was unplugged; plug it in again", os.ErrClosed}
			case <-d.wake:
				continue
			case <-d.due(later):
				continue
			case <-poll.C:
			}
		}
		ok, err := d.inNetwork(ctx, m)
		if err != nil {
			return err
		}
		if !ok {
			return &trouble{conditionUnregistered, "the modem has lost the network; check the antenna", errors.New("not registered")}
		}
	}
	return nil
}

// due returns a channel that tells when the first refused message comes again.
func (d *Deliverer) due(later map[int64]time.Time) <-chan time.Time {
	first := time.Time{}
	for _, t := range later {
		if first.IsZero() || t.Before(first) {
			first = t
		}
	}
	if first.IsZero() {
		return nil
	}
	return time.After(max(time.Until(first), time.Millisecond))
}
