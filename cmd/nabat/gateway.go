package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"path/filepath"
	"sync"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/clock"
	"nabat/gateway/config"
	"nabat/gateway/control"
	"nabat/gateway/engine"
	"nabat/gateway/health"
	"nabat/gateway/journal"
	"nabat/gateway/output"
	"nabat/gateway/press"
	"nabat/gateway/supervise"
	"nabat/gateway/web"
	"nabat/hw/board"
	"nabat/hw/display/picture"
	"nabat/hw/point"
	"nabat/sync/command"
	"nabat/sync/cursor"
	"nabat/sync/link"
	"nabat/sync/sms"
)

// journalFile is the journal's name in the data directory.
const journalFile = "journal.db"

// Limits of the proof of life: a job that makes no progress for so long is
// held for hung. The journal may wait for a disk that takes seconds.
const (
	enginePulse  = 15 * time.Second
	journalPulse = 45 * time.Second
)

// signalQueue holds signals between the wall and the gestures. When it is
// full the wall's readers wait, and edges wait in the kernel.
const signalQueue = 4096

// gateway is the assembled program: every room, wired, nothing started.
type gateway struct {
	config   *config.Config
	log      *slog.Logger
	health   *health.Registry
	clock    *clock.System
	journal  *journal.Journal
	engine   *engine.Engine
	wall     *wall
	web      *web.Server
	uplinks  []uplink // the links to dispatch
	network  *cursor.NetworkWatch
	receipts *receiptCheck
	gate     *command.Gate  // nil without a key of dispatch: it refuses every command
	sms      *sms.Deliverer // nil without a modem
	sound    *sound
	pictures map[string]*picture.Picture // the hallway displays of a simulated board
	battery  bool                        // the clock was set from a battery clock at boot
	commands *commands
	fetcher  fetcher            // brings configurations from dispatch; nil without a central link
	pulled   *pulled            // nil when not started with a configuration file
	armed    chan struct{}      // closed when every essential job is ready
	anew     context.CancelFunc // ends run in order; set by run
	started  time.Time
	address  address
	pages    net.Listener            // opened beforehand, or nil
	saved    map[alert.Key]alert.Ref // presses that an earlier run has saved
}

// newGateway opens the journal and wires all rooms. On an error nothing stays
// open.
func newGateway(c *config.Config, log *slog.Logger) (*gateway, error) {
	clk, err := clock.NewSystem()
	if err != nil {
		return nil, err
	}
	for _, w := range c.Warnings {
		log.Warn("configuration", "warning", w.Error())
	}
	g := &gateway{config: c, log: log, health: new(health.Registry), clock: clk, wall: newWall(c), pictures: simPictures(c), battery: clock.Battery(), started: time.Now(), armed: make(chan struct{})}
	g.journal, err = journal.Open(journal.Options{
		Path: filepath.Join(c.DataDir, journalFile), Consumers: g.consumers(),
		Log: log.With("room", "journal"), Health: g.health, Pulse: g.health.Pulse("journal", journalPulse),
		Now: clk.Now, Keep: time.Duration(c.Journal.KeepDays) * 24 * time.Hour,
		RoutineCap: noneIsEndless(int64(c.Journal.RoutineCap)), Ballast: noneIsNegative(c.Journal.Ballast),
		// The engine is made below, from what the journal has recorded; the journal
		// tells this from its writer only, which does not run before that.
		OnRecovered: func(s alert.State, saved map[alert.Key]alert.Ref) { g.engine.Recovered(s, saved) },
	})
	if err != nil {
		return nil, err
	}
	g.receipts = &receiptCheck{stats: g.journal.Stats, health: g.health}
	var state alert.State
	state, g.saved = g.journal.Recorded()
	g.engine, err = engine.New(engine.Options{
		Site: c.Site, Journal: g.journal, Clock: clk, Numbering: g.journal.Epoch(), State: state, Saved: g.saved,
		Health: g.health, Pulse: g.health.Pulse("engine", enginePulse), Log: log.With("room", "engine"),
	})
	if err == nil {
		err = g.wireCommands()
	}
	if err == nil {
		err = g.wireLinks()
	}
	if err == nil {
		err = g.wireSMS()
	}
	if err == nil {
		err = g.wireSound()
	}
	if err == nil {
		err = g.wirePages()
	}
	if err != nil {
		return nil, errors.Join(err, g.journal.Close())
	}
	return g, nil
}

// run does the whole job until ctx ends. Jobs are stopped in the reverse of the
// order in which they are named here, so that the journal commits the last
// events of all others.
func (g *gateway) run(ctx context.Context) error {
	notify, watchdog, err := supervise.Systemd()
	if err != nil {
		return errors.Join(err, g.journal.Close())
	}
	ctx, g.anew = context.WithCancel(ctx)
	defer g.anew()
	group := supervise.New(supervise.Options{Health: g.health, Log: g.log, Notify: g.hearReady(notify), Watchdog: watchdog})
	group.Essential("journal", supervise.Started(g.journal.Run))
	group.Essential("engine", supervise.Started(g.engine.Run))
	group.Essential("life", supervise.Started(g.life))
	lamps, err := g.lamps()
	if err != nil {
		return errors.Join(err, g.journal.Close())
	}
	group.Essential("lamps", supervise.Started(lamps.Run))
	group.Essential("wall", g.watchWall)
	if g.wall.sim != nil {
		group.Essential("simulated wall", supervise.Started(g.wall.sim.Run))
	}
	g.addSound(group)
	if err := g.addDisplays(group); err != nil {
		return errors.Join(err, g.journal.Close())
	}
	group.Optional("commands", supervise.Started(g.commands.run))
	g.addLinks(group)
	g.addSMS(group)
	group.Optional("clock watch", supervise.Started(g.watchClock))
	group.Optional("pages", g.servePages)
	group.Optional("screens", supervise.Started(g.web.WatchScreens))
	group.Optional("control socket", supervise.Started(control.NewServer(g.controlOptions()).Run))
	return group.Run(ctx)
}

// hearReady closes g.armed when the service manager is told that the gateway is
// ready, whether or not there is one.
func (g *gateway) hearReady(notify func(string) error) func(string) error {
	var once sync.Once
	return func(state string) error {
		if state == "READY=1" {
			once.Do(func() { close(g.armed) })
		}
		return notify(state)
	}
}

// startAnew ends the gateway in order; the service manager starts it again.
func (g *gateway) startAnew(why string) {
	g.log.Info("the gateway ends, to be started anew", "why", why)
	g.anew()
}

// life records that the gateway began and, when everything that came after it
// has stopped, that it ended.
func (g *gateway) life(ctx context.Context) error {
	site := g.config.Site
	g.engine.Record(alert.Event{Type: alert.GatewayStarted, Subject: site.Gateway, Detail: "nabat " + version})
	g.sentBefore()
	<-ctx.Done()
	g.engine.Record(alert.Event{Type: alert.GatewayStopped, Subject: site.Gateway, Detail: "nabat " + version})
	return nil
}

func (g *gateway) lamps() (*output.Lamps, error) {
	drivers := make(map[string]output.Lamp, len(g.wall.lamps))
	for _, l := range g.wall.lamps {
		drivers[l.ID()] = l
	}
	return output.NewLamps(g.config.Site, g.engine, g.health, drivers)
}

// watchWall reads the buttons and makes gestures of their signals. It is ready
// when every button was read or has said why it cannot be.
func (g *gateway) watchWall(ctx context.Context, ready func()) error {
	signals := make(chan point.Signal, signalQueue)
	emit := func(s point.Signal) {
		select {
		case signals <- s:
		case <-ctx.Done():
		}
	}
	b, err := board.New(g.wall.inputs, emit, board.Options{Log: g.log.With("room", "board")})
	if err != nil {
		return err
	}
	watched := make(chan error, 1)
	go func() { watched <- b.Run(ctx) }()
	known := make(chan struct{})
	go func() {
		defer close(known)
		if g.everyPointKnown(ctx) {
			ready()
		}
	}()
	err = press.Run(ctx, signals, g.engine.Gesture)
	<-known
	return errors.Join(err, <-watched)
}

// everyPointKnown waits until the view shows every button armed or faulty, and
// reports false when ctx ended before that.
func (g *gateway) everyPointKnown(ctx context.Context) bool {
	for {
		changed := g.engine.Changed()
		points, known := g.engine.View().Points, 0
		for _, in := range g.wall.inputs {
			if p := points[in.ID]; p.Armed || p.Fault != "" {
				known++
			}
		}
		if known == len(g.wall.inputs) {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// listen opens the pages' port, with TLS when the configuration has it.
func (g *gateway) listen(ctx context.Context) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", g.config.Web.Listen)
	if err != nil {
		return nil, fmt.Errorf("open the pages' address %s (web.listen): %w", g.config.Web.Listen, err)
	}
	if g.config.Web.TLSCert == "" {
		return l, nil
	}
	return tls.NewListener(l, pageTLS(g.config.Web)), nil
}

// pageTLS reads the certificate for each connection, so that a renewed one is
// used without a restart.
func pageTLS(w config.Web) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			c, err := tls.LoadX509KeyPair(w.TLSCert, w.TLSKey)
			if err != nil {
				return nil, fmt.Errorf("load the pages' certificate %s: %w", w.TLSCert, err)
			}
			return &c, nil
		},
	}
}

func (g *gateway) servePages(ctx context.Context, ready func()) error {
	l := g.pages
	g.pages = nil // served once; a restarted job opens its own
	if l == nil {
		var err error
		if l, err = g.listen(ctx); err != nil {
			return err
		}
	}
	g.address.set(l.Addr().String())
	ready()
	return g.web.Serve(ctx, l)
}

// clockSure says whether screens may show a clock that nothing has synchronised:
// that of a machine with a battery clock, and that of a demonstration, which
// runs beside a person.
func (g *gateway) clockSure(alert.Stamp) bool { return g.battery || g.config.Board == config.BoardSim }

func (g *gateway) wirePages() error {
	token, err := link.FirstLine(g.config.Web.MetricsTokenFile)
	if err != nil {
		return fmt.Errorf("the token of /metrics (web.metrics_token_file): %w", err)
	}
	o := web.Options{
		MetricsToken: token,

		Site: g.config.Site, Source: g.engine, Now: g.clock.Now, Desk: g.engine, Health: g.health,
		Timetable: g.sound.calendar, Slides: g.config.Lobby.Slides, SlideFor: g.config.Lobby.SlideFor, PA: g.sound.job, ClockSure: g.clockSure,
		Stats: g.webStats, Metrics: g.commands.metrics, PINHash: g.config.Web.PIN.Reveal(), Hosts: g.config.Web.Hosts, Log: g.log.With("room", "web"),
	}
	if g.wall.sim != nil {
		o.Wall = g.wall.sim
		if len(g.pictures) > 0 {
			o.Pictures = hallwayPictures{g.config.Displays, g.pictures}
		}
	}
	g.web, err = web.New(o)
	return err
}

// noneIsEndless and noneIsNegative translate the configuration's zero, which
// means "none", for the journal, whose zero means "the default".
func noneIsEndless(n int64) int64 {
	if n == 0 {
		return math.MaxInt64
	}
	return n
}

func noneIsNegative(n int64) int64 {
	if n == 0 {
		return -1
	}
	return n
}
