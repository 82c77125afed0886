package main

import (
	"slices"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"nabat/gateway/alert"
	"nabat/sync/event"
)

// farEnd is an independent subscriber, as dispatch would be one: it notes every
// event in the order of its first arrival, and how often each came.
type farEnd struct {
	client paho.Client

	mu     sync.Mutex // guards the fields below
	events []event.Event
	times  map[string]int
	bad    []error
}

// subscribe connects to the broker with a session of its own.
func subscribe(t *testing.T, address string) *farEnd {
	t.Helper()
	f := &farEnd{times: make(map[string]int)}
	o := paho.NewClientOptions().AddBroker("tcp://" + address).SetClientID("far-end").SetCleanSession(false).SetOrderMatters(true).
		SetMaxReconnectInterval(time.Second) // it would wait as long as the outage was
	f.client = paho.NewClient(o)
	if token := f.client.Connect(); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatalf("connect the far end: %v", token.Error())
	}
	if token := f.client.Subscribe("nabat/1/+/+/event/#", 1, f.take); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatalf("subscribe the far end: %v", token.Error())
	}
	t.Cleanup(func() { f.client.Disconnect(100) })
	return f
}

func (f *farEnd) take(_ paho.Client, m paho.Message) {
	e, err := event.Decode(m.Payload())
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.bad = append(f.bad, err)
		return
	}
	if f.times[e.ID()]++; f.times[e.ID()] == 1 {
		f.events = append(f.events, e)
	}
}

// seen returns the events in the order of their first arrival.
func (f *farEnd) seen() []event.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.events)
}

// count returns how many different events of a type have arrived.
func (f *farEnd) count(typ alert.Type) int {
	n := 0
	for _, e := range f.seen() {
		if e.Type == typ {
			n++
		}
	}
	return n
}

// checkOrder fails the test where an event came out of order within its lane,
// or could not be read.
func (f *farEnd) checkOrder(t *testing.T) {
	t.Helper()
	for _, err := range f.bad {
		t.Error(err)
	}
	last := make(map[bool]uint64)
	epoch := ""
	for _, e := range f.seen() {
		if e.Ref.Epoch != epoch {
			epoch = e.Ref.Epoch
			clear(last)
		}
		lane := e.Type.Urgent()
		if e.Ref.Seq <= last[lane] {
			t.Errorf("%s (%s) came after sequence %d of its lane", e.ID(), e.Type, last[lane])
		}
		last[lane] = e.Ref.Seq
	}
}

// receipt tells the gateway what is stored, as dispatch's application does.
func (f *farEnd) receipt(t *testing.T, topics event.Topics, r event.Receipt) {
	t.Helper()
	if token := f.client.Publish(topics.Receipt(), 1, false, r.Encode()); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatalf("give a receipt: %v", token.Error())
	}
}

// waitUntil waits for a state that a test observes.
func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("no %s within %v", what, patience)
		}
	}
}
