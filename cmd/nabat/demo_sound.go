package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"nabat/gateway/config"
	"nabat/hw/audio"
	"nabat/hw/audio/alsa"
	"nabat/hw/audio/pulse"
)

//go:embed demo-slides/*.md
var demoSlideFiles embed.FS

// soundPatience bounds the search for a loudspeaker.
const soundPatience = 2 * time.Second

// voice gives the demonstration's zones the loudspeaker that this machine has,
// and returns what people should know about it.
func (v demoVerb) voice(ctx context.Context, c *config.Config) (string, error) {
	var zones []string
	for _, z := range c.Site.Zones {
		zones = append(zones, z.ID)
	}
	var missing []error
	for _, kind := range []config.SpeakerType{config.SpeakerPulse, config.SpeakerALSA} {
		if v.Sound != "auto" && v.Sound != string(kind) {
			continue
		}
		if err := checkSound(ctx, kind); err != nil {
			missing = append(missing, err)
			continue
		}
		c.Speakers = append(c.Speakers, config.Speaker{ID: "loudspeaker", Zones: zones, Type: kind})
		return "Turn the sound up: announcements are heard on this machine.", nil
	}
	if v.Sound != "auto" && v.Sound != "none" {
		return "", fmt.Errorf("no sound by --sound %s: %w", v.Sound, errors.Join(missing...))
	}
	why := "this machine has no sound server and no sound card"
	if v.Sound == "none" {
		why = "--sound none"
	}
	return "Nothing is heard (" + why + "). Wall and console show what would be said.", nil
}

func checkSound(ctx context.Context, kind config.SpeakerType) (err error) {
	var d audio.Driver = pulse.New(pulse.Options{})
	if kind == config.SpeakerALSA {
		d = alsa.New(alsa.Options{})
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, soundPatience)
	defer cancel()
	return d.Check(ctx)
}

// demoSlides writes the demonstration's slides where the lobby screen reads them,
// unless somebody has changed them there.
func demoSlides(dir string) (string, error) {
	to := filepath.Join(dir, "slides")
	if err := os.MkdirAll(to, 0o700); err != nil {
		return "", fmt.Errorf("make the folder of slides: %w", err)
	}
	files, err := fs.Glob(demoSlideFiles, "demo-slides/*.md")
	if err != nil {
		return "", err
	}
	for _, name := range files {
		b, err := demoSlideFiles.ReadFile(name)
		if err != nil {
			return "", err
		}
		f, err := os.OpenFile(filepath.Join(to, filepath.Base(name)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			_, err = f.Write(b)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			return "", fmt.Errorf("write a slide: %w", err)
		}
	}
	return to, nil
}
