//go:build inguest

// These tests run inside a guest only; hw/guest builds them with the tag
// inguest and carries them there. The driver, the gateway and aplay are the real
// ones; the sound card is the kernel's snd-aloop, which lets what is played at
// one end be captured at the other, and says with each sample what was heard.

package sound

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"nabat/hw/audio"
	"nabat/hw/audio/audiotest"
)

const (
	loudspeaker = "plughw:Loopback,0,0"
	ears        = "hw:Loopback,1,0"
	cardDriver  = "/sys/bus/platform/drivers/snd_aloop"
	cardDevice  = "snd_aloop.0"
	// ring is how many bytes the card's buffer may have, a little less than a MiB.
	ring = 1_000_000
)

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), audiotest.Patience)
	t.Cleanup(cancel)
	return ctx
}

// remove takes the card out of the machine, under whoever plays to it. It
// returns when nobody holds it any more.
func remove(t *testing.T) { order(t, "unbind") }

func insert(t *testing.T) { order(t, "bind") }

func order(t *testing.T, what string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(cardDriver, what), []byte(cardDevice), 0o200); err != nil {
		t.Fatal(err)
	}
}

// listen captures what the card plays, until the test ends. Who captures first
// decides the card's rate and channels; other than ours they are those of a card
// that can do no other, and the left channel is heard.
func listen(t *testing.T, rate, channels int) *audiotest.Recording {
	t.Helper()
	// When what plays stops, snd-aloop lets a few milliseconds of what the buffer
	// held a round before be captured: with as long a buffer as it has, silence.
	round := time.Duration(ring/2/channels) * time.Second / time.Duration(rate)
	cmd := exec.Command("arecord", "-q", "-D", ears, "-t", "raw", "-f", "S16_LE", "-r", strconv.Itoa(rate), "-c", strconv.Itoa(channels),
		"--buffer-time="+strconv.FormatInt(round.Microseconds(), 10), "--period-time=20000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	heard := audiotest.Hear(cmd, &leftChannel{from: out, channels: channels, every: rate / audio.Rate})
	t.Cleanup(func() {
		heard.Stop()
		// Whoever captures too late has heard less than was played.
		if strings.Contains(complaint.String(), "overrun") || t.Failed() && complaint.Len() > 0 {
			t.Errorf("arecord: %s", complaint.String())
		}
	})
	if err := heard.Wait(within(t), func(samples []int16) bool { return len(samples) > 0 }); err != nil {
		t.Fatalf("%v: %s", err, complaint.String())
	}
	return heard
}

// leftChannel leaves of each so many frames the left sample of the first.
type leftChannel struct {
	from            io.Reader
	channels, every int
	rest            []byte
}

func (l *leftChannel) Read(p []byte) (int, error) {
	if l.channels == 1 && l.every == 1 {
		return l.from.Read(p)
	}
	chunk := make([]byte, 4096)
	n, err := l.from.Read(chunk)
	l.rest = append(l.rest, chunk[:n]...)
	step, taken := 2*l.channels*l.every, 0
	for len(l.rest) >= step && taken+2 <= len(p) {
		taken += copy(p[taken:], l.rest[:2])
		l.rest = l.rest[step:]
	}
	return taken, err
}

// say writes a sound to a stream, frame after frame.
func say(t *testing.T, s audio.Stream, sound []int16) {
	t.Helper()
	if err := write(within(t), s, sound); err != nil {
		t.Fatal(err)
	}
}

func write(ctx context.Context, s audio.Stream, sound []int16) error {
	for len(sound) > 0 {
		n := min(len(sound), audio.FrameSamples)
		if err := s.Write(ctx, sound[:n]); err != nil {
			return err
		}
		sound = sound[n:]
	}
	return nil
}

// quiet waits for this much silence after a sound, and returns all that was heard.
func quiet(t *testing.T, heard *audiotest.Recording, length time.Duration) []int16 {
	t.Helper()
	if err := heard.Quiet(within(t), length); err != nil {
		t.Fatal(err)
	}
	return heard.Samples()
}

// more waits until this much has been heard from now on, and returns that.
func more(t *testing.T, heard *audiotest.Recording, length time.Duration) []int16 {
	t.Helper()
	begin := len(heard.Samples())
	if err := heard.Wait(within(t), func(samples []int16) bool { return len(samples) >= begin+audiotest.Count(length) }); err != nil {
		t.Fatal(err)
	}
	return heard.Samples()[begin:]
}

// sounding waits until this much has been heard since a recording's first sound.
func sounding(t *testing.T, heard *audiotest.Recording, length time.Duration) {
	t.Helper()
	seen, first := 0, -1
	err := heard.Wait(within(t), func(samples []int16) bool {
		if first < 0 {
			if at := audiotest.FirstSound(samples[seen:]); at >= 0 {
				first = seen + at
			}
			seen = len(samples)
		}
		return first >= 0 && len(samples) >= first+audiotest.Count(length)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// only fails unless a recording is silence, then this sound without the change
// of a bit, then silence.
func only(t *testing.T, heard, sound []int16) {
	t.Helper()
	where, places := whole(heard, sound)
	if places != 1 {
		offset, alike := audiotest.Find(heard, sound)
		t.Fatalf("the sound was heard whole %d times, want once; at sample %d of %d is something that is like it by %.4f", places, offset, len(heard), alike)
	}
	if !silent(heard[:where]) || !silent(heard[where+len(sound):]) {
		after := heard[where+len(sound):]
		t.Errorf("something else was heard before the sound or after it: %v, %v at %d to %d", !silent(heard[:where]), !silent(after), audiotest.FirstSound(after), audiotest.LastSound(after))
	}
}

// whole says how often a sound was heard, each sample as it was given, and where
// for the first time.
func whole(heard, sound []int16) (first, times int) {
	h, s := encoded(heard), encoded(sound)
	at := 0
	for {
		i := bytes.Index(h[at:], s)
		if i < 0 {
			return first, times
		}
		if i%2 != 0 {
			at += i + 1
			continue
		}
		if times++; times == 1 {
			first = (at + i) / 2
		}
		at += i + len(s)
	}
}

func encoded(samples []int16) []byte {
	b := make([]byte, 0, 2*len(samples))
	for _, s := range samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return b
}

func silent(samples []int16) bool { return audiotest.FirstSound(samples) < 0 }
