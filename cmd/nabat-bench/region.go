package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"nabat/sync/dispatch/intake"
	far "nabat/sync/dispatch/store"
	"nabat/sync/dispatch/store/storetest"
	"nabat/sync/dispatch/subscriber"
)

// region is dispatch's parts over a PostgreSQL, in this process.
type region struct {
	url   string
	store *far.Store
	post  *subscriber.Post
	stop  func() error
}

// openRegion makes an empty database of a server and starts what takes events
// into it; with a broker, the subscription as well.
func openRegion(ctx context.Context, pg *storetest.Server, br *broker) (_ *region, err error) {
	r := &region{}
	if r.url, err = pg.Create(ctx); err != nil {
		return nil, err
	}
	if r.store, err = far.Open(ctx, far.Options{URL: r.url}); err != nil {
		return nil, err
	}
	in := intake.New(r.store, intake.Options{})
	r.post = subscriber.NewPost(subscriber.PostOptions{Intake: in, Store: r.store})
	running, end := context.WithCancel(ctx)
	var jobs errgroup.Group
	jobs.Go(func() error { return r.store.Run(running) })
	jobs.Go(func() error { return in.Run(running) })
	jobs.Go(func() error { return r.post.Run(running) })
	r.stop = func() error {
		end()
		return errors.Join(jobs.Wait(), r.store.Close())
	}
	if br == nil {
		return r, nil
	}
	s, err := subscriber.New(subscriber.Options{Broker: "tcp://" + br.address, ClientID: "nabat-dispatch"}, r.post)
	if err != nil {
		return nil, errors.Join(err, r.stop())
	}
	jobs.Go(func() error { return s.Run(running) })
	if err := untilTrue(ctx, silence, "dispatch has its subscription", s.Connected); err != nil {
		return nil, errors.Join(err, r.stop())
	}
	return r, nil
}

// register adds a gateway.
func (r *region) register(ctx context.Context, id string) error {
	_, err := r.store.AddGateway(ctx, far.Gateway{Site: benchSite, ID: id}, "", "bench")
	return err
}

// stored returns how many different events the database has.
func stored(ctx context.Context, db *pgx.Conn) (n int, err error) {
	err = db.QueryRow(ctx, "SELECT coalesce(sum(events), 0) FROM stream").Scan(&n)
	return n, err
}

// ratios returns each figure over the floor of the same turn.
func ratios(figure, floor []float64) []float64 {
	var list []float64
	for i := range min(len(figure), len(floor)) {
		list = append(list, figure[i]/floor[i])
	}
	return list
}

// spread writes a ratio with those of the turns.
func spread(ratio float64, turns []float64) string {
	return fmt.Sprintf("%.2f × (turns %.2f – %.2f)", ratio, slices.Min(turns), slices.Max(turns))
}

// withPostgres runs f with a server of its own.
func withPostgres(ctx context.Context, f func(*storetest.Server) (section, error)) (s section, err error) {
	pg, err := storetest.Start(ctx)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, pg.Stop()) }()
	return f(pg)
}

// turnWithin bounds one turn.
const turnWithin = 10 * time.Minute
