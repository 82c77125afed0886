package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/engine"
	"nabat/sync/command"
)

// carryOut does what a command asks for. known is false where the gateway
// stopped meanwhile, so that nobody can say whether it was done.
func (c *commands) carryOut(ctx context.Context, cl command.Claims) (o command.Outcome, known bool) {
	bounded, cancel := context.WithTimeout(ctx, commandPatience)
	defer cancel()
	decision := alert.Decision{
		Alert: cl.Alert, Number: cl.Number, Outcome: cl.Outcome,
		Origin: originDispatch, Who: cl.Who, Why: cl.Why, ETA: cl.ETA, Command: cl.ID,
	}
	drill := engine.Drill{Kind: cl.Kind, Level: cl.Level, Place: cl.Place, Who: cl.Who, Why: cl.Why, Origin: originDispatch, Command: cl.ID}
	var err error
	switch cl.Verb {
	case command.Acknowledge:
		err = c.g.engine.Acknowledge(bounded, decision)
	case command.Responding:
		err = c.g.engine.Respond(bounded, decision)
	case command.Arrived:
		err = c.g.engine.Arrive(bounded, decision)
	case command.Clear:
		err = c.g.engine.Clear(bounded, decision)
		if errors.Is(err, engine.ErrNoAlert) && c.cleared(decision) {
			err = nil
		}
	case command.Announce:
		err = c.announce(bounded, cl)
	case command.DrillStart:
		err = c.g.engine.StartDrill(bounded, drill)
	case command.DrillEnd:
		err = c.g.engine.EndDrill(bounded, drill)
	case command.ConfigPull:
		return c.pull(ctx, cl)
	case command.Keys: // the gate has done it together with the counter
	default:
		err = fmt.Errorf("verb %q: nobody carries it out", cl.Verb)
	}
	return outcome(err)
}

// outcome says what an engine's answer means to dispatch.
func outcome(err error) (o command.Outcome, known bool) {
	switch {
	case err == nil:
		return command.Outcome{}, true
	case errors.Is(err, engine.ErrStopped):
		return command.Outcome{}, false
	// Both hold already or as soon as the disk answers. The answer to dispatch
	// takes its place behind them in the same lane of the journal.
	case errors.Is(err, alert.ErrNotDurable), errors.Is(err, engine.ErrNotYet):
		return command.Outcome{Detail: err.Error()}, true
	case errors.Is(err, engine.ErrNoAlert), errors.Is(err, engine.ErrNoPress):
		return command.Outcome{Reason: command.NoAlert, Detail: err.Error()}, true
	default:
		return command.Outcome{Reason: command.NotDone, Detail: err.Error()}, true
	}
}

// cleared reports whether the alert is closed by this very decision: a power
// cut came between the clear and the note that the command was carried out.
func (c *commands) cleared(d alert.Decision) bool {
	a, ok := c.g.engine.View().State.Find(d.Alert)
	m := a.Cleared
	return ok && !a.Open() && m.Number >= d.Number && m.Origin == d.Origin && m.Who == d.Who && m.Why == d.Why && m.Outcome == d.Outcome
}

func (c *commands) announce(ctx context.Context, cl command.Claims) error {
	for _, s := range cl.Screens {
		if !slices.Contains(c.g.config.Screens, s) {
			return fmt.Errorf("there is no screen %q", s)
		}
	}
	zones := cl.Zones
	if len(zones) == 0 && !cl.Silent {
		zones = []string{alert.Everywhere}
	}
	return c.g.engine.Announce(ctx, alert.Notice{
		ID: cl.ID, Text: *cl.Text, Screens: cl.Screens, Zones: zones, For: time.Duration(cl.Seconds) * time.Second,
		Origin: originDispatch, Who: cl.Who, Command: cl.ID,
	})
}
