package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"nabat/gateway/config"
	"nabat/gateway/control"
)

type doctorVerb struct {
	Config string `default:"/etc/nabat/nabat.toml" help:"Configuration file of the gateway."`
}

// Help is shown by nabat doctor --help.
func (doctorVerb) Help() string {
	return `One line for each thing that an installer should see right, and what to do where it is not:
board, clock, disk, sound, voices, displays, screens, broker, central service, certificates.

It presses no button, makes no sound and sends no event. While the gateway runs, what belongs
to the gateway alone (lines, displays, screens) is asked of the gateway. Exit status 1 means
that something has to be mended.`
}

// doctorPatience bounds one examination.
const doctorPatience = 15 * time.Second

// verdict says how serious a finding is.
type verdict string

const (
	well   verdict = "ok"
	doubt  verdict = "look"
	broken verdict = "MEND"
)

// finding is one line of the doctor's report.
type finding struct {
	verdict      verdict
	what, detail string
}

// found makes a finding of an error whose words say what to do.
func found(what, good string, err error) finding {
	if err != nil {
		return finding{broken, what, oneLine(err)}
	}
	return finding{well, what, good}
}

// Run examines the machine, and prints what it finds as it finds it.
func (v doctorVerb) Run(ctx context.Context, stdout io.Writer) error {
	c, err := config.Load(v.Config)
	if err != nil {
		var problems config.Errors
		if errors.As(err, &problems) {
			fmt.Fprintf(stdout, "%-4s  %-22s %d to mend; \"nabat config check %s\" lists them\n", broken, "configuration", len(problems), v.Config)
			return errSilent
		}
		return err
	}
	d := doctor{config: c}
	if s, err := control.NewClient(filepath.Join(c.DataDir, control.SocketName)).Status(ctx); err == nil {
		d.running = &s
	}
	worst := well
	report := func(list ...finding) {
		for _, f := range list {
			fmt.Fprintf(stdout, "%-4s  %-22s %s\n", f.verdict, f.what, f.detail)
			if f.verdict == broken || f.verdict == doubt && worst == well {
				worst = f.verdict
			}
		}
	}
	report(d.configuration()...)
	// They look at the same time, because one that is away takes its whole
	// patience; they tell in their order.
	looks := d.looks()
	answers := make([]chan []finding, len(looks))
	var wg sync.WaitGroup
	defer wg.Wait()
	for i, look := range looks {
		answers[i] = make(chan []finding, 1)
		wg.Go(func() {
			bounded, cancel := context.WithTimeout(ctx, doctorPatience)
			defer cancel()
			answers[i] <- look(bounded)
		})
	}
	for _, a := range answers {
		report(<-a...)
	}
	switch worst {
	case broken:
		fmt.Fprintln(stdout, "\nSomething has to be mended.")
		return errSilent
	case doubt:
		fmt.Fprintln(stdout, "\nNothing is broken; look at what is marked.")
	case well:
		fmt.Fprintln(stdout, "\nAll is well. Press every button once all the same.")
	}
	return nil
}

// doctor examines what a configuration names.
type doctor struct {
	config  *config.Config
	running *control.Status // nil while no gateway answers
}

func (d doctor) looks() []func(context.Context) []finding {
	looks := []func(context.Context) []finding{d.gateway, d.board, d.clock, d.disk, d.sound, d.voices, d.displays, d.screens, d.pages}
	if d.config.MQTT.Enabled {
		looks = append(looks, d.broker)
	}
	if d.config.Central.Enabled {
		looks = append(looks, d.central)
	}
	return looks
}

func (d doctor) configuration() []finding {
	list := []finding{{well, "configuration", fmt.Sprintf("%d buttons, %d lamps, %d loudspeakers, %d screens, %d displays",
		len(d.config.Inputs), len(d.config.Outputs), len(d.config.Speakers), len(d.config.Screens), len(d.config.Displays))}}
	for _, w := range d.config.Warnings {
		list = append(list, finding{doubt, "configuration", w.Error()})
	}
	return list
}

// gateway is what the running gateway complains about by itself.
func (d doctor) gateway(context.Context) []finding {
	if d.running == nil {
		return []finding{{doubt, "gateway", "it does not run, or not for you: sudo systemctl status nabat (what it alone can know is not looked at)"}}
	}
	list := []finding{{well, "gateway", "runs for " + (time.Duration(d.running.UptimeSeconds) * time.Second).String()}}
	for _, c := range d.running.Conditions {
		list = append(list, finding{broken, c.Name, c.Detail})
	}
	for _, l := range d.running.Links {
		if !l.Up {
			list = append(list, finding{broken, "link " + l.Name, strings.TrimSpace("is down " + l.Detail)})
		}
	}
	return list
}
