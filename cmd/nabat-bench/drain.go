package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/clock"
)

// alarmsOf says which events of an outage are alarms: one of twenty.
func isAlarm(i int) bool { return i%20 == 0 }

// silence is how long a subscriber may hear nothing before a drain counts as
// stuck.
const silence = 30 * time.Second

// measureDrain compares the rate at which the events of an outage leave with
// that of a bare publisher.
func measureDrain(ctx context.Context, b *bench) (s section, err error) {
	br, err := startBroker(ctx, b)
	if err != nil {
		return s, err
	}
	defer br.stop()
	clk, err := clock.NewSystem()
	if err != nil {
		return s, err
	}
	var floor, drained, ratios []float64
	var until []time.Duration
	number := 0
	err = turns(ctx, drains, 1, func(ctx context.Context, _ bool) error {
		number++
		rate, err := b.publishBare(ctx, br, clk, fmt.Sprintf("floor-%d", number))
		floor = append(floor, rate)
		return err
	}, func(ctx context.Context, _ bool) error {
		rate, whole, err := b.drainOutage(ctx, br, clk, fmt.Sprintf("outage-%d", number))
		drained = append(drained, rate)
		ratios = append(ratios, rate/floor[len(floor)-1])
		until = append(until, whole)
		return err
	})
	if err != nil {
		return s, err
	}
	ratio := median(drained) / median(floor)
	return section{
		title: "Draining an outage",
		lines: []line{
			{
				figure: fmt.Sprintf("outage drain of %d events of %d bytes, against a bare publisher with %d in flight", b.size.drain, eventBytes, window),
				target: "≥ 0.6 × its rate", floor: perSecond(median(floor)), measured: perSecond(median(drained)),
				ratio:   fmt.Sprintf("%.2f × (turns %.2f – %.2f)", ratio, slices.Min(ratios), slices.Max(ratios)),
				verdict: verdictOf(ratio >= 0.6),
			},
			{figure: "the same: lost · doubled · out of order in their lane", target: "0 · 0", measured: "0 · 0 · 0", verdict: reachedIt},
		},
		how: []string{
			fmt.Sprintf("%d times: %d events, every twentieth an alarm, are committed while the link is off; then the link runs, and a subscriber of everything counts. "+
				"The rate is that between the first and the last arrival. The floor publishes the same bytes from memory, %d in flight, to the same broker and a subscriber of the same kind.", drains, b.size.drain, window),
			"The figures are medians. The subscriber notes every sequence: a loss, a doubled event or one out of order in its lane ends the measurement with an error, and there is no report.",
		},
		also:   []string{fmt.Sprintf("from the start of the link to the last arrival: %s.", nice(slices.Max(until)))},
		hidden: []string{"the back-off before the link is back, which is up to a minute after a long outage and 2 s while alarms wait; and what a slow or lossy network takes."},
	}, nil
}

// drains is how many outages are drained.
const drains = 3

func perSecond(rate float64) string { return fmt.Sprintf("%.0f/s", rate) }

func median(f []float64) float64 {
	f = slices.Sorted(slices.Values(f))
	return f[len(f)/2]
}

func outageEvent(m *maker, i int) alert.Event {
	if isAlarm(i) {
		return m.alarm()
	}
	return m.routine()
}

// publishBare sends the events of an outage from memory and returns their rate.
func (b *bench) publishBare(ctx context.Context, br *broker, clk *clock.System, gateway string) (float64, error) {
	got, err := listen(br, gateway)
	if err != nil {
		return 0, err
	}
	defer got.stop()
	p, err := newBarePublisher(br, gateway)
	if err != nil {
		return 0, err
	}
	defer p.stop()
	m := &maker{now: clk.Now, numbering: "0123456789abcdef"}
	types, payloads := make([]alert.Type, b.size.drain), make([][]byte, b.size.drain)
	for i := range payloads {
		e := outageEvent(m, i)
		data, err := json.Marshal(e)
		if err != nil {
			return 0, fmt.Errorf("encode the floor's event: %w", err)
		}
		types[i], payloads[i] = e.Type, wire(e, data, uint64(i+1))
	}
	for i, payload := range payloads {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if err := p.publish(types[i], payload); err != nil {
			return 0, err
		}
	}
	if err := errors.Join(p.flush(), got.wait(ctx, len(payloads), silence), got.check(len(payloads))); err != nil {
		return 0, err
	}
	b.say("  bare publisher: %s", perSecond(got.rate()))
	return got.rate(), nil
}

// drainOutage commits events, then lets the link run. It returns the rate and
// how long it took from the start of the link to the last arrival.
func (b *bench) drainOutage(ctx context.Context, br *broker, clk *clock.System, gateway string) (rate float64, whole time.Duration, err error) {
	st, err := b.outage(ctx, clk, gateway)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, st.stop()) }()
	got, err := listen(br, gateway)
	if err != nil {
		return 0, 0, err
	}
	defer got.stop()
	begun := time.Now()
	l, err := openLink(ctx, st, br, gateway, nil, nil)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, l.stop()) }()
	if err := errors.Join(got.wait(ctx, b.size.drain, silence), got.check(b.size.drain)); err != nil {
		return 0, 0, err
	}
	// The last answers are still on their way back.
	err = untilTrue(ctx, answerWithin, "the journal knows that everything was delivered", func() bool { return st.depth() == 0 })
	if err != nil {
		return 0, 0, err
	}
	b.say("  outage drained: %s", perSecond(got.rate()))
	return got.rate(), got.last().Sub(begun), nil
}
