package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"nabat/gateway/alert"
	"nabat/gateway/clock"
	"nabat/gateway/control"
	"nabat/gateway/journal"
	"nabat/gateway/pin"
)

// site is the school of every scenario.
const site = "school-12"

// buttonIDs are the buttons of every simulated wall. Taps are emergencies, so
// that every press is an alarm.
func buttonIDs() []string { return []string{"a", "b", "c", "d"} }

// gateway is a real nabat on a simulated board.
type gateway struct {
	*process
	w      *world
	id     string
	dir    string
	config string
	env    []string
	boot   string // the boot id that a shifted clock pretends
	client *control.Client
	// presses counts those that the gateway took.
	presses int
}

// newGateway writes a configuration with the given links and starts nothing.
func (w *world) newGateway(ctx context.Context, id, links string) (*gateway, error) {
	dir, err := w.folder("gateway-" + id)
	if err != nil {
		return nil, err
	}
	g := &gateway{w: w, id: id, dir: dir, config: filepath.Join(dir, "nabat.toml"), client: control.NewClient(filepath.Join(dir, control.SocketName))}
	return g, g.configure(ctx, links)
}

// configure writes the configuration anew.
func (g *gateway) configure(_ context.Context, links string) error {
	hash, err := pin.Hash("493817")
	if err != nil {
		return fmt.Errorf("hash a PIN: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `site = %q
gateway = %q
name = { ru = "Школа № 12", kk = "№ 12 мектеп", en = "School No. 12" }
language = "en"
board = "sim"
data_dir = %q
`, site, g.id, g.dir)
	for _, id := range buttonIDs() {
		fmt.Fprintf(&b, `
[[place]]
id = "room-%[1]s"
name = { ru = "Кабинет %[1]s", kk = "%[1]s-кабинет", en = "Room %[1]s" }
[[button]]
id = %[1]q
place = "room-%[1]s"
kind = "intruder"
tap = "emergency"
[[lamp]]
id = "lamp-%[1]s"
place = "room-%[1]s"
`, id)
	}
	fmt.Fprintf(&b, "\n[web]\nlisten = \"127.0.0.1:0\"\npin = %q\n[journal]\nballast_mib = 1\n%s", hash, links)
	if err := os.WriteFile(g.config, []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("configure the gateway: %w", err)
	}
	return nil
}

// run starts the program and waits until every button is armed.
func (g *gateway) run(ctx context.Context) error {
	var err error
	if g.process, err = g.w.start("nabat "+g.id, g.env, g.w.programs.nabat, "run", "--config", g.config); err != nil {
		return err
	}
	return g.w.until(ctx, "every button of "+g.id+" is armed", func() (bool, error) {
		if err := g.alive(); err != nil {
			return false, fmt.Errorf("%w: %w", errWrong, err)
		}
		s, err := g.client.Status(ctx)
		if err != nil {
			return false, err
		}
		for _, p := range s.Points {
			if !p.Armed {
				return false, fmt.Errorf("%s: %s %s", p.ID, p.Fault, p.Detail)
			}
		}
		return len(s.Points) > 0, nil
	})
}

// restart stops the program gently and starts it again.
func (g *gateway) restart(ctx context.Context) error {
	if err := g.stop(ctx); err != nil {
		return err
	}
	return g.run(ctx)
}

// press presses buttons one after another, n times, each after the one before is
// saved, however busy the disk is with other things.
func (g *gateway) press(ctx context.Context, n int) error {
	for range n {
		id := buttonIDs()[g.presses%len(buttonIDs())]
		err := g.client.Press(ctx, id, 0)
		if errors.Is(err, control.ErrNotSaved) {
			err = g.saved(ctx)
		}
		if err != nil {
			return fmt.Errorf("press %s: %w", id, err)
		}
		g.presses++
	}
	return nil
}

// saved waits until every open alert is on the disk.
func (g *gateway) saved(ctx context.Context) error {
	return g.w.until(ctx, "every press is saved", func() (bool, error) {
		s, err := g.client.Status(ctx)
		return err == nil && !slices.ContainsFunc(s.Alerts, func(a control.Alert) bool { return a.Truth == alert.TruthRaised.String() }), err
	})
}

// pressAnyway presses every button at once, and counts the presses that the
// gateway acts on although it cannot save them. It reports whether it saved all.
func (g *gateway) pressAnyway(ctx context.Context) (saved bool, err error) {
	errs := make([]error, len(buttonIDs()))
	var wg sync.WaitGroup
	for i, id := range buttonIDs() {
		wg.Go(func() { errs[i] = g.client.Press(ctx, id, 0) })
	}
	wg.Wait()
	saved = true
	for _, e := range errs {
		switch {
		case e == nil:
			g.presses++
		case errors.Is(e, control.ErrNotSaved):
			g.presses++
			saved = false
		default:
			err = errors.Join(err, e)
		}
	}
	return saved, err
}

// condition waits until a condition holds, or holds no more.
func (g *gateway) condition(ctx context.Context, name string, holds bool) error {
	return g.w.until(ctx, fmt.Sprintf("condition %s holds: %v", name, holds), func() (bool, error) {
		found, err := g.holds(ctx, name)
		return err == nil && found == holds, err
	})
}

// holds reports whether a condition that begins with name holds now.
func (g *gateway) holds(ctx context.Context, name string) (bool, error) {
	s, err := g.client.Status(ctx)
	if err != nil {
		return false, err
	}
	for _, c := range s.Conditions {
		if strings.HasPrefix(c.Name, name) {
			return true, nil
		}
	}
	return false, nil
}

// row is one event of the journal.
type row struct {
	id    string
	epoch string
	seq   uint64
	typ   alert.Type
	event alert.Event
}

// journal reads every row that the journal holds.
func (g *gateway) journal(ctx context.Context) ([]row, error) {
	r, err := journal.OpenReader(filepath.Join(g.dir, "journal.db"))
	if err != nil {
		return nil, fmt.Errorf("read the journal of %s: %w", g.id, err)
	}
	defer r.Close() //nolint:errcheck // it was only read
	pipe, out := io.Pipe()
	go func() {
		_, err := r.Export(ctx, out)
		_ = out.CloseWithError(err)
	}()
	var rows []row
	for dec := json.NewDecoder(pipe); ; {
		var l struct { // as nabat journal export writes it
			Epoch   string
			Seq     uint64
			Type    alert.Type
			Subject string
			At      alert.Stamp
			Data    json.RawMessage
		}
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return rows, nil
		} else if err != nil {
			return nil, fmt.Errorf("read the journal of %s: %w", g.id, err)
		}
		var e alert.Event
		if err := json.Unmarshal(l.Data, &e); err != nil {
			return nil, fmt.Errorf("read %s-%d: %w", l.Epoch, l.Seq, err)
		}
		e.Type, e.Subject, e.At = l.Type, l.Subject, l.At
		rows = append(rows, row{id: fmt.Sprintf("%s-%d", l.Epoch, l.Seq), epoch: l.Epoch, seq: l.Seq, typ: l.Type, event: e})
	}
}

// fill puts n routine events into the journal of a stopped gateway, as weeks
// without a network would.
func (g *gateway) fill(ctx context.Context, n int, consumers ...string) error {
	clk, err := clock.NewSystem()
	if err != nil {
		return err
	}
	return g.fillWith(ctx, n, clk.Now, func(i int) string { return fmt.Sprintf("routine event %d", i) }, consumers...)
}

// fillWith is fill with a clock and words of one's own.
func (g *gateway) fillWith(ctx context.Context, n int, now func() alert.Stamp, detail func(int) string, consumers ...string) error {
	j, err := journal.Open(journal.Options{Path: filepath.Join(g.dir, "journal.db"), Consumers: consumers, Now: now})
	if err != nil {
		return fmt.Errorf("open the journal of %s: %w", g.id, err)
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- j.Run(run) }()
	err = fill(ctx, j, n, now, detail)
	cancel()
	return errors.Join(err, <-ended)
}

func fill(ctx context.Context, j *journal.Journal, n int, now func() alert.Stamp, detail func(int) string) error {
	const heap = 4096
	points := buttonIDs()
	for done := 0; done < n; done += heap {
		count := min(heap, n-done)
		answers := make(chan error, count)
		for i := range count {
			j.Append(alert.Event{
				Type: alert.PointRestored, Subject: points[i%len(points)], Point: points[i%len(points)], At: now(),
				Detail: detail(done + i),
			}, func(_ alert.Ref, err error) { answers <- err })
		}
		for range count {
			select {
			case err := <-answers:
				if err != nil {
					return fmt.Errorf("fill the journal: %w", err)
				}
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return nil
}
