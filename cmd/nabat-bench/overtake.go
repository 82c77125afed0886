package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/clock"
	"nabat/sync/event"
)

// measureOvertake compares how long an alarm takes to a subscriber while a long
// queue drains with how long it takes when nothing waits.
func measureOvertake(ctx context.Context, b *bench) (s section, err error) {
	br, err := startBroker(ctx, b)
	if err != nil {
		return s, err
	}
	defer br.stop()
	longDir, err := b.longQueue(ctx)
	if err != nil {
		return s, err
	}
	emptyDir, err := b.emptyQueue(ctx, 0)
	if err != nil {
		return s, err
	}
	idle, err := b.newLine(ctx, br, emptyDir, "idle")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, idle.stop()) }()
	busy, err := b.newLine(ctx, br, longDir, "busy")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, busy.stop()) }()

	lowest := int64(b.size.queued)
	err = turns(ctx, storms, 1, func(ctx context.Context, _ bool) error {
		return idle.storm(ctx, b.size)
	}, func(ctx context.Context, _ bool) error {
		// The queue of every turn is at least as long as the target says.
		if missing := int64(b.size.queued) - busy.st.depth(); missing > 0 {
			if err := busy.st.fill(ctx, int(missing), func(int) alert.Event { return busy.maker.routine() }, nil); err != nil {
				return err
			}
		}
		if err := busy.storm(ctx, b.size); err != nil {
			return err
		}
		depth := busy.st.depth()
		b.say("  %d rows still wait after a turn; alarms p99 %s", depth, nice(quantile(busy.whole.turns[len(busy.whole.turns)-1], 0.99)))
		lowest = min(lowest, depth)
		return nil
	})
	if err != nil {
		return s, err
	}
	if lowest == 0 {
		return s, fmt.Errorf("the queue ran empty, so the alarms overtook nothing: %w", errWrong)
	}
	return section{
		title: "A new alarm behind a backlog",
		lines: []line{
			atMost(fmt.Sprintf("a new alarm behind a backlog of %d that drains, to a subscriber of alarms, against an empty queue", b.size.queued), 2, 0.99, &busy.urgent, &idle.urgent),
			atMost("the same, to a subscriber of everything", 2, 0.99, &busy.whole, &idle.whole),
		},
		how: []string{
			fmt.Sprintf("%d alarms, one every %s, each from its append (which includes its commit) to the handlers of two subscribers, one of alarms only and one of everything, while the link drains a queue of %d routine rows as fast as it can. "+
				"%d turns of %s; before each the queue is filled up again, so that it is never shorter than %d rows. The floor is the same with an empty queue, broker and subscribers being the same.",
				busy.whole.count(), b.size.every, b.size.queued, storms, b.size.storm, lowest),
		},
		also: []string{
			fmt.Sprintf("p50: %s against %s to the subscriber of alarms, %s against %s to that of everything.", nice(busy.urgent.at(0.5)), nice(idle.urgent.at(0.5)), nice(busy.whole.at(0.5)), nice(idle.whole.at(0.5))),
			"p50 of the parts, backlog / empty: " + parts(busy, idle, 0.5),
			"p99 of the parts, backlog / empty: " + parts(busy, idle, 0.99),
			fmt.Sprintf("every alarm came, in order; %d events came a second time, with the same id, because the link was stopped between the turns with up to %d in flight.", busy.got.twice, window),
		},
		hidden: []string{
			"machines of their own for broker and subscribers: with journal and link they share the processors of one machine here, and all of them are busy with the backlog;",
			fmt.Sprintf("what stands behind the gateway: an alarm travels after up to %d routine events in flight, and a subscriber of everything that is slower than the drain gets it after those that the broker holds for it.", window),
		},
	}, nil
}

// parts says where the time of an alarm goes.
func parts(busy, idle *gatewayLine, q float64) string {
	both := func(a, b *samples) string { return nice(a.at(q)) + " / " + nice(b.at(q)) }
	return fmt.Sprintf("until committed %s; from there until the link has read the row %s; from there until the broker's acknowledgement is back %s, to the subscriber of alarms %s, to that of everything %s.",
		both(&busy.committed, &idle.committed), both(&busy.reading, &idle.reading), both(&busy.acked, &idle.acked), both(&busy.direct, &idle.direct), both(&busy.travel, &idle.travel))
}

// storms is how many turns of alarms each queue gets.
const storms = 8

// gatewayLine is a journal whose alarms are followed to a subscriber.
type gatewayLine struct {
	st    *store
	br    *broker
	name  string
	maker *maker
	got   *arrivals // of everything
	first *arrivals // of alarms only

	urgent, direct, whole, committed, reading, acked, travel samples

	mu      sync.Mutex // guards ackedAt
	ackedAt map[uint64]time.Time
}

func (b *bench) newLine(ctx context.Context, br *broker, dir, name string) (*gatewayLine, error) {
	clk, err := clock.NewSystem()
	if err != nil {
		return nil, err
	}
	st, err := openStore(ctx, dir, clk.Now)
	if err != nil {
		return nil, err
	}
	got, err := listen(br, name)
	if err != nil {
		return nil, errors.Join(err, st.stop())
	}
	topics, err := event.NewTopics(benchSite, name)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("name the topics: %w", err), st.stop())
	}
	topic, err := topics.Event(alert.Raised)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("name the topic of alarms: %w", err), st.stop())
	}
	first, err := subscribe(br, "alarms-"+name, topic)
	if err != nil {
		return nil, errors.Join(err, st.stop())
	}
	return &gatewayLine{first: first, st: st, br: br, name: name, maker: &maker{now: clk.Now, numbering: st.Epoch()}, got: got, ackedAt: make(map[uint64]time.Time)}, nil
}

func (g *gatewayLine) stop() error {
	g.got.stop()
	g.first.stop()
	return g.st.stop()
}

// tookAlarm notes when the broker acknowledged an alarm.
func (g *gatewayLine) tookAlarm(ref alert.Ref) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ackedAt[ref.Seq] = time.Now()
}

func (g *gatewayLine) ackOf(seq uint64) (time.Time, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t, ok := g.ackedAt[seq]
	return t, ok
}

// alarmTrip is one alarm on its way.
type alarmTrip struct {
	begun time.Time
	answer
}

// storm lets the link run, sends an alarm at every beat, and waits until all
// came.
func (g *gatewayLine) storm(ctx context.Context, size sizes) (err error) {
	for _, s := range []*samples{&g.urgent, &g.direct, &g.whole, &g.committed, &g.reading, &g.acked, &g.travel} {
		s.begin(true)
	}
	count := int(size.storm / size.every)
	reads := make(chan time.Time, count+1)
	l, err := openLink(ctx, g.st, g.br, g.name, g.tookAlarm, func(at time.Time) { reads <- at })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.stop()) }()
	// The storm begins when the link is up: an alarm that is there and back.
	if err := g.one(ctx); err != nil {
		return err
	}
	<-reads
	answers := make(chan alarmTrip, count)
	beat := time.NewTicker(size.every)
	defer beat.Stop()
	for range count {
		select {
		case <-beat.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		begun := time.Now()
		g.st.Append(g.maker.alarm(), func(ref alert.Ref, err error) { answers <- alarmTrip{begun, answer{ref, time.Now(), err}} })
	}
	trips := make([]alarmTrip, 0, count)
	for range count {
		select {
		case t := <-answers:
			if t.err != nil {
				return fmt.Errorf("append: %w", t.err)
			}
			trips = append(trips, t)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for _, t := range trips {
		if err := g.arrived(ctx, t.ref.Seq); err != nil {
			return err
		}
	}
	if err := untilTrue(ctx, silence, "the last alarm is acknowledged", func() bool { _, ok := g.ackOf(trips[len(trips)-1].ref.Seq); return ok }); err != nil {
		return err
	}
	return g.measure(trips, reads)
}

// one sends one alarm and waits until it came.
func (g *gatewayLine) one(ctx context.Context) error {
	answers := make(chan answer, 1)
	g.st.Append(g.maker.alarm(), func(ref alert.Ref, err error) { answers <- answer{ref, time.Now(), err} })
	select {
	case a := <-answers:
		if a.err != nil {
			return fmt.Errorf("append: %w", a.err)
		}
		return g.arrived(ctx, a.ref.Seq)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gatewayLine) arrived(ctx context.Context, seq uint64) error {
	return untilTrue(ctx, silence, fmt.Sprintf("alarm %d arrives", seq), func() bool {
		_, ok := g.got.alarm(seq)
		_, too := g.first.alarm(seq)
		return ok && too
	})
}

// measure takes the times of the trips apart. One read may give several rows:
// the first read after a commit is the one that gave it.
func (g *gatewayLine) measure(trips []alarmTrip, reads <-chan time.Time) error {
	var read []time.Time
	for range len(reads) {
		read = append(read, <-reads)
	}
	for _, t := range trips {
		at, _ := g.got.alarm(t.ref.Seq)
		early, _ := g.first.alarm(t.ref.Seq)
		g.whole.add(at.Sub(t.begun))
		g.urgent.add(early.Sub(t.begun))
		g.committed.add(t.at.Sub(t.begun))
		for len(read) > 1 && read[0].Before(t.at) {
			read = read[1:]
		}
		if len(read) > 0 {
			g.reading.add(max(read[0].Sub(t.at), 0))
			g.travel.add(at.Sub(read[0]))
			g.direct.add(early.Sub(read[0]))
			if ack, ok := g.ackOf(t.ref.Seq); ok {
				g.acked.add(ack.Sub(read[0]))
			}
		}
	}
	if err := g.first.check(g.first.total()); err != nil {
		return err
	}
	g.got.mu.Lock()
	defer g.got.mu.Unlock()
	// A link that is stopped may send again what it had in flight.
	if g.got.twice > len(g.whole.turns)*window || g.got.disorder > 0 || g.got.strange > 0 {
		return fmt.Errorf("%d doubled, %d out of order in their lane, %d unreadable: %w", g.got.twice, g.got.disorder, g.got.strange, errWrong)
	}
	return nil
}
