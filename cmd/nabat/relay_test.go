package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/announce"
	"nabat/gateway/announce/speech"
	"nabat/gateway/clock"
	"nabat/gateway/config"
	"nabat/gateway/timetable"
	"nabat/gateway/timetable/calendar"
	"nabat/hw/audio"
	"nabat/hw/audio/amplifier"
)

// keyed is a relay that remembers. The real one needs a GPIO chip; the guest's
// tests have one.
type keyed struct {
	mu sync.Mutex
	on bool // guarded by mu
}

func (k *keyed) Set(on bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.on = on
	return nil
}

func (k *keyed) is() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.on
}

// still is a loudspeaker that takes everything.
type still struct{}

func (still) Open(context.Context) (audio.Stream, error) { return still{}, nil }
func (still) Check(context.Context) error                { return nil }
func (still) Close() error                               { return nil }
func (still) Write(context.Context, []int16) error       { return nil }
func (still) Flush() error                               { return nil }
func (still) Drain(context.Context) error                { return nil }

type noSource struct{}

func (noSource) View() *alert.View        { return nil }
func (noSource) Changed() <-chan struct{} { return nil }

// The tail of the last sound must not outlive the gateway: the process ends
// before it, and the line may stay as it is.
func TestARelayIsDroppedWhenTheGatewayStops(t *testing.T) {
	clk, err := clock.NewSystem()
	if err != nil {
		t.Fatal(err)
	}
	job, err := announce.New(announce.Options{Site: &alert.Site{Language: alert.Russian}, Source: noSource{}, Clock: clk})
	if err != nil {
		t.Fatal(err)
	}
	relay := &keyed{}
	amp := amplifier.New(relay, amplifier.Options{Tail: time.Hour})
	s := &sound{job: job, speakers: &speakers{amplifiers: map[string]*amplifier.Amplifier{"hall": amp}}}
	stream, err := amp.Driver(still{}).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Close(); err != nil || !relay.is() {
		t.Fatalf("after the last sound: keyed is %v, %v", relay.is(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.announce(ctx); err != nil || relay.is() {
		t.Errorf("after the stop: keyed is %v, %v", relay.is(), err)
	}
}

// A loudspeaker that the installer has silenced for a while is a warning of the
// configuration, and must not keep the gateway from starting.
func TestALoudspeakerInNoZoneIsLeftOut(t *testing.T) {
	c := &config.Config{Board: config.BoardSim, Speakers: []config.Speaker{
		{ID: "silenced", Type: config.SpeakerALSA}, {ID: "hall", Type: config.SpeakerALSA, Zones: []string{"all"}},
	}}
	s, err := newSpeakers(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.list) != 1 || s.list[0].ID != "hall" {
		t.Errorf("loudspeakers are %+v", s.list)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

func TestTheNextTextsOfACalendarAreForeseen(t *testing.T) {
	now := time.Now()
	entry := func(id string, at time.Duration) timetable.Entry {
		return timetable.Entry{ID: id, At: now.Add(at), Words: alert.Text{RU: "текст " + id}}
	}
	table := timetable.Table{Dated: []timetable.Entry{entry("past", -time.Hour), entry("next", time.Hour), entry("later", 48*time.Hour)}}
	if list := soon(table, now).Dated; len(list) != 1 || list[0].ID != "next" || len(table.Dated) != 3 {
		t.Errorf("foreseen are %+v", list)
	}
	table.Dated = slices.Repeat([]timetable.Entry{entry("next", time.Hour)}, 1000)
	if n := len(soon(table, now).Dated); n != foreseenMost {
		t.Errorf("%d are foreseen", n)
	}

	site := &alert.Site{Language: alert.Russian, Spoken: []alert.Language{alert.Russian}}
	s := &sound{
		site: site, calendar: calendar.New("", timetable.Table{Dated: []timetable.Entry{entry("next", time.Hour)}}, site, nil, nil),
		library: speech.New(speech.Options{Program: filepath.Join(t.TempDir(), "none")}),
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.render(ctx) }()
	patience := time.After(30 * time.Second)
	for asked := false; !asked && !t.Failed(); {
		changed := s.library.Changed()
		if asked = s.library.Stats().Wanted > 0; asked {
			break
		}
		select {
		case <-changed:
		case <-patience:
			t.Error("nothing was asked for")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	with := s.library.Stats().Wanted
	s.library.Want(segments(announce.Segments(site, timetable.Table{})))
	if got := s.library.Stats().Wanted; got != with-1 {
		t.Errorf("%d texts are wanted with the calendar's, %d without", with, got)
	}
}
