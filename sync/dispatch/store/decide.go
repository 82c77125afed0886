package store

import (
	"crypto/sha256"
	"strings"

	"nabat/gateway/alert"
	"nabat/sync/event"
)

// alarmPrefix begins the types of events whose subject is an alert.
const alarmPrefix = "nabat.alert."

// decide works out what the items change. It reads and changes the book only.
func (b *book) decide() error {
	b.result = Result{}
	fresh := make(map[eventID]storedRow)
	for i := range b.items {
		it := &b.items[i]
		if b.gateways[it.gateway].revoked != 0 {
			b.refuse(it, Refusal{Reason: "the gateway's credentials were withdrawn", Passing: true})
			continue
		}
		st := b.streams[it.stream()]
		id := eventID{st.key, it.seq}
		if st.have.has(it.seq) {
			old, ok := b.stored[id]
			if !ok {
				old, ok = fresh[id]
			}
			if ok {
				b.repeat(it, id, old)
			}
			b.own[it.stream()] = append(b.own[it.stream()], it.seq)
			continue
		}
		have, ok := st.have.add(it.seq)
		if !ok {
			b.refuse(it, Refusal{Reason: "too many holes in what came before", Passing: true})
			continue
		}
		st.have, st.dirty = have, true
		st.events++
		b.result.New++
		b.own[it.stream()] = append(b.own[it.stream()], it.seq)
		alarm := strings.HasPrefix(string(it.Event.Type), alarmPrefix)
		b.events = append(b.events, eventRow{eventID: id, at: micros(it.At), link: it.Link, alarm: bit(alarm && len(it.Raw) <= maxAlarm),
			subject: plain(it.Event.Subject, maxName), refused: it.reason, raw: it.Raw})
		if it.Event.Type.Urgent() {
			fresh[id] = storedRow{it.Link, it.Raw}
		}
		b.learnClock(it.gateway, it.Event.At, micros(it.At))
		if it.reason != "" {
			st.refused++
			b.refuse(it, Refusal{Reason: it.reason, Kept: true})
			continue
		}
		b.fold(it)
		b.answer(it)
		if alarm {
			b.topics[AlertsChanged] = true
			for _, hook := range b.hooks {
				b.topics[OutboxChanged] = true
				b.outgoing = append(b.outgoing, outgoingRow{hook, it.gateway, plain(it.Event.Subject, maxName), it.Raw})
			}
		}
	}
	b.receipts()
	return nil
}

func (b *book) receipts() {
	names := make(map[int64]Gateway)
	for i := range b.items {
		names[b.items[i].gateway] = b.items[i].Gateway
	}
	for _, id := range ordered(b.streams, streamID.compare) {
		if b.gateways[id.gateway].revoked != 0 {
			continue
		}
		b.result.Receipts = append(b.result.Receipts, Receipt{names[id.gateway], receipt(id.epoch, b.streams[id].have, b.own[id])})
	}
}

func (b *book) refuse(it *item, r Refusal) {
	r.Gateway, r.ID = it.Gateway, it.Event.ID()
	b.result.Refusals = append(b.result.Refusals, r)
}

// repeat notes another delivery of an alarm, or that the id means two events:
// then the gateway's disk was copied, and what the copy says must be seen.
func (b *book) repeat(it *item, id eventID, old storedRow) {
	if string(old.raw) != string(it.Raw) {
		// A newer program may write the same event in other bytes.
		was, err := event.Decode(old.raw)
		if err == nil && (was.Type != it.Event.Type || was.Subject != it.Event.Subject || was.At != it.Event.At || string(was.Data) != string(it.Event.Data)) {
			const reason = "another event has this id: the gateway's disk was copied or restored"
			digest := sha256.Sum256(it.Raw)
			b.strays = append(b.strays, strayRow{it.gateway, digest[:], micros(it.At), it.Link, reason, it.Raw})
			st := b.streams[it.stream()]
			st.forked, st.dirty = micros(it.At), true
			b.topics[GatewaysChanged] = true
			b.refuse(it, Refusal{Reason: reason, Kept: true})
			return
		}
	}
	if old.link != it.Link {
		b.deliveries = append(b.deliveries, deliveryRow{id, it.Link, micros(it.At)})
	}
}

// fold lets the event change the alert of its key, and the alert of its id.
func (b *book) fold(it *item) {
	id, ok := it.standing()
	if !ok {
		return
	}
	key, _ := it.event.Key()
	next := func(a alert.Alert) (alert.Alert, bool) {
		var s alert.State
		if a.Key == key {
			s = alert.NewState(a)
		}
		return s.Next(it.event).Alert(key)
	}
	row := b.standing[id]
	if a, ok := next(row.state); ok {
		row.state, row.dirty = a, true
	}
	one := b.alerts[alertID{id, it.Event.Subject}]
	a, ok := next(one.state)
	if !ok {
		return
	}
	at := micros(it.At)
	one.state, one.dirty = a, true
	if one.stored == 0 {
		one.stored = at
	}
	one.stored, one.changed = min(one.stored, at), max(one.changed, at)
	pressed := it.event.Type == alert.Raised || it.event.Type == alert.Escalated && it.event.Gesture != ""
	if n := int64(it.event.Number); pressed && n > one.lastNum {
		one.lastNum, one.lastStored = n, at
	}
}

// status is the most serious status that the alert ever had.
func (r *alertRow) status() alert.Status {
	switch {
	case r.state.Actual > 0:
		return alert.Actual
	case r.state.Exercise > 0:
		return alert.Exercise
	default:
		return alert.Test
	}
}

// answer settles a command. An acceptance stands against any refusal, and a
// refusal counts for the form that it names, so that order does not matter.
func (b *book) answer(it *item) {
	if !it.answers() {
		return
	}
	row := b.answers[answerID{it.gateway, it.event.Command}]
	if !row.known {
		return
	}
	b.topics[CommandsChanged] = true
	at := micros(it.At)
	if it.event.Type == alert.CommandAccepted {
		if row.accepted == 0 {
			row.accepted, row.answered, row.dirty = 1, at, true
		}
		return
	}
	if n := int64(it.event.Counter); n >= row.refused {
		row.refused, row.reason, row.dirty = n, plain(it.event.Detail+it.event.Why, maxReason), true
		if row.accepted == 0 {
			row.answered = at
		}
	}
}

// noEstimate stands where a boot has no estimate.
const noEstimate = int64(1<<63 - 1)

// learnClock draws from a stamp what its boot's wall clock was.
func (b *book) learnClock(gateway int64, s alert.Stamp, at int64) {
	if row := b.anchors[bootID{gateway, plain(s.Boot, maxName)}]; row != nil && s.Boot != "" {
		row.learn(s, at)
	}
}

func (r *anchorRow) learn(s alert.Stamp, at int64) {
	if !r.known {
		*r = anchorRow{known: true, mono: -1, estimate: noEstimate}
	}
	mono := s.Mono.Microseconds()
	switch {
	case s.Synced && !s.Wall.IsZero():
		if r.mono < 0 || mono < r.mono {
			r.mono, r.shift, r.dirty = mono, micros(s.Wall)-mono, true
		}
	case r.estimate-1_000_000 > at-mono: // less than a second is not worth a write
		r.estimate, r.dirty = at-mono, true
	}
}
