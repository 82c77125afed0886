package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
)

// arrivals is what a subscriber has got. It stands where dispatch stands.
type arrivals struct {
	client paho.Client

	mu       sync.Mutex // guards the fields below
	seen     map[uint64]bool
	highest  [2]uint64 // by lane
	alarmAt  map[uint64]time.Time
	count    int
	twice    int
	disorder int
	strange  int
	begun    time.Time // when the first one came
	latest   time.Time
	news     chan struct{}
}

func newArrivals() *arrivals {
	return &arrivals{seen: make(map[uint64]bool), alarmAt: make(map[uint64]time.Time), news: make(chan struct{}, 1)}
}

// subscribe takes every event of a filter, in the order in which the broker
// gives them.
func subscribe(br *broker, id, filter string) (*arrivals, error) {
	a := newArrivals()
	var err error
	if a.client, err = br.client(id); err != nil {
		return nil, err
	}
	return a, done(a.client.Subscribe(filter, 1, a.take), "subscribe to "+filter)
}

func (a *arrivals) stop() { a.client.Disconnect(farewell) }

// sequenceOf finds the sequence without decoding the event: a subscriber that
// is slow would be measured instead of the publisher.
func sequenceOf(payload []byte) (uint64, bool) {
	const name = `"sequence":"`
	i := bytes.Index(payload, []byte(name))
	if i < 0 || len(payload) < i+len(name)+20 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(payload[i+len(name):i+len(name)+20]), 10, 64)
	return n, err == nil
}

// laneOf finds the lane in the topic, whose last level is the event's type.
func laneOf(topic string) journal.Lane {
	return journal.LaneOf(alert.Type("nabat." + topic[strings.LastIndexByte(topic, '/')+1:]))
}

func (a *arrivals) take(_ paho.Client, m paho.Message) {
	seq, ok := sequenceOf(m.Payload())
	a.note(laneOf(m.Topic()), seq, ok)
}

// note counts one event; not ok is one without a sequence.
func (a *arrivals) note(lane journal.Lane, seq uint64, ok bool) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case !ok:
		a.strange++
		return
	case a.seen[seq]:
		a.twice++
		return
	case seq < a.highest[lane]:
		a.disorder++
	}
	a.seen[seq] = true
	a.highest[lane] = max(a.highest[lane], seq)
	if a.count == 0 {
		a.begun = now
	}
	a.count++
	a.latest = now
	if lane == journal.Alarm {
		a.alarmAt[seq] = now
	}
	select {
	case a.news <- struct{}{}:
	default:
	}
}

// total returns how many different events came.
func (a *arrivals) total() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.count
}

// last returns when the latest event came.
func (a *arrivals) last() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.latest
}

// alarm returns when an alarm came.
func (a *arrivals) alarm(seq uint64) (time.Time, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.alarmAt[seq]
	return t, ok
}

// rate returns how many events a second came between the first and the last.
func (a *arrivals) rate() float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return float64(a.count-1) / a.latest.Sub(a.begun).Seconds()
}

// wait waits until n different events came. Only one goroutine waits.
func (a *arrivals) wait(ctx context.Context, n int, silence time.Duration) error {
	timer := time.NewTimer(silence)
	defer timer.Stop()
	for have := a.total(); have < n; have = a.total() {
		select {
		case <-a.news:
			timer.Reset(silence)
		case <-timer.C:
			return fmt.Errorf("%d of %d events came, then nothing for %s: %w", have, n, silence, errWrong)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// check says whether exactly n events came, in the order of each lane.
func (a *arrivals) check(n int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	if a.count != n {
		errs = append(errs, fmt.Errorf("%d different events, want %d: %w", a.count, n, errWrong))
	}
	if a.twice > 0 || a.disorder > 0 || a.strange > 0 {
		errs = append(errs, fmt.Errorf("%d doubled, %d out of order in their lane, %d unreadable: %w", a.twice, a.disorder, a.strange, errWrong))
	}
	return errors.Join(errs...)
}
