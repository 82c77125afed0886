package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"nabat/gateway/alert"
	"nabat/gateway/config"
	"nabat/gateway/control"
	"nabat/gateway/engine"
	"nabat/gateway/journal"
	"nabat/sync/command"
)

// commanded is a gateway in this process, and a dispatch that signs commands.
type commanded struct {
	t       *testing.T
	g       *gateway
	dir     string
	signer  *command.Signer
	counter uint64
	ended   chan error
}

func newDispatchKey(t *testing.T) *command.Signer {
	t.Helper()
	key, err := command.Generate("key-1")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := command.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// startCommanded runs a gateway with two simulated buttons and no link; commands
// are handed to it as a link does. With trusted false it knows no key.
func startCommanded(t *testing.T, trusted bool) *commanded {
	t.Helper()
	c := &commanded{t: t, dir: t.TempDir(), signer: newDispatchKey(t), ended: make(chan error, 1)}
	extra := ""
	if trusted {
		extra = c.signer.Public().TOML()
	}
	path, _ := writeConfig(t, c.dir, []string{"a", "b"}, extra)
	own, p, err := choose(path, newLog(10))
	if err != nil {
		t.Fatal(err)
	}
	c.run(own, p)
	return c
}

func (c *commanded) run(own *config.Config, p *pulled) {
	c.t.Helper()
	var err error
	if c.g, err = newGateway(own, newLog(10)); err != nil {
		c.t.Fatal(err)
	}
	c.g.pulled = p
	ctx, cancel := context.WithCancel(context.Background())
	c.t.Cleanup(func() {
		cancel()
		select {
		case err := <-c.ended:
			c.ended <- err
		case <-time.After(patience):
			c.t.Error("the gateway does not stop")
		}
	})
	go func() { c.ended <- c.g.run(ctx) }()
	select {
	case <-c.g.armed:
	case err := <-c.ended:
		c.ended <- err
		c.t.Fatalf("the gateway ended: %v", err)
	case <-time.After(patience):
		c.t.Fatal("the gateway does not get ready")
	}
}

// claims are fresh for any clock of this machine.
func (c *commanded) claims(verb command.Verb, change func(*command.Claims)) command.Claims {
	c.counter++
	now := time.Now()
	cl := command.Claims{
		Audience: "school-12/main", ID: uuid.Must(uuid.NewV7()).String(), Counter: c.counter, Issued: now.Unix(),
		Expires: now.Add(time.Hour).Unix(), Challenge: c.g.gate.Challenge(), Verb: verb, Who: "operator-7",
	}
	if change != nil {
		change(&cl)
	}
	return cl
}

// give signs a command and hands it to the gateway.
func (c *commanded) give(cl command.Claims) []byte {
	c.t.Helper()
	compact, err := c.signer.Sign(cl)
	if err != nil {
		c.t.Fatal(err)
	}
	c.g.command([]byte(compact), false)
	return []byte(compact)
}

// order gives a command and waits for its answer.
func (c *commanded) order(verb command.Verb, change func(*command.Claims)) alert.Event {
	c.t.Helper()
	cl := c.claims(verb, change)
	c.give(cl)
	return c.answer(cl.Counter)
}

func (c *commanded) answer(counter uint64) alert.Event {
	c.t.Helper()
	return c.event(fmt.Sprintf("answer to command %d", counter), func(e alert.Event) bool {
		return e.Counter == counter && (e.Type == alert.CommandAccepted || e.Type == alert.CommandRefused)
	})
}

// event waits for an event in the journal's file.
func (c *commanded) event(what string, ok func(alert.Event) bool) (found alert.Event) {
	c.t.Helper()
	waitUntil(c.t, what, func() bool {
		i := slices.IndexFunc(c.events(), ok)
		if i >= 0 {
			found = c.events()[i]
		}
		return i >= 0
	})
	return found
}

// events reads what the journal's file holds.
func (c *commanded) events() (list []alert.Event) {
	c.t.Helper()
	r, err := journal.OpenReader(filepath.Join(c.dir, journalFile))
	if err != nil {
		c.t.Fatal(err)
	}
	defer r.Close()
	err = r.Tail(c.t.Context(), 10000, false, func(row journal.Row) error {
		e, err := row.Event()
		list = append(list, e)
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return list
}

func (c *commanded) count(typ alert.Type) (n int) {
	c.t.Helper()
	for _, e := range c.events() {
		if e.Type == typ {
			n++
		}
	}
	return n
}

// press presses a button and returns the alert.
func (c *commanded) press(point string) alert.Alert {
	c.t.Helper()
	client := control.NewClient(filepath.Join(c.dir, control.SocketName))
	var err error
	waitUntil(c.t, "a press of "+point, func() bool {
		err = client.Press(c.t.Context(), point, 0)
		return err == nil
	})
	open := c.g.engine.View().Open
	i := slices.IndexFunc(open, func(a alert.Alert) bool { return a.Last.Point == point })
	if i < 0 {
		c.t.Fatalf("no alert of %s in %+v", point, open)
	}
	return open[i]
}

// metrics reads the gateway's own page.
func (c *commanded) metrics() string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	resp, err := http.Get("http://" + c.g.address.wait(ctx) + "/metrics")
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(b)
}

func TestDispatchDecidesAboutAnAlert(t *testing.T) {
	c := startCommanded(t, true)
	a := c.press("a")
	about := func(more func(*command.Claims)) func(*command.Claims) {
		return func(cl *command.Claims) {
			cl.Alert, cl.Number = a.ID, a.Last.Number
			if more != nil {
				more(cl)
			}
		}
	}
	eta := time.Now().Add(5 * time.Minute).UTC().Truncate(time.Second)
	for _, step := range []struct {
		verb   command.Verb
		typ    alert.Type
		change func(*command.Claims)
	}{
		{command.Acknowledge, alert.Acknowledged, about(nil)},
		{command.Responding, alert.Responding, about(func(cl *command.Claims) { cl.ETA = eta })},
		{command.Arrived, alert.Arrived, about(nil)},
		{command.Clear, alert.Cleared, about(func(cl *command.Claims) { cl.Outcome, cl.Why = alert.Resolved, "all is well" })},
	} {
		answer := c.order(step.verb, step.change)
		if answer.Type != alert.CommandAccepted || answer.Command == "" {
			t.Fatalf("%s: %+v", step.verb, answer)
		}
		e := c.event(string(step.typ), func(e alert.Event) bool { return e.Type == step.typ })
		if e.Subject != a.ID || e.Command != answer.Command || e.Origin != "dispatch" || e.Who != "operator-7" {
			t.Errorf("%s: %+v", step.verb, e)
		}
		if step.verb == command.Responding && !e.ETA.Equal(eta) {
			t.Errorf("arrival at %v, want %v", e.ETA, eta)
		}
	}
	if open := c.g.engine.View().Open; len(open) != 0 {
		t.Errorf("still open: %+v", open)
	}
	answer := c.order(command.Acknowledge, about(nil))
	if answer.Type != alert.CommandRefused || answer.Fault != string(command.NoAlert) || answer.Command == "" {
		t.Errorf("about a closed alert: %+v", answer)
	}
}

func TestARepetitionIsAnsweredAgain(t *testing.T) {
	c := startCommanded(t, true)
	a := c.press("a")
	first := c.claims(command.Acknowledge, func(cl *command.Claims) { cl.Alert, cl.Number = a.ID, a.Last.Number })
	compact := c.give(first)
	c.answer(first.Counter)
	again := c.claims(command.Acknowledge, func(cl *command.Claims) { cl.ID, cl.Alert, cl.Number = first.ID, a.ID, a.Last.Number })
	c.give(again)
	if e := c.answer(again.Counter); e.Type != alert.CommandAccepted || e.Command != first.ID {
		t.Errorf("the repetition: %+v", e)
	}
	// A copy, word by word, is a replay: told, and no answer to the command.
	for range 50 {
		c.g.command(compact, false)
	}
	c.g.command(compact, true)
	e := c.event("the replay", func(e alert.Event) bool { return e.Fault == string(command.Replayed) })
	if e.Command != "" {
		t.Errorf("a replay was answered: %+v", e)
	}
	c.event("the retained copy", func(e alert.Event) bool { return e.Fault == string(command.Retained) })
	if n := c.count(alert.Acknowledged); n != 1 {
		t.Errorf("acknowledged %d times", n)
	}
	if n := c.count(alert.CommandRefused); n > 3 {
		t.Errorf("%d events about 51 refusals", n)
	}
	metrics := c.metrics()
	for _, want := range []string{"nabat_commands_accepted_total 2\n", `nabat_commands_refused_total{reason="retained"} 1`, `nabat_commands_refused_total{reason="expired"} 0`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in\n%s", want, metrics)
		}
	}
}

// Dispatch signs a command anew when it has heard no answer: what was done is
// answered, and not done a second time, even when that would be possible.
func TestARepetitionIsNotDoneTwice(t *testing.T) {
	c := startCommanded(t, true)
	start := func(cl *command.Claims) {
		cl.Kind, cl.Level, cl.Place = alert.Fire, alert.LevelEmergency, "place-a"
	}
	first := c.claims(command.DrillStart, start)
	c.give(first)
	if e := c.answer(first.Counter); e.Type != alert.CommandAccepted {
		t.Fatalf("drill-start: %+v", e)
	}
	if e := c.order(command.DrillEnd, nil); e.Type != alert.CommandAccepted {
		t.Fatalf("drill-end: %+v", e)
	}
	again := c.claims(command.DrillStart, start)
	again.ID = first.ID
	c.give(again)
	if e := c.answer(again.Counter); e.Type != alert.CommandAccepted || e.Command != first.ID {
		t.Errorf("the repetition: %+v", e)
	}
	if n := c.count(alert.DrillStarted); n != 1 {
		t.Errorf("%d drills began", n)
	}
}

func TestDispatchAnnouncesAndHoldsDrills(t *testing.T) {
	c := startCommanded(t, true)
	text := alert.Text{RU: "Сбор во дворе", KK: "Аулада жиналу", EN: "Gather in the yard"}
	announce := c.claims(command.Announce, func(cl *command.Claims) { cl.Text, cl.Seconds = &text, 600 })
	c.give(announce)
	if e := c.answer(announce.Counter); e.Type != alert.CommandAccepted {
		t.Fatalf("announce: %+v", e)
	}
	if n := c.g.engine.View().Notices; len(n) != 1 || n[0].Text != text || n[0].ID != announce.ID || len(n[0].Zones) != 1 || n[0].Zones[0] != alert.Everywhere {
		t.Errorf("notices %+v", n)
	}
	if e := c.order(command.Announce, func(cl *command.Claims) { cl.Text, cl.Seconds, cl.Screens = &text, 600, []string{"cellar"} }); e.Fault != string(command.NotDone) {
		t.Errorf("on a screen that is not there: %+v", e)
	}
	start := func(cl *command.Claims) {
		cl.Kind, cl.Level, cl.Place = alert.Fire, alert.LevelEmergency, "place-a"
	}
	if e := c.order(command.DrillStart, start); e.Type != alert.CommandAccepted {
		t.Fatalf("drill-start: %+v", e)
	}
	if open := c.g.engine.View().Open; len(open) != 1 || open[0].Status() != alert.Exercise {
		t.Errorf("open %+v", open)
	}
	real := c.press("b")
	if real.Status() != alert.Actual {
		t.Errorf("a press in a drill is %s", real.Status())
	}
	if e := c.order(command.DrillEnd, nil); e.Type != alert.CommandAccepted {
		t.Fatalf("drill-end: %+v", e)
	}
	if open := c.g.engine.View().Open; len(open) != 1 || open[0].ID != real.ID {
		t.Errorf("after the drill: %+v", open)
	}
	if e := c.order(command.DrillEnd, nil); e.Type != alert.CommandRefused {
		t.Errorf("no drill to end: %+v", e)
	}
}

func TestKeysChangeByCommand(t *testing.T) {
	c := startCommanded(t, true)
	second := newDispatchKey(t)
	public := second.Public()
	public.ID = "key-2"
	if e := c.order(command.Keys, func(cl *command.Claims) { cl.Add = &public }); e.Type != alert.CommandAccepted {
		t.Errorf("add: %+v", e)
	}
	if e := c.order(command.Keys, func(cl *command.Claims) { cl.Retire = "key-1" }); e.Fault != string(command.KeyChange) || e.Command == "" {
		t.Errorf("a key retires itself: %+v", e)
	}
}

func TestWithoutAKeyEveryCommandIsRefused(t *testing.T) {
	c := startCommanded(t, false)
	c.give(c.claims(command.DrillEnd, nil))
	c.event("refusal", func(e alert.Event) bool { return e.Fault == string(command.NoKeys) })
}

// The links' goroutines hand commands over; a slow disk must not hold them.
func TestTooManyCommandsAreDroppedAndCounted(t *testing.T) {
	c := startCommanded(t, true)
	idle := &commands{g: c.g, queue: make(chan incoming, commandQueue)} // nobody takes from it
	for range 3 * commandQueue {
		idle.take([]byte("x"), false)
	}
	if n := idle.tally.Counts()[command.Overflow]; n != 2*commandQueue {
		t.Errorf("%d were dropped, want %d", n, 2*commandQueue)
	}
	long := make([]byte, 1<<20)
	idle.queue = make(chan incoming, 1)
	idle.take(long, false)
	if in := <-idle.queue; len(in.compact) > command.MaxBytes+1 {
		t.Errorf("%d bytes are kept", len(in.compact))
	}
}

// Between a clear and the note that it was done, power may fail; the repetition
// then finds the alert closed, by itself.
func TestAClearThatIsAskedForAgainIsAccepted(t *testing.T) {
	c := startCommanded(t, true)
	a := c.press("a")
	d := alert.Decision{Alert: a.ID, Number: a.Last.Number, Outcome: alert.Resolved, Origin: originDispatch, Who: "operator-7"}
	if err := c.g.engine.Clear(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	clearAgain := func(who string) func(*command.Claims) {
		return func(cl *command.Claims) {
			cl.Alert, cl.Number, cl.Outcome, cl.Who = a.ID, a.Last.Number, alert.Resolved, who
		}
	}
	if e := c.order(command.Clear, clearAgain("operator-7")); e.Type != alert.CommandAccepted {
		t.Errorf("the same again: %+v", e)
	}
	if e := c.order(command.Clear, clearAgain("operator-8")); e.Fault != string(command.NoAlert) {
		t.Errorf("of another operator: %+v", e)
	}
}

func TestOutcomes(t *testing.T) {
	if _, known := outcome(nil); !known {
		t.Error("success is not known")
	}
	if o, known := outcome(fmt.Errorf("x: %w", alert.ErrNotDurable)); !known || o.Reason != "" || o.Detail == "" {
		t.Errorf("kept in memory: %+v", o)
	}
	if _, known := outcome(fmt.Errorf("x: %w", engine.ErrStopped)); known {
		t.Error("a gateway that stops answers for what it has not done")
	}
	for err, want := range map[error]command.Reason{
		engine.ErrNotYet: "", engine.ErrNoAlert: command.NoAlert, engine.ErrNoPress: command.NoAlert, errors.New("x"): command.NotDone,
	} {
		if o, known := outcome(fmt.Errorf("x: %w", err)); !known || o.Reason != want || o.Detail == "" {
			t.Errorf("%v: %+v, %v", err, o, known)
		}
	}
}
