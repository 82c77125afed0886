package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"

	"nabat/sync/dispatch/scaletest"
	"nabat/sync/dispatch/store/storetest"
	"nabat/sync/mqtt"
)

// Sizes of the storm.
const (
	stormGateways = 1000
	stormEach     = 100
	stormTurns    = 3
)

// forDispatch is what docs/scale.md asks of a mosquitto: dispatch acknowledges
// after its commit, so that the 20 messages that are allowed otherwise would be
// one commit.
const forDispatch = "max_inflight_messages 4000\n"

// manyFiles is more than a thousand connections need.
const manyFiles = 16384

// measureStorm compares a thousand gateways that come back at once with one
// that has as many events.
func measureStorm(ctx context.Context, b *bench) (section, error) {
	return withPostgres(ctx, func(pg *storetest.Server) (section, error) { return b.storms(ctx, pg) })
}

func (b *bench) storms(ctx context.Context, pg *storetest.Server) (s section, err error) {
	many, each, rounds := stormGateways, stormEach, stormTurns
	if b.size.quick {
		many, each, rounds = 20, 20, 1
	}
	br, err := startBrokerWith(ctx, b, forDispatch)
	if err != nil {
		return s, err
	}
	defer br.stop()
	limit := unix.Rlimit{Cur: manyFiles, Max: manyFiles}
	if err := unix.Prlimit(br.cmd.Process.Pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		return s, fmt.Errorf("let the broker have %d connections: %w", manyFiles, err)
	}
	var one, crowd, receipts []float64
	turn := 0
	err = turns(ctx, rounds, 1, func(ctx context.Context, _ bool) error {
		turn++
		last, _, err := b.storm(ctx, pg, br, fmt.Sprintf("one-%d", turn), 1, many*each)
		one = append(one, last.Seconds())
		return err
	}, func(ctx context.Context, _ bool) error {
		last, all, err := b.storm(ctx, pg, br, fmt.Sprintf("many-%d", turn), many, each)
		crowd, receipts = append(crowd, last.Seconds()), append(receipts, all.Seconds())
		return err
	})
	if err != nil {
		return s, err
	}
	ratio := median(crowd) / median(one)
	return section{
		title: "A thousand gateways at once",
		lines: []line{{
			figure: fmt.Sprintf("%d gateways with %d events each come back at once: last event stored, against one gateway with the same %d events", many, each, many*each),
			target: "≤ 2 ×", floor: nice(seconds(median(one))), measured: nice(seconds(median(crowd))),
			ratio: spread(ratio, ratios(crowd, one)), verdict: verdictOf(ratio <= 2),
		}},
		how: []string{
			fmt.Sprintf("%d turns. Every gateway is the real MQTT link with receipts over a journal in memory; broker: mosquitto; dispatch: subscription, intake and store over a PostgreSQL of Debian's with fsync on. "+
				"The time runs from the call that starts all links to the moment when the database has the last event. Links, broker, dispatch and database share this machine, in both cases.", rounds),
			"Each turn ends when every gateway has a receipt for every event; a lane out of order, a row given up or a missing event ends the measurement with an error.",
		},
		also: []string{fmt.Sprintf("the last receipt of the thousand came after %s; %s stored.", nice(seconds(median(receipts))), perSecond(float64(many*each)/median(crowd)))},
		hidden: []string{
			"TLS, a network, and gateways' own disks; the clustered broker and what dies are in docs/scale.md.",
		},
	}, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// storm lets gateways come back, and returns when the last event was stored and
// when the last receipt had come.
func (b *bench) storm(ctx context.Context, pg *storetest.Server, br *broker, name string, gateways, each int) (last, all time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, turnWithin)
	defer cancel()
	r, err := openRegion(ctx, pg, br)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	db, err := pgx.Connect(ctx, r.url)
	if err != nil {
		return 0, 0, err
	}
	defer db.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it was only asked
	var crowd scaletest.Crowd
	for i := range gateways {
		id := fmt.Sprintf("%s-%d", name, i)
		if err := r.register(ctx, id); err != nil {
			return 0, 0, err
		}
		g, err := scaletest.NewGateway(benchSite, id, fmt.Sprintf("%016x", i+1), each, time.Now())
		if err != nil {
			return 0, 0, err
		}
		if err := g.OverMQTT(mqtt.Options{Broker: "tcp://" + br.address}); err != nil {
			return 0, 0, err
		}
		crowd = append(crowd, g)
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	begun := time.Now()
	go func() { ended <- crowd.Run(running) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended, crowd.Check())
	}()
	err = scaletest.Await(ctx, "the last event", func() (bool, error) {
		n, err := stored(ctx, db)
		return n == crowd.Events(), err
	})
	if err != nil {
		return 0, 0, err
	}
	last = time.Since(begun)
	err = scaletest.Await(ctx, "the last receipt", func() (bool, error) { return crowd.Delivered() == crowd.Events(), nil })
	all = time.Since(begun)
	if err != nil {
		return 0, 0, fmt.Errorf("%w: %s", err, crowd.Behind())
	}
	b.say("  %d × %d: last stored after %s, last receipt after %s", gateways, each, nice(last), nice(all))
	return last, all, nil
}
