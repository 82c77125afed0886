package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync/atomic"
	"time"

	"nabat/gateway/alert"
	"nabat/sync/command"
)

const (
	// gateFile holds the highest counter of a command, in the data directory.
	gateFile = "commands.state"
	// commandQueue bounds the commands that wait to be looked at.
	commandQueue = 64
	// commandPatience is how long one command may wait for the journal.
	commandPatience = 10 * time.Second
	// tallyEvery is how often refusals that wait for their minute are looked at.
	tallyEvery = 10 * time.Second

	originDispatch = "dispatch"
)

// commands is the job that carries out what dispatch asks for, one command
// after the other.
type commands struct {
	g        *gateway
	queue    chan incoming
	tally    command.Tally
	accepted atomic.Uint64
}

// incoming is a command as a link received it.
type incoming struct {
	compact  []byte
	retained bool
}

// wireCommands opens the gate, where the configuration trusts a key. Without
// one g.gate is nil, which refuses every command and says why.
func (g *gateway) wireCommands() error {
	g.commands = &commands{g: g, queue: make(chan incoming, commandQueue)}
	if len(g.config.Command.Keys) == 0 {
		return nil
	}
	links := 0
	for _, enabled := range []bool{g.config.MQTT.Enabled, g.config.Central.Enabled} {
		if enabled {
			links++
		}
	}
	var keys []command.Key
	for _, k := range g.config.Command.Keys {
		keys = append(keys, command.Key{ID: k.ID, Public: k.Public})
	}
	var err error
	g.gate, err = command.Open(command.Options{
		Path: filepath.Join(g.config.DataDir, gateFile), Audience: g.config.Site.ID + "/" + g.config.Site.Gateway,
		Keys: keys, Now: g.clock.Now, Links: links, Health: g.health, Log: g.log.With("room", "commands"),
	})
	return err
}

// command takes a command from a link. It never blocks: what comes faster than
// it can be looked at is dropped and counted; dispatch sends its own again.
func (g *gateway) command(compact []byte, retained bool) { g.commands.take(compact, retained) }

func (c *commands) take(compact []byte, retained bool) {
	if len(compact) > command.MaxBytes {
		compact = compact[:command.MaxBytes+1] // enough to be refused for its size
	}
	select {
	case c.queue <- incoming{compact: bytes.Clone(compact), retained: retained}:
	default:
		c.refuse(&command.Refusal{Reason: command.Overflow, Err: fmt.Errorf("more than %d commands wait", commandQueue)})
	}
}

// run carries out commands until ctx ends. Commands that still wait then are
// dropped: dispatch signs them anew when the gateway is there again.
func (c *commands) run(ctx context.Context) error {
	ticker := time.NewTicker(tallyEvery)
	defer ticker.Stop()
	defer func() { c.record(c.tally.Rest()) }()
	armed := c.g.armed
	for {
		select {
		case <-armed:
			armed = nil
			c.settlePulled()
		case <-ctx.Done():
			return nil
		case in := <-c.queue:
			c.one(ctx, in)
		case <-ticker.C:
			c.record(c.tally.Due(c.g.clock.Now().Mono))
		}
	}
}

// one judges a command, carries it out and answers.
func (c *commands) one(ctx context.Context, in incoming) {
	cmd, err := c.g.gate.Accept(in.compact, in.retained)
	if refusal, ok := errors.AsType[*command.Refusal](err); ok {
		c.refuse(refusal)
		return
	}
	if cmd.Before != nil {
		c.answer(cmd, *cmd.Before)
		return
	}
	outcome, known := c.carryOut(ctx, cmd.Claims)
	if !known {
		return // the gateway stops: dispatch asks again
	}
	if cmd.Verb != command.Keys { // the gate has noted that one together with the counter
		if err := c.g.gate.Done(cmd.ID, outcome); err != nil {
			c.g.log.Warn("a command is not remembered", "error", err)
		}
	}
	c.answer(cmd, outcome)
	if cmd.Verb == command.ConfigPull && outcome.Reason == "" {
		c.g.startAnew("dispatch has assigned another configuration")
	}
}

// answer records how a command ended.
func (c *commands) answer(cmd command.Command, o command.Outcome) {
	if o.Reason != "" {
		c.refuse(&command.Refusal{Reason: o.Reason, ID: cmd.ID, Counter: cmd.Counter, Err: fmt.Errorf("%s: %s", cmd.Verb, o.Detail)})
		return
	}
	c.accepted.Add(1)
	detail := string(cmd.Verb)
	if o.Detail != "" {
		detail += ": " + o.Detail
	}
	if cmd.Before != nil {
		detail += " (it was done before)"
	}
	c.g.log.Info("command accepted", "command", cmd.ID, "counter", cmd.Counter, "verb", cmd.Verb, "who", cmd.Who)
	c.g.engine.Record(alert.Event{
		Type: alert.CommandAccepted, Subject: cmd.ID, Command: cmd.ID, Counter: cmd.Counter,
		Origin: originDispatch, Who: cmd.Who, Detail: detail,
	})
}

// refuse counts a refusal and records what is due.
func (c *commands) refuse(r *command.Refusal) { c.record(c.tally.Note(r, c.g.clock.Now().Mono)) }

func (c *commands) record(list []command.Refused) {
	for _, r := range list {
		c.g.log.Warn("command refused", "reason", string(r.Reason), "command", r.ID, "counter", r.Counter, "count", r.Count, "error", r.Err)
		e := alert.Event{
			Type: alert.CommandRefused, Subject: "commands", Command: r.ID, Counter: r.Counter,
			Origin: originDispatch, Fault: string(r.Reason), Count: r.Count,
		}
		if r.ID != "" {
			e.Subject = r.ID
		}
		if r.Err != nil {
			e.Detail = r.Err.Error()
		}
		c.g.engine.Record(e)
	}
}

// metrics writes how many commands were accepted and refused.
func (c *commands) metrics(w io.Writer) {
	fmt.Fprintf(w, "nabat_commands_accepted_total %d\n", c.accepted.Load())
	counts := c.tally.Counts()
	for _, reason := range command.Reasons() {
		fmt.Fprintf(w, "nabat_commands_refused_total{reason=%q} %d\n", string(reason), counts[reason])
	}
}
