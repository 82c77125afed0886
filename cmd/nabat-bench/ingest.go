package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"nabat/gateway/alert"
	"nabat/gateway/clock"
	"nabat/gateway/journal"
	"nabat/sync/dispatch/store/storetest"
	"nabat/sync/event"
)

// Sizes of the ingest.
const (
	ingestFrom  = 10     // gateways
	ingestAll   = 20_000 // events of one turn
	ingestTurns = 6
	bareBatch   = 1000 // rows of one transaction of the floor
)

// arriving is one event as the broker would hand it over, and as a row.
type arriving struct {
	topic   string
	payload []byte
	row     []any
}

// measureIngest compares the way of events through dispatch into PostgreSQL
// with bare batched inserts of the same rows.
func measureIngest(ctx context.Context, b *bench) (section, error) {
	return withPostgres(ctx, func(pg *storetest.Server) (section, error) { return b.ingest(ctx, pg) })
}

func (b *bench) ingest(ctx context.Context, pg *storetest.Server) (s section, err error) {
	n, rounds := ingestAll, ingestTurns
	if b.size.quick {
		n, rounds = 2*bareBatch, 1
	}
	r, err := openRegion(ctx, pg, nil)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	for g := range ingestFrom {
		if err := r.register(ctx, ingestGateway(g)); err != nil {
			return s, err
		}
	}
	db, err := pgx.Connect(ctx, r.url)
	if err != nil {
		return s, err
	}
	defer db.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it was only measured with
	for _, table := range []string{"bare", "copied"} {
		if _, err := db.Exec(ctx, "CREATE TABLE "+table+" (LIKE event INCLUDING ALL)"); err != nil {
			return s, fmt.Errorf("make the floor's table: %w", err)
		}
	}
	clk, err := clock.NewSystem()
	if err != nil {
		return s, err
	}
	makers := make([]*maker, ingestFrom)
	for i := range makers {
		makers[i] = &maker{now: clk.Now, numbering: fmt.Sprintf("%016x", i+1)}
	}
	var floor, ours, copied []float64
	var list []arriving
	turn := 0
	err = turns(ctx, rounds, 1, func(ctx context.Context, _ bool) error {
		if list, err = arrivalsOf(makers, turn*n/ingestFrom, n); err != nil {
			return err
		}
		turn++
		took, err := bareInserts(ctx, db, list)
		if err != nil {
			return err
		}
		floor = append(floor, float64(n)/took.Seconds())
		begun := time.Now()
		_, err = db.CopyFrom(ctx, pgx.Identifier{"copied"}, eventColumns(), pgx.CopyFromSlice(n, func(i int) ([]any, error) { return list[i].row, nil }))
		copied = append(copied, float64(n)/time.Since(begun).Seconds())
		return err
	}, func(ctx context.Context, _ bool) error {
		took, err := r.takeAll(ctx, list)
		ours = append(ours, float64(n)/took.Seconds())
		b.say("  bare inserts %s, COPY %s, dispatch %s", perSecond(floor[len(floor)-1]), perSecond(copied[len(copied)-1]), perSecond(ours[len(ours)-1]))
		return err
	})
	if err != nil {
		return s, err
	}
	have, err := stored(ctx, db)
	if err != nil {
		return s, err
	}
	if have != n*rounds {
		return s, fmt.Errorf("the database has %d events, want %d: %w", have, n*rounds, errWrong)
	}
	ratio := median(ours) / median(floor)
	return section{
		title: "Ingest into PostgreSQL",
		lines: []line{{
			figure: fmt.Sprintf("events through dispatch into PostgreSQL, against bare batched inserts of the same rows, %d in a transaction", bareBatch),
			target: "≥ 0.5 × their rate", floor: perSecond(median(floor)), measured: perSecond(median(ours)),
			ratio: spread(ratio, ratios(ours, floor)), verdict: verdictOf(ratio >= 0.5),
		}},
		how: []string{
			fmt.Sprintf("%d turns of %d events of %d gateways, every twentieth an alarm. Measured is the whole way of a message behind the network: read and checked, gathered, marks and alerts brought up to date, committed, acknowledged. "+
				"The floor inserts the same rows, made beforehand, one INSERT a row, %d in one round trip and transaction, into a table with the same indexes of the same server (Debian's, fsync on, 64 MiB of buffers, on a unix socket).", rounds, n, ingestFrom, bareBatch),
		},
		also:   []string{fmt.Sprintf("a bare COPY of the same rows, %d in a transaction: %s; dispatch reaches %.2f × of it.", n, perSecond(median(copied)), median(ours)/median(copied))},
		hidden: []string{"a server on another machine: both would wait for the network, dispatch twice for each group."},
	}, nil
}

func ingestGateway(i int) string { return fmt.Sprintf("ingest-%d", i) }

func eventColumns() []string {
	return []string{"stream", "seq", "at", "link", "alarm", "subject", "refused", "raw"}
}

// arrivalsOf makes n events of all gateways, each of which has sent after
// events before.
func arrivalsOf(makers []*maker, after, n int) ([]arriving, error) {
	list := make([]arriving, 0, n)
	for i := range n {
		g := i % len(makers)
		seq := uint64(after + i/len(makers) + 1)
		e := outageEvent(makers[g], int(seq))
		data, err := json.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("make an event: %w", err)
		}
		row := journal.Row{Ref: alert.Ref{Epoch: makers[g].numbering, Seq: seq}, Type: e.Type, Subject: e.Subject, At: e.At, Data: data}
		raw := event.Append(nil, event.Source(benchSite, ingestGateway(g)), row)
		alarm := int32(0)
		if journal.LaneOf(e.Type) == journal.Alarm {
			alarm = 1
		}
		list = append(list, arriving{
			topic:   "nabat/1/" + benchSite + "/" + ingestGateway(g) + "/event/" + e.Type.Short(),
			payload: raw, row: []any{int64(g), int64(seq), time.Now().UnixMicro(), "mqtt", alarm, e.Subject, "", raw},
		})
	}
	return list, nil
}

// bareInserts is the floor.
func bareInserts(ctx context.Context, db *pgx.Conn, list []arriving) (time.Duration, error) {
	begun := time.Now()
	for len(list) > 0 {
		n := min(bareBatch, len(list))
		var batch pgx.Batch
		for _, a := range list[:n] {
			batch.Queue("INSERT INTO bare VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", a.row...)
		}
		if err := db.SendBatch(ctx, &batch).Close(); err != nil {
			return 0, fmt.Errorf("insert: %w", err)
		}
		list = list[n:]
	}
	return time.Since(begun), nil
}

// takeAll hands messages over as the subscription does, and waits until each is
// stored.
func (r *region) takeAll(ctx context.Context, list []arriving) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, turnWithin)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	begun := time.Now()
	for _, a := range list {
		wg.Add(1)
		r.post.Take(ctx, a.topic, a.payload, false, func(err error) {
			defer wg.Done()
			if err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return time.Since(begun), failed
}
