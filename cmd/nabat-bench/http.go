package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"nabat/gateway/clock"
	"nabat/gateway/journal"
	"nabat/sync/central"
	"nabat/sync/event"
)

// drainWithin bounds one drain over HTTP.
const drainWithin = 3 * time.Minute

// measureHTTP compares the rate at which the events of an outage leave over
// HTTP with that of a bare client that posts the same batches.
func measureHTTP(ctx context.Context, b *bench) (s section, err error) {
	const gateway = "outage"
	clk, err := clock.NewSystem()
	if err != nil {
		return s, err
	}
	var floor, drained, ratios []float64
	var whole []time.Duration
	var last httpDrain
	var work, bareWork time.Duration
	// The gateway goes first, because its batches are what the floor posts.
	err = turns(ctx, drains, 1, func(ctx context.Context, _ bool) error {
		if last, err = b.drainHTTP(ctx, clk, gateway); err != nil {
			return err
		}
		whole, work = append(whole, last.whole), work+last.work
		drained = append(drained, float64(b.size.drain)/last.took.Seconds())
		b.say("  drained over HTTP: %s", perSecond(drained[len(drained)-1]))
		return nil
	}, func(ctx context.Context, _ bool) error {
		bare, err := b.postBare(ctx, gateway, last)
		if err != nil {
			return err
		}
		bareWork += bare.work
		floor = append(floor, float64(b.size.drain)/bare.took.Seconds())
		ratios = append(ratios, drained[len(drained)-1]/floor[len(floor)-1])
		b.say("  bare client: %s", perSecond(floor[len(floor)-1]))
		return nil
	})
	if err != nil {
		return s, err
	}
	ratio := median(drained) / median(floor)
	return section{
		title: "Draining an outage over HTTP",
		lines: []line{
			{
				figure: fmt.Sprintf("HTTP drain of %d events of %d bytes, against a bare client that posts the same batches", b.size.drain, eventBytes),
				target: "≥ 0.7 × its rate", floor: perSecond(median(floor)), measured: perSecond(median(drained)),
				ratio:   fmt.Sprintf("%.2f × (turns %.2f – %.2f)", ratio, slices.Min(ratios), slices.Max(ratios)),
				verdict: verdictOf(ratio >= 0.7),
			},
			{figure: "the same: lost · doubled · out of order in their lane", target: "0 · 0 · 0", measured: "0 · 0 · 0", verdict: reachedIt},
		},
		how: []string{
			fmt.Sprintf("%d times: %d events, every twentieth an alarm, are committed while the link is off; then the link runs against dispatch's own gate, intake and SQLite store behind net/http, in this process. "+
				"The rate is that from the first batch's coming to the answer to the last, which is given after its commit. The floor is a net/http client that holds those very batches (%d, %.1f KiB each, compressed as they were) in memory and posts them in the same order, "+
				"one after the other over one connection, to the same gate before a fresh database.", drains, b.size.drain, len(last.posts), last.mean()/1024),
			"The figures are medians. Afterwards every batch that was answered is read: a loss, a doubled event or one out of order in its lane ends the measurement with an error, and there is no report; and both databases must hold every event once.",
		},
		also: []string{
			fmt.Sprintf("from the start of the link to the journal's knowledge that all is delivered: %s at the most.", nice(slices.Max(whole))),
			fmt.Sprintf("processor time of the whole process, dispatch's part included, which a busy machine moves less: %s an event against %s with the bare client, %.2f × its rate.",
				nice(work/time.Duration(drains*b.size.drain)), nice(bareWork/time.Duration(drains*b.size.drain)), float64(bareWork)/float64(work)),
		},
		hidden: []string{"TLS, which costs both the same, and a network; a machine of its own for dispatch; the back-off before the link is back."},
	}, nil
}

// httpDrain is one drain: what was posted, and how long it took from the first
// batch to the last answer, and from the start of the link to its end; work is
// the processor time of this process meanwhile.
type httpDrain struct {
	epoch       string
	posts       []post
	took, whole time.Duration
	work        time.Duration
}

// mean returns the mean size of the batches, in bytes.
func (d httpDrain) mean() float64 {
	total := 0
	for _, p := range d.posts {
		total += len(p.body)
	}
	return float64(total) / float64(len(d.posts))
}

// drainHTTP commits events, then lets the link run.
func (b *bench) drainHTTP(ctx context.Context, clk *clock.System, gateway string) (d httpDrain, err error) {
	st, err := b.outage(ctx, clk, gateway)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, st.stop()) }()
	f, err := b.openFar(ctx, gateway)
	if err != nil {
		return d, err
	}
	client, err := central.New(central.Options{
		Site: benchSite, Gateway: gateway, URL: f.url, TokenFile: f.tokenFile,
		Alarm: st.lane(journal.Alarm), Routine: st.lane(journal.Routine), Now: clk.Now,
	})
	if err != nil {
		return d, errors.Join(fmt.Errorf("make the link: %w", err), f.stop())
	}
	begun, used := time.Now(), processorTime()
	l := runLink(ctx, client.Run)
	err = untilTrue(ctx, drainWithin, "the journal knows that everything was delivered", func() bool { return st.depth() == 0 })
	d.whole, d.work = time.Since(begun), processorTime()-used
	if err := errors.Join(err, l.stop(), f.stop()); err != nil {
		return d, err
	}
	d.epoch = st.Epoch()
	d.posts, d.took = f.stored()
	return d, b.intact(ctx, f, gateway, d)
}

// intact says whether what a far end took, and what its database holds, is the
// outage and nothing else.
func (b *bench) intact(ctx context.Context, f *httpFar, gateway string, d httpDrain) error {
	return errors.Join(check(d.posts, b.size.drain), holds(ctx, f.database, gateway, d.epoch, uint64(b.size.drain)))
}

// processorTime returns how much processor time this process has used.
func processorTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil { // it fails only for wrong arguments
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// postBare posts the batches of a drain one after the other and returns what
// that came to.
func (b *bench) postBare(ctx context.Context, gateway string, d httpDrain) (httpDrain, error) {
	f, err := b.openFar(ctx, gateway)
	if err != nil {
		return d, err
	}
	used := processorTime()
	transport := new(http.Transport)
	client := &http.Client{Transport: transport, Timeout: drainWithin}
	for _, p := range d.posts {
		if err = postOne(ctx, client, f, gateway, p); err != nil {
			break
		}
	}
	d.work = processorTime() - used
	transport.CloseIdleConnections()
	if err := errors.Join(err, f.stop()); err != nil {
		return d, err
	}
	d.posts, d.took = f.stored()
	return d, b.intact(ctx, f, gateway, d)
}

func postOne(ctx context.Context, client *http.Client, f *httpFar, gateway string, p post) error {
	address := f.url + "/v1/sites/" + benchSite + "/gateways/" + gateway + "/events"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(p.body))
	if err != nil {
		return fmt.Errorf("post a batch: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+f.token)
	req.Header.Set("Content-Type", event.BatchType)
	if p.zipped {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("post a batch: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the far end answers %d %s %w", resp.StatusCode, bytes.TrimSpace(text), errors.Join(err, errWrong))
	}
	return nil
}
