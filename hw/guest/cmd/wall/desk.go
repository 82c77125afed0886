package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// heard is one event as it came over MQTT, read without the gateway's own code.
type heard struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Subject  string `json:"subject"`
	Sequence string `json:"sequence"`
	Data     struct {
		Point   string        `json:"point"`
		Gesture string        `json:"gesture"`
		Number  uint64        `json:"number"`
		Pressed time.Duration `json:"pressed_mono_ns"`
		Fault   string        `json:"fault"`
	} `json:"data"`
}

const (
	raised    = "nabat.alert.raised"
	escalated = "nabat.alert.escalated"
	fault     = "nabat.point.fault"
	restored  = "nabat.point.restored"
)

// desk is dispatch: a subscriber that remembers all it hears.
type desk struct {
	client mqtt.Client

	mu      sync.Mutex // guards the fields below
	events  []heard    // in order of arrival, each id once
	seen    map[string]bool
	doubles int
	wrong   error
	changed chan struct{}
}

var errDesk = errors.New("what dispatch heard is wrong")

// openDesk subscribes before any gateway speaks.
func openDesk(broker string) (*desk, error) {
	d := &desk{seen: make(map[string]bool), changed: make(chan struct{})}
	o := mqtt.NewClientOptions().AddBroker(broker).SetClientID("dispatch").
		SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false).SetConnectTimeout(5 * time.Second)
	o.SetConnectionLostHandler(func(_ mqtt.Client, err error) {
		d.fail(fmt.Errorf("dispatch lost the broker: %w", err))
	})
	d.client = mqtt.NewClient(o)
	if err := settle(d.client.Connect()); err != nil {
		return nil, err
	}
	return d, settle(d.client.Subscribe("nabat/1/school-12/main/event/#", 1, func(_ mqtt.Client, m mqtt.Message) { d.hear(m.Payload()) }))
}

func settle(t mqtt.Token) error {
	if !t.WaitTimeout(10 * time.Second) {
		return fmt.Errorf("the broker did not answer: %w", context.DeadlineExceeded)
	}
	return t.Error()
}

func (d *desk) close() { d.client.Disconnect(100) }

func (d *desk) hear(payload []byte) {
	var e heard
	if err := json.Unmarshal(payload, &e); err != nil || e.ID == "" {
		d.fail(fmt.Errorf("not an event: %s: %w", payload, errDesk))
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen[e.ID] {
		d.doubles++
		return
	}
	d.seen[e.ID] = true
	d.events = append(d.events, e)
	d.wakeLocked()
}

func (d *desk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wrong = errors.Join(d.wrong, err)
	d.wakeLocked()
}

func (d *desk) wakeLocked() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// all returns the events heard so far of one type about one point, in order.
func (d *desk) all(kind, point string) []heard {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []heard
	for _, e := range d.events {
		if e.Type == kind && (e.Data.Point == point || e.Subject == point) {
			list = append(list, e)
		}
	}
	return list
}

// repeated counts deliveries of events that were heard before.
func (d *desk) repeated() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.doubles
}

// awaitPress waits for the raise of one press, known by the kernel's time of
// it. Events of a point keep their order, so that everything which the gateway
// made of the point's earlier signals has been heard by then.
func (d *desk) awaitPress(ctx context.Context, point string, at moment) error {
	return d.until(ctx, "the raise of a press of "+point, func() (bool, error) {
		for _, e := range d.all(raised, point) {
			if e.Data.Pressed >= at.from && e.Data.Pressed <= at.to {
				return true, nil
			}
		}
		return false, nil
	})
}

// await waits until n events of one type about one point were heard, or fails
// when more came, or after half a minute.
func (d *desk) await(ctx context.Context, kind, point string, n int) error {
	return d.until(ctx, fmt.Sprintf("%d %s from %s", n, kind, point), func() (bool, error) {
		got := len(d.all(kind, point))
		if got > n {
			return false, fmt.Errorf("%d %s from %s, want %d: %w", got, kind, point, n, errDesk)
		}
		return got == n, nil
	})
}

// until waits for something to be heard, at most half a minute.
func (d *desk) until(ctx context.Context, what string, heard func() (bool, error)) error {
	ctx, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	for {
		d.mu.Lock()
		changed, wrong := d.changed, d.wrong
		d.mu.Unlock()
		ok, err := heard()
		switch {
		case wrong != nil:
			return wrong
		case ok || err != nil:
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("dispatch did not hear %s: %w", what, context.Cause(ctx))
		}
	}
}
