package main

import (
	"errors"
	"fmt"
	"log/slog"

	"nabat/gateway/announce"
	"nabat/gateway/config"
	"nabat/hw/audio"
	"nabat/hw/audio/alsa"
	"nabat/hw/audio/amplifier"
	"nabat/hw/audio/pulse"
	"nabat/hw/audio/rtp"
	"nabat/hw/audio/sip"
	"nabat/hw/board"
	"nabat/hw/gpio"

	pin "periph.io/x/conn/v3/gpio"
)

// speakers are the loudspeakers of a configuration. Nothing is opened before
// something is said.
type speakers struct {
	list       []announce.Speaker
	amplifiers map[string]*amplifier.Amplifier
}

func newSpeakers(c *config.Config, log *slog.Logger) (*speakers, error) {
	s := &speakers{amplifiers: make(map[string]*amplifier.Amplifier)}
	for _, a := range c.Amplifiers {
		s.amplifiers[a.ID] = amplifier.New(relay(c.Board, a), amplifier.Options{Lead: a.Lead, Tail: a.Tail, Log: log.With("amplifier", a.ID)})
	}
	for _, sp := range c.Speakers {
		if len(sp.Zones) == 0 {
			continue // the installer silenced it, and was warned; the others sound
		}
		driver, emergency, err := driverOf(sp, log.With("speaker", sp.ID))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("speaker %q: %w", sp.ID, err), s.close())
		}
		if a := s.amplifiers[sp.Amplifier]; a != nil {
			driver = a.Driver(driver)
			if emergency != nil {
				emergency = a.Driver(emergency)
			}
		}
		s.list = append(s.list, announce.Speaker{ID: sp.ID, Zones: sp.Zones, Driver: driver, Emergency: emergency, Gain: sp.Gain, EmergencyGain: sp.EmergencyGain})
	}
	return s, nil
}

// driverOf makes the driver of one loudspeaker, and the one for emergencies
// where they go another way; nil is the same way.
func driverOf(sp config.Speaker, log *slog.Logger) (driver, emergency audio.Driver, err error) {
	switch sp.Type {
	case config.SpeakerALSA:
		driver = alsa.New(alsa.Options{Device: sp.Device})
	case config.SpeakerPulse:
		driver = pulse.New(pulse.Options{Server: sp.Server, Sink: sp.Device})
	case config.SpeakerRTP:
		d, err := rtp.New(rtp.Options{
			Group: sp.RTP.Group, Emergency: sp.RTP.Emergency, Preset: rtp.Preset(sp.RTP.Preset), Interface: sp.RTP.Interface,
			TTL: sp.RTP.TTL, DSCP: sp.RTP.DSCP, Log: log,
		})
		if err != nil {
			return nil, nil, err
		}
		if other := d.Emergency(); other != d {
			return d, other, nil
		}
		return d, nil, nil
	case config.SpeakerSIP:
		driver, err = sip.New(sip.Options{
			URI: sp.SIP.URI, From: sp.SIP.From, Username: sp.SIP.Username, PasswordFile: sp.SIP.PasswordFile,
			Transport: sp.SIP.Transport, Interface: sp.SIP.Interface, Log: log,
		})
	default:
		err = fmt.Errorf("type %q has no driver", sp.Type)
	}
	return driver, nil, err
}

// close gives back what the loudspeakers hold, and drops every relay.
func (s *speakers) close() error {
	var errs []error
	for _, sp := range s.list {
		errs = append(errs, sp.Driver.Close())
		if sp.Emergency != nil {
			errs = append(errs, sp.Emergency.Close())
		}
	}
	return errors.Join(append(errs, s.release())...)
}

// release drops the relay of every amplifier, for good.
func (s *speakers) release() error {
	var errs []error
	for _, a := range s.amplifiers {
		errs = append(errs, a.Close())
	}
	return errors.Join(errs...)
}

// relay is the line of an amplifier. On a simulated board there is none to
// switch.
func relay(b config.Board, a config.Amplifier) amplifier.Relay {
	if b == config.BoardSim {
		return noRelay{}
	}
	id := lineID(a.Line)
	return board.NewOutput("amplifier-"+a.ID, a.ActiveLow, func(initial pin.Level) (board.OutputPin, error) {
		return gpio.OpenOutput(id, initial, consumer)
	})
}

type noRelay struct{}

func (noRelay) Set(bool) error { return nil }
