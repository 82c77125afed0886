package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"nabat/gateway/announce/speech"
	"nabat/gateway/config"
	"nabat/gateway/health"
)

// sound asks every loudspeaker's output whether it would sound. It makes none.
func (d doctor) sound(ctx context.Context) []finding {
	if len(d.config.Speakers) == 0 {
		return []finding{{doubt, "sound", "there is no [[speaker]]: announcements are shown, and said by nobody"}}
	}
	silent := slog.New(slog.NewTextHandler(io.Discard, nil))
	var list []finding
	for _, sp := range d.config.Speakers {
		what := "speaker " + sp.ID
		driver, _, err := driverOf(sp, silent)
		if err != nil {
			list = append(list, found(what, "", err))
			continue
		}
		good := fmt.Sprintf("%s answers; hear it with: nabat announce --test --zone %s …", sp.Type, strings.Join(sp.Zones, " --zone "))
		if sp.Type == config.SpeakerRTP {
			good = "packets can leave; whether a loudspeaker takes them only your ear can tell"
		}
		list = append(list, found(what, good, driver.Check(ctx)))
		if err := driver.Close(); err != nil {
			list = append(list, found(what, "", err))
		}
	}
	return list
}

// voices has one word spoken in each language, into memory.
func (d doctor) voices(ctx context.Context) []finding {
	if len(d.config.Speakers) == 0 {
		return nil
	}
	a := d.config.Announcements
	conditions := &health.Registry{}
	library := speech.New(speech.Options{Program: a.Synthesiser, Voices: a.Voices, Health: conditions})
	spoken := d.config.Site.SpokenLanguages()
	var list []speech.Segment
	for _, l := range spoken {
		list = append(list, speech.Segment{Language: l, Text: "1"})
	}
	for _, m := range d.config.Site.Messages {
		for l, path := range m.Recorded {
			list = append(list, speech.Segment{Language: l, Text: m.Text.In(l), Recorded: path, ID: m.ID})
		}
	}
	library.Want(list)
	run, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- library.Run(run) }()
	defer func() { cancel(); <-done }()
	for {
		changed := library.Changed()
		if library.Stats().Pending == 0 {
			break
		}
		select {
		case <-changed:
			continue
		case <-ctx.Done():
			return []finding{{broken, "voices", fmt.Sprintf("the synthesiser did not answer within %v: try espeak-ng by hand", doctorPatience)}}
		}
	}
	var findings []finding
	for _, c := range conditions.List() {
		findings = append(findings, finding{broken, c.Name, c.Detail})
	}
	if len(findings) == 0 {
		findings = []finding{{well, "voices", fmt.Sprintf("%v are spoken, %d recordings can be read", spoken, len(list)-len(spoken))}}
	}
	return findings
}

// displays opens every hallway display, where no gateway holds it.
func (d doctor) displays(context.Context) []finding {
	if d.running != nil || d.config.Board == config.BoardSim { // the gateway's own conditions tell
		return nil
	}
	g := &gateway{config: d.config}
	var list []finding
	for _, c := range d.config.Displays {
		drawer, err := g.openDisplay(c)()
		if err == nil {
			err = drawer.Halt()
			if closer, ok := drawer.(io.Closer); ok && err == nil {
				err = closer.Close()
			}
		}
		list = append(list, found("display "+c.ID, "answers", err))
	}
	return list
}

// screens are known to a running gateway only.
func (d doctor) screens(context.Context) []finding {
	if d.running == nil {
		return nil
	}
	var list []finding
	for _, s := range d.running.Screens {
		switch {
		case s.State == "ok":
			list = append(list, finding{well, "screen " + s.ID, "shows what it should"})
		case s.Watched: // dark and frozen are conditions, with their remedy
			list = append(list, finding{doubt, "screen " + s.ID, "is " + s.State + ": open /lobby?screen=" + s.ID + " there"})
		}
	}
	return list
}
