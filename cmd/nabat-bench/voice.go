package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/announce"
	"nabat/hw/audio"
	"nabat/hw/audio/audiotest"
	"nabat/hw/audio/pulse"
	"nabat/hw/audio/rtp"
)

// pa is a chain with loudspeakers at its end.
type pa struct {
	*chain
	job    *announce.Job
	cancel context.CancelFunc
	ended  chan error
}

// newPA runs gestures, engine, journal and announcements over speakers.
func (b *bench) newPA(ctx context.Context, name string, zones []alert.Zone, speakers []announce.Speaker, chime time.Duration) (*pa, error) {
	c, err := b.newChain(ctx, name, alert.LevelEmergency)
	if err != nil {
		return nil, err
	}
	c.site.Zones = zones
	job, err := announce.New(announce.Options{
		Site: c.site, Source: c.engine, Clock: c.clk, Voices: tones{chime}, Speakers: speakers,
	})
	if err != nil {
		return nil, errors.Join(err, c.stop())
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &pa{chain: c, job: job, cancel: cancel, ended: make(chan error, 1)}
	go func() { p.ended <- job.Run(run) }()
	return p, nil
}

func (p *pa) stop() error {
	p.cancel()
	return errors.Join(<-p.ended, p.chain.stop())
}

// hush clears the alert of a press, and waits until nothing is said any more.
func (p *pa) hush(ctx context.Context, i int) error {
	if err := p.release(ctx, i); err != nil {
		return err
	}
	open := p.engine.View().State.Open()
	if len(open) != 1 {
		return fmt.Errorf("%d alerts are open after a press: %w", len(open), errWrong)
	}
	if err := p.engine.Clear(ctx, alert.Decision{Alert: open[0].ID, Number: open[0].Last.Number, Outcome: alert.Resolved}); err != nil {
		return fmt.Errorf("clear: %w", err)
	}
	<-p.answers // of the clear
	return until(ctx, patience, "the loudspeakers have said the all-clear", func() (bool, error) { return len(p.job.Sounding()) == 0, nil })
}

// released is the rest after which a loudspeaker has let its output go.
const released = time.Second

// tones are voices without words: a tone in place of every sound, so that a
// figure is about the way and not about a text.
type tones struct{ length time.Duration }

func (t tones) Chime(alert.Chime) []int16             { return audiotest.Sine(440, t.length) }
func (t tones) Clip(announce.Segment) ([]int16, bool) { return audiotest.Sine(880, t.length/4), true }
func (tones) Want([]announce.Segment)                 {}
func (tones) Changed() <-chan struct{}                { return nil }

// measureVoice compares a press on its way to the first sample that a recorder
// hears with a bare player of the same clip, started at the same moment.
func measureVoice(ctx context.Context, b *bench) (s section, err error) {
	server, err := audiotest.Start(ctx, "ours", "theirs")
	if err != nil {
		return s, fmt.Errorf("start a sound server (Debian's pulseaudio and pulseaudio-utils): %w", err)
	}
	defer server.Stop()
	ours, err := server.Record(ctx, "ours")
	if err != nil {
		return s, err
	}
	defer ours.Stop()
	theirs, err := server.Record(ctx, "theirs")
	if err != nil {
		return s, err
	}
	defer theirs.Stop()
	const length = 300 * time.Millisecond
	dir, err := b.folder("voice")
	if err != nil {
		return s, err
	}
	file := filepath.Join(dir, "clip.wav")
	if err := audiotest.WriteWAV(file, audiotest.Sine(440, length)); err != nil {
		return s, err
	}
	driver := pulse.New(pulse.Options{Server: server.Address(), Sink: "ours"})
	zones := []alert.Zone{{ID: "hall"}}
	p, err := b.newPA(ctx, "voice", zones, []announce.Speaker{{ID: "hall", Zones: []string{"hall"}, Driver: driver}}, length)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()

	var floor, heard samples
	for i := range b.size.says {
		if err := pause(ctx, released); err != nil {
			return s, err
		}
		ours.Forget()
		theirs.Forget()
		ended := make(chan error, 1)
		go func() { ended <- server.Paplay(ctx, "theirs", file) }()
		begun, _, err := p.press(ctx, i)
		if err != nil {
			return s, errors.Join(err, <-ended)
		}
		if err := <-ended; err != nil {
			return s, err
		}
		for _, r := range []*audiotest.Recording{ours, theirs} {
			if err := r.Wait(ctx, func(all []int16) bool { return audiotest.FirstSound(all) >= 0 }); err != nil {
				return s, err
			}
		}
		heard.add(ours.First().Sub(begun))
		floor.add(theirs.First().Sub(begun))
		if err := p.hush(ctx, i); err != nil {
			return s, err
		}
		for _, r := range []*audiotest.Recording{ours, theirs} { // the last of it is on its way to the recorder yet
			if err := r.Quiet(ctx, 300*time.Millisecond); err != nil {
				return s, err
			}
		}
	}
	return section{
		title: "Press → first sample of the announcement",
		lines: []line{atMost("press → first sample at the recorder, floor: paplay of the same clip started at the same moment", 1.2, 0.99, &heard, &floor)},
		how: []string{fmt.Sprintf("%d emergencies, each pressed, heard and cleared: gestures, engine, journal, announcements and the driver in one process, a PulseAudio of its own with two sinks that lead nowhere, and parec at the monitor of each. "+
			"The floor is paplay into the second sink, started together with the press. Both play a tone that begins with its first sample.", heard.count())},
		also:   []string{fmt.Sprintf("p50: ours %s, paplay %s.", nice(heard.at(0.5)), nice(floor.at(0.5)))},
		hidden: []string{"a sound card and its buffers, an amplifier's lead time, and the 10 ms by which a press is debounced."},
	}, nil
}

// measurePackets measures a press on its way to the first packet for IP
// loudspeakers.
func measurePackets(ctx context.Context, b *bench) (s section, err error) {
	conn, err := new(net.ListenConfig).ListenPacket(ctx, "udp4", "127.0.0.1:0")
	if err != nil {
		return s, fmt.Errorf("listen for packets: %w", err)
	}
	packets := make(chan time.Time, 1)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for buf := make([]byte, 2048); ; {
			if _, _, err := conn.ReadFrom(buf); err != nil {
				return
			}
			select {
			case packets <- time.Now():
			default: // only the first of a burst is waited for
			}
		}
	}()
	defer func() { err = errors.Join(err, conn.Close()); <-closed }()
	driver, err := rtp.New(rtp.Options{Group: conn.LocalAddr().String()})
	if err != nil {
		return s, err
	}
	p, err := b.newPA(ctx, "packets", []alert.Zone{{ID: "yard"}}, []announce.Speaker{{ID: "yard", Zones: []string{"yard"}, Driver: driver}}, 200*time.Millisecond)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	var took samples
	for i := range b.size.says {
		if err := pause(ctx, calm); err != nil {
			return s, err
		}
		select {
		case <-packets: // the last of what was said before
		default:
		}
		begun, _, err := p.press(ctx, i)
		if err != nil {
			return s, err
		}
		select {
		case at := <-packets:
			took.add(at.Sub(begun))
		case <-time.After(patience):
			return s, fmt.Errorf("no packet within %v of a press: %w", patience, errWrong)
		}
		if err := p.hush(ctx, i); err != nil {
			return s, err
		}
	}
	const limit = 50 * time.Millisecond
	return section{
		title: "Press → first RTP packet",
		lines: []line{{
			figure: "press → first RTP packet", target: "≤ 50 ms", measured: "p99 " + nice(took.at(0.99)), verdict: verdictOf(took.at(0.99) <= limit),
		}},
		how:    []string{fmt.Sprintf("%d emergencies, each pressed and cleared; a socket on loopback waits for the first packet after the press.", took.count())},
		also:   []string{fmt.Sprintf("p50 %s.", nice(took.at(0.5)))},
		hidden: []string{"a network, and the loudspeaker's own buffer."},
	}, nil
}

// measureZones has eight zones speak at once.
func measureZones(ctx context.Context, b *bench) (s section, err error) {
	const count = 8
	var names []string
	for i := range count {
		names = append(names, fmt.Sprintf("zone-%d", i))
	}
	server, err := audiotest.Start(ctx, names...)
	if err != nil {
		return s, fmt.Errorf("start a sound server (Debian's pulseaudio and pulseaudio-utils): %w", err)
	}
	defer server.Stop()
	var zones []alert.Zone
	var speakers []announce.Speaker
	var drivers []*pulse.Driver
	for _, name := range names {
		r, err := server.Record(ctx, name)
		if err != nil {
			return s, err
		}
		defer r.Stop()
		d := pulse.New(pulse.Options{Server: server.Address(), Sink: name})
		drivers = append(drivers, d)
		zones = append(zones, alert.Zone{ID: name})
		speakers = append(speakers, announce.Speaker{ID: name, Zones: []string{name}, Driver: d})
	}
	p, err := b.newPA(ctx, "zones", zones, speakers, 2*time.Second)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	before, err := audiotest.CPU(os.Getpid())
	if err != nil {
		return s, err
	}
	theirsBefore, err := server.CPU()
	if err != nil {
		return s, err
	}
	begun, _, err := p.press(ctx, 0)
	if err != nil {
		return s, err
	}
	err = until(ctx, b.size.speak+patience, "every zone speaks", func() (bool, error) {
		said := p.job.Sounding()
		return len(said) == count && time.Since(begun) >= b.size.speak, nil
	})
	if err != nil {
		return s, err
	}
	lasted := time.Since(begun)
	after, err := audiotest.CPU(os.Getpid())
	if err != nil {
		return s, err
	}
	theirsAfter, err := server.CPU()
	if err != nil {
		return s, err
	}
	if err := p.hush(ctx, 0); err != nil {
		return s, err
	}
	var underruns uint64
	for _, d := range drivers {
		underruns += d.Underruns()
	}
	share := func(d time.Duration) string {
		return fmt.Sprintf("%.1f %%", math.Round(1000*d.Seconds()/lasted.Seconds())/10)
	}
	return section{
		title: "Eight zones at once",
		lines: []line{{
			figure: fmt.Sprintf("%d zones sound at once: underruns", count), target: "0", measured: fmt.Sprint(underruns), verdict: verdictOf(underruns == 0),
		}},
		how:    []string{fmt.Sprintf("One emergency is said in %d zones for %s, each by a driver of its own into a sink of its own, %d samples a second.", count, nice(lasted), audio.Rate)},
		also:   []string{fmt.Sprintf("CPU, of one core: this process %s (its recorders' readers included), the sound server %s.", share(after-before), share(theirsAfter-theirsBefore))},
		hidden: []string{"real sound cards."},
	}, nil
}
