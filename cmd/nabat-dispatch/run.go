package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sync/errgroup"

	"nabat/gateway/alert"
	"nabat/sync/dispatch/broker"
	"nabat/sync/dispatch/desk"
	"nabat/sync/dispatch/gate"
	"nabat/sync/dispatch/intake"
	"nabat/sync/dispatch/store"
	"nabat/sync/dispatch/subscriber"
	"nabat/sync/dispatch/webhook"
)

type runVerb struct {
	configFlag
	Log slog.Level `default:"info" help:"Least level of log lines: debug, info, warn or error."`
}

// Run runs the service until it is told to stop.
func (v runVerb) Run(ctx context.Context) error {
	s, err := loadConfig(v.Config)
	if err != nil {
		return fmt.Errorf("the configuration cannot be used:\n%w", err)
	}
	svc, err := newService(ctx, s, newLog(v.Log))
	if err != nil {
		return err
	}
	return svc.run(ctx)
}

// service is the assembled program: every room, wired, nothing started.
type service struct {
	s          *settings
	log        *slog.Logger
	store      *store.Store
	signer     *signer
	intake     *intake.Intake
	post       *subscriber.Post // nil without MQTT
	broker     *broker.Broker   // nil unless it is inside
	subscriber *subscriber.Subscriber
	lease      *lease
	hooks      []*webhook.Webhook
	gate       *gate.Gate
	desk       *desk.Server
	pages      net.Listener
	started    time.Time
}

// newService opens the database and the ports and wires all rooms. On an error
// nothing stays open.
func newService(ctx context.Context, s *settings, log *slog.Logger) (svc *service, err error) {
	svc = &service{s: s, log: log, started: time.Now()}
	defer func() {
		if err != nil {
			err = errors.Join(err, svc.close())
		}
	}()
	if svc.signer, err = newSigner(keyring{s.Keys}, log.With("room", "keys")); err != nil {
		return svc, err
	}
	if svc.store, err = openStore(ctx, s, log.With("room", "store")); err != nil {
		return svc, err
	}
	svc.intake = intake.New(svc.store, intake.Options{Log: log.With("room", "intake")})
	svc.gate = gate.New(gate.Options{Intake: svc.intake, Store: svc.store, Signer: svc.signer, Log: log.With("room", "gate")})
	if svc.desk, err = desk.New(desk.Options{
		Store: svc.store, Signer: svc.signer, Name: s.Name, Sender: s.Sender, Language: alert.Language(s.Language),
		Hosts: s.Hosts, Insecure: s.TLSCert == "", Log: log.With("room", "desk"),
	}); err != nil {
		return svc, err
	}
	if err = svc.wireMQTT(ctx); err != nil {
		return svc, err
	}
	for _, w := range s.Webhooks {
		hook, err := w.wire(svc.store, s.Address, log.With("room", "webhook"))
		if err != nil {
			return svc, err
		}
		svc.hooks = append(svc.hooks, hook)
	}
	svc.pages, err = svc.listen(ctx)
	return svc, err
}

// close lets go of what newService opened.
func (svc *service) close() error {
	var errs []error
	if svc.pages != nil {
		errs = append(errs, svc.pages.Close())
	}
	if svc.broker != nil {
		errs = append(errs, svc.broker.Close())
	}
	if svc.store != nil {
		errs = append(errs, svc.store.Close())
	}
	return errors.Join(errs...)
}

// wireMQTT makes the broker inside, or the subscription at one elsewhere.
func (svc *service) wireMQTT(ctx context.Context) (err error) {
	if svc.s.Broker == nil && svc.s.MQTT == nil {
		return nil
	}
	log := svc.log.With("room", "mqtt")
	svc.post = subscriber.NewPost(subscriber.PostOptions{Intake: svc.intake, Store: svc.store, Signer: svc.signer, Log: log})
	if b := svc.s.Broker; b != nil {
		o := broker.Options{Listen: b.Listen, Accounts: svc.store, Log: log}
		if svc.s.TLSCert != "" {
			if o.TLS, err = svc.tlsConfig(false); err != nil {
				return err
			}
		}
		o.Take = func(ctx context.Context, topic string, payload []byte, done func(error)) {
			svc.post.Take(ctx, topic, payload, false, done)
		}
		svc.broker, err = broker.New(ctx, o)
		return err
	}
	m := svc.s.MQTT
	o := subscriber.Options{
		Broker: m.URL, AllowPlaintext: m.AllowPlain, ClientID: m.ClientID, User: m.Username, PasswordFile: m.PasswordFile,
		CAFile: m.CA, CertFile: m.Cert, KeyFile: m.Key, Log: log,
	}
	url, err := svc.s.databaseURL()
	if err != nil {
		return err
	}
	if svc.lease = newLease(url, m.ClientID, log); svc.lease != nil {
		o.Lease = svc.lease
	}
	svc.subscriber, err = subscriber.New(o, svc.post)
	return err
}

// run does the whole job until ctx ends. The doors close first, so that what
// came in is committed and acknowledged before the database closes.
func (svc *service) run(ctx context.Context) error {
	under, endUnder := context.WithCancel(context.WithoutCancel(ctx))
	defer endUnder()
	var stages []*stage
	base := newStage(under) // what everything else stands on
	stages = append(stages, base)
	base.run("store", svc.store.Run)
	base.run("intake", svc.intake.Run)
	middle := newStage(under)
	stages = append(stages, middle)
	if svc.post != nil {
		middle.run("post", svc.post.Run)
	}
	doors := newStage(under)
	stages = append(stages, doors)
	doors.run("pages", svc.serve)
	doors.run("keys", svc.signer.Run)
	doors.run("resend", func(ctx context.Context) error { return subscriber.Resend(ctx, svc.store, svc.signer, svc.log) })
	doors.run("upkeep", svc.upkeep)
	if svc.broker != nil {
		doors.run("broker", svc.broker.Run)
		doors.run("broker's post", func(ctx context.Context) error { return svc.post.Serve(ctx, svc.broker) })
	}
	if svc.subscriber != nil {
		doors.run("subscriber", svc.subscriber.Run)
	}
	for _, h := range svc.hooks {
		doors.run("webhook "+h.Name(), h.Run)
	}
	svc.log.Info("ready", "listen", svc.pages.Addr().String(), "version", version)
	_, _ = daemon.SdNotify(false, daemon.SdNotifyReady) // without systemd it does nothing
	failed := make(chan struct{})
	var once sync.Once
	for _, s := range stages {
		context.AfterFunc(s.ctx, func() { once.Do(func() { close(failed) }) })
	}
	select {
	case <-ctx.Done():
	case <-failed:
	}
	_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping)
	var errs []error
	for i := len(stages) - 1; i >= 0; i-- {
		errs = append(errs, stages[i].stop())
	}
	svc.pages, svc.broker = nil, nil // closed by their jobs
	return errors.Join(append(errs, svc.close())...)
}

// stage is jobs that end together. A job that ends by itself ends its stage.
type stage struct {
	ctx  context.Context
	end  context.CancelFunc
	jobs *errgroup.Group
}

func newStage(ctx context.Context) *stage {
	s := &stage{}
	ctx, s.end = context.WithCancel(ctx)
	s.jobs, s.ctx = errgroup.WithContext(ctx)
	return s
}

func (s *stage) run(name string, job func(context.Context) error) {
	s.jobs.Go(func() error {
		err := job(s.ctx)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		case s.ctx.Err() == nil:
			return fmt.Errorf("%s ended by itself", name)
		}
		return nil
	})
}

func (s *stage) stop() error {
	s.end()
	return s.jobs.Wait()
}
