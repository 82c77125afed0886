package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"nabat/gateway/config"
	"nabat/sync/command"
	"nabat/sync/dispatch/broker"
	"nabat/sync/dispatch/desk"
	"nabat/sync/dispatch/gate"
	"nabat/sync/dispatch/intake"
	"nabat/sync/dispatch/store"
	"nabat/sync/dispatch/subscriber"
)

// demoOperator is whoever opens the dispatch page on this machine.
const demoOperator = "demo"

// demoFarEnd is the dispatch service of the demonstration: the same parts as
// nabat-dispatch, for one gateway, on loopback.
type demoFarEnd struct {
	store   *store.Store
	intake  *intake.Intake
	post    *subscriber.Post
	broker  *broker.Broker
	sign    *command.Signer
	desk    *desk.Server
	handler http.Handler
	pages   net.Listener
	log     *slog.Logger
}

// newDemoFarEnd opens dispatch beside the gateway and points the gateway's link
// and its trust at it. On an error nothing stays open.
func newDemoFarEnd(ctx context.Context, c *config.Config, dir, listen string, log *slog.Logger) (f *demoFarEnd, err error) {
	f = &demoFarEnd{log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	if f.pages, err = new(net.ListenConfig).Listen(ctx, "tcp", listen); err != nil {
		return f, fmt.Errorf("open the dispatch page's address (choose another with --desk): %w", err)
	}
	if f.store, err = store.Open(ctx, store.Options{URL: "sqlite:" + filepath.Join(dir, "dispatch.db"), Log: log.With("room", "store")}); err != nil {
		return f, err
	}
	key, err := command.Generate("")
	if err != nil {
		return f, err
	}
	if f.sign, err = command.NewSigner(key); err != nil {
		return f, err
	}
	password, err := f.people(ctx, c)
	if err != nil {
		return f, err
	}
	f.intake = intake.New(f.store, intake.Options{Log: log.With("room", "intake")})
	f.post = subscriber.NewPost(subscriber.PostOptions{Intake: f.intake, Store: f.store, Signer: f.sign, Log: log.With("room", "post")})
	if f.broker, err = broker.New(ctx, broker.Options{
		Listen: "127.0.0.1:0", Accounts: f.store, Log: log.With("room", "broker"),
		Take: func(ctx context.Context, topic string, payload []byte, done func(error)) {
			f.post.Take(ctx, topic, payload, false, done)
		},
	}); err != nil {
		return f, err
	}
	if f.desk, err = desk.New(desk.Options{
		Store: f.store, Signer: f.sign, Name: "Nabat", Language: c.Site.Language, Insecure: true, Demo: demoOperator, Log: log.With("room", "desk"),
	}); err != nil {
		return f, err
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/", gate.New(gate.Options{Intake: f.intake, Store: f.store, Signer: f.sign, Log: log.With("room", "gate")}))
	mux.Handle("/", f.desk.Handler())
	f.handler = mux
	passwordFile := filepath.Join(dir, "mqtt-password")
	if err := os.WriteFile(passwordFile, []byte(password), 0o600); err != nil {
		return f, fmt.Errorf("write the broker's password: %w", err)
	}
	c.MQTT = config.MQTT{
		Enabled: true, Host: f.broker.Address(), ClientID: "nabat-demo", Receipts: true,
		Username: c.Site.ID + "/" + c.Site.Gateway, PasswordFile: passwordFile,
	}
	public := key.Public()
	c.Command.Keys = []config.CommandKey{{ID: public.ID, Public: public.Public}}
	return f, nil
}

// people registers the gateway and makes the operator and a team, where an
// earlier run has not. It returns the gateway's token.
func (f *demoFarEnd) people(ctx context.Context, c *config.Config) (token string, err error) {
	const by = "demo"
	g := store.Gateway{Site: c.Site.ID, ID: c.Site.Gateway}
	token, err = f.store.AddGateway(ctx, g, c.Site.Name.In(c.Site.Language), by)
	if errors.Is(err, store.ErrExists) {
		token, err = f.store.RotateToken(ctx, g, by)
	}
	if err != nil {
		return "", err
	}
	err = f.store.AddOperator(ctx, store.Operator{ID: demoOperator, Name: "Demo", Role: store.AdminRole}, rand.Text(), by)
	if errors.Is(err, store.ErrExists) {
		return token, nil
	}
	if err != nil {
		return "", err
	}
	_, err = f.store.PutTeam(ctx, store.Team{Name: "Alfa 1", Phone: "112"}, by)
	return token, err
}

func (f *demoFarEnd) close() error {
	var errs []error
	if f.pages != nil {
		errs = append(errs, ignoreClosed(f.pages.Close()))
	}
	if f.broker != nil {
		errs = append(errs, f.broker.Close())
	}
	if f.store != nil {
		errs = append(errs, f.store.Close())
	}
	return errors.Join(errs...)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// run serves until ctx ends. What came in is committed before the database
// closes: the doors end first.
func (f *demoFarEnd) run(ctx context.Context) error {
	under, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	base, under := errgroup.WithContext(under)
	base.Go(func() error { return f.store.Run(under) })
	base.Go(func() error { return f.intake.Run(under) })
	base.Go(func() error { return f.post.Run(under) })
	doors, ctx := errgroup.WithContext(ctx)
	doors.Go(func() error { return f.broker.Run(ctx) })
	doors.Go(func() error { return f.post.Serve(ctx, f.broker) })
	doors.Go(func() error { return subscriber.Resend(ctx, f.store, f.sign, f.log) })
	doors.Go(func() error { return f.serve(ctx) })
	err := doors.Wait()
	end()
	return errors.Join(err, base.Wait(), f.close())
}

func (f *demoFarEnd) serve(ctx context.Context) error {
	requests, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	srv := &http.Server{
		Handler: f.handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return requests },
	}
	var serving sync.WaitGroup
	var served error
	gone := make(chan struct{})
	serving.Go(func() { defer close(gone); served = srv.Serve(f.pages) })
	select {
	case <-gone:
		return fmt.Errorf("serve the dispatch page: %w", served)
	case <-ctx.Done():
	}
	end() // streams and polls end with their requests
	err := srv.Close()
	serving.Wait()
	return err
}
