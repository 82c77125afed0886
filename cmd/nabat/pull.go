package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/config"
	"nabat/sync/command"
)

// pullPatience is how long fetching a configuration may take.
const pullPatience = 30 * time.Second

// maxMistakes bounds what an event says about a refused configuration.
const maxMistakes = 2000

// fetcher brings the configuration that was last assigned to this gateway; nil
// bytes mean that none was. The central link is one.
type fetcher interface {
	Fetch(ctx context.Context) ([]byte, error)
}

// Mistakes of a configuration that only show for this gateway.
var (
	errOtherGateway = errors.New("it is for another gateway")
	errCutsOff      = errors.New("it would cut dispatch off, and nobody could mend that without a visit")
)

// pull fetches the configuration whose digest the command carries and keeps it
// for the next start.
func (c *commands) pull(ctx context.Context, cl command.Claims) (o command.Outcome, known bool) {
	refused := func(reason command.Reason, err error) (command.Outcome, bool) {
		detail := oneLine(err)
		c.g.engine.Record(alert.Event{
			Type: alert.ConfigRefused, Subject: c.g.config.Site.Gateway, Command: cl.ID, Counter: cl.Counter,
			Origin: originDispatch, Who: cl.Who, Fault: string(reason), Detail: detail,
		})
		return command.Outcome{Reason: reason, Detail: detail}, ctx.Err() == nil
	}
	switch {
	case c.g.fetcher == nil:
		return refused(command.NoCentral, errors.New("there is no [central] link to fetch it over"))
	case c.g.pulled == nil:
		return refused(command.NotDone, errors.New("this gateway was not started with a configuration file"))
	case len(c.g.engine.View().Open) > 0:
		return refused(command.NotDone, errors.New("an alert is open, and the gateway would have to start anew: clear it first"))
	}
	bounded, cancel := context.WithTimeout(ctx, pullPatience)
	defer cancel()
	text, err := c.g.fetcher.Fetch(bounded)
	if err == nil && len(text) == 0 {
		err = errors.New("dispatch has assigned none")
	}
	if err != nil {
		return refused(command.ConfigUnreachable, err)
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != cl.Digest {
		return refused(command.Digest, fmt.Errorf("dispatch gave %d bytes with the SHA-256 %x, and signed for %s", len(text), sum, cl.Digest))
	}
	next, err := config.Parse(pulledFile, text)
	if err == nil {
		err = c.g.suits(next)
	}
	if err != nil {
		return refused(command.ConfigBad, err)
	}
	if err := c.g.pulled.assign(text, cl); err != nil {
		return refused(command.NotStored, err)
	}
	return command.Outcome{Detail: "the gateway starts anew with it"}, true
}

// oneLine tells every mistake of a configuration, within bounds.
func oneLine(err error) string {
	detail := strings.ReplaceAll(err.Error(), "\n", " | ")
	if r := []rune(detail); len(r) > maxMistakes {
		detail = string(r[:maxMistakes]) + "…"
	}
	return detail
}

// suits refuses a configuration that is good in itself and wrong here.
func (g *gateway) suits(next *config.Config) error {
	switch now := g.config; {
	case next.Site.ID != now.Site.ID || next.Site.Gateway != now.Site.Gateway:
		return fmt.Errorf("it is for %s/%s, this is %s/%s: %w", next.Site.ID, next.Site.Gateway, now.Site.ID, now.Site.Gateway, errOtherGateway)
	case next.DataDir != now.DataDir:
		return fmt.Errorf("data_dir %s, here it is %s: %w", next.DataDir, now.DataDir, errOtherGateway)
	case !next.Central.Enabled:
		return fmt.Errorf("it has no [central] link: %w", errCutsOff)
	}
	var keys []command.Key
	for _, k := range next.Command.Keys {
		keys = append(keys, command.Key{ID: k.ID, Public: k.Public})
	}
	if !g.gate.Trusts(keys) {
		return fmt.Errorf("it has no [[command_key]] that is not retired: %w", errCutsOff)
	}
	return nil
}

// settlePulled tells, once the gateway is ready, what became of configurations
// that dispatch has assigned.
func (c *commands) settlePulled() {
	if c.g.pulled == nil {
		return
	}
	fresh, refused, err := c.g.pulled.ready()
	if err != nil {
		c.g.log.Warn("that the pulled configuration works is not noted", "error", err)
	}
	event := func(typ alert.Type, a assigned, detail string) alert.Event {
		return alert.Event{Type: typ, Subject: c.g.config.Site.Gateway, Command: a.Command, Counter: a.Counter, Origin: originDispatch, Who: a.Who, Detail: detail}
	}
	if fresh != nil {
		c.g.engine.Record(event(alert.ConfigApplied, *fresh, "SHA-256 "+fresh.Digest))
	}
	if refused != nil {
		e := event(alert.ConfigRefused, *refused, oneLine(c.g.pulled.given))
		e.Fault = string(command.ConfigBad)
		c.g.engine.Record(e)
	}
}
