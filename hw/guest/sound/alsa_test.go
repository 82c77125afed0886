//go:build inguest

package sound

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nabat/hw/audio"
	"nabat/hw/audio/alsa"
	"nabat/hw/audio/audiotest"
	"nabat/hw/point"
)

func TestMain(m *testing.M) {
	if how := holdsLine(); how != "" {
		fmt.Println(hold(how))
		return
	}
	goleak.VerifyTestMain(m)
}

func open(t *testing.T, d *alsa.Driver) audio.Stream {
	t.Helper()
	s, err := d.Open(within(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// end ends a sound as the gateway does, with more silence than the card's buffer
// holds: a card that has to stop plays on for a moment, and what is heard then is
// what its buffer held before.
func end(t *testing.T, s audio.Stream) {
	t.Helper()
	say(t, s, make([]int16, audiotest.Count(120*time.Millisecond)))
	if err := s.Drain(within(t)); err != nil {
		t.Fatal(err)
	}
}

// smooth fails when the card ran dry under a sound.
func smooth(t *testing.T, d *alsa.Driver) {
	t.Helper()
	if n := d.Underruns(); n > 0 {
		t.Errorf("%d underruns", n)
	}
}

func TestEverySampleIsHeardOnce(t *testing.T) {
	heard := listen(t, audio.Rate, 1)
	d := alsa.New(alsa.Options{Device: loudspeaker})
	defer smooth(t, d)
	s := open(t, d)
	first, second, third := audiotest.Rustle(1, time.Second), audiotest.Rustle(2, 333*time.Millisecond), audiotest.Sine(440, 500*time.Millisecond)
	say(t, s, first)
	end(t, s)
	only(t, quiet(t, heard, 200*time.Millisecond), first)

	heard.Forget()
	say(t, s, second) // the same stream, after its Drain
	end(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	only(t, quiet(t, heard, 200*time.Millisecond), second)

	heard.Forget()
	s = open(t, d) // a second stream
	say(t, s, third)
	end(t, s)
	got := quiet(t, heard, 200*time.Millisecond)
	only(t, got, third)
	if hz := audiotest.Tone(got); hz < 439.5 || hz > 440.5 {
		t.Errorf("a tone of 440 Hz was heard as %.2f", hz)
	}
}

// Most cards play 48 kHz in stereo and nothing else; plughw makes that of ours.
func TestACardWithOtherRateAndChannels(t *testing.T) {
	heard := listen(t, 2*audio.Rate, 2)
	d := alsa.New(alsa.Options{Device: loudspeaker})
	defer smooth(t, d)
	s := open(t, d)
	sound := append(audiotest.Rustle(3, 700*time.Millisecond), audiotest.Sine(1000, 500*time.Millisecond)...)
	say(t, s, sound)
	end(t, s)
	got := quiet(t, heard, 200*time.Millisecond)
	where, alike := audiotest.Find(got, sound)
	if alike < 0.99 || !silent(got[:max(0, where-24)]) || !silent(got[where+len(sound)+24:]) {
		t.Errorf("like what was said by %.4f at sample %d; heard from %d to %d, %d samples were said", alike, where,
			audiotest.FirstSound(got), audiotest.LastSound(got), len(sound))
	}
	tone := got[where+audiotest.Count(710*time.Millisecond) : where+audiotest.Count(1190*time.Millisecond)]
	if hz := audiotest.Tone(tone); hz < 999 || hz > 1001 {
		t.Errorf("a tone of 1000 Hz was heard as %.2f", hz)
	}
}

func TestFlushIsHeard(t *testing.T) {
	heard := listen(t, audio.Rate, 1)
	d := alsa.New(alsa.Options{Device: loudspeaker})
	s := open(t, d)
	low, urgent := audiotest.Rustle(4, time.Second), audiotest.Rustle(5, 500*time.Millisecond)
	say(t, s, low)
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	flushed := len(heard.Samples())
	say(t, s, urgent)
	end(t, s)
	got := quiet(t, heard, 200*time.Millisecond)
	from, alike := audiotest.Find(got, low[:audiotest.Count(500*time.Millisecond)])
	if alike < 0.999 {
		t.Fatalf("the first half of what was interrupted is like what was said by %.4f", alike)
	}
	said := 0
	for said < len(low) && got[from+said] == low[said] {
		said++
	}
	at, times := whole(got, urgent)
	t.Logf("%d ms of %d were heard before the cut, %d ms of silence follow; the recorder had %d ms when Flush returned",
		ms(said), ms(len(low)), ms(at-from-said), ms(flushed-from))
	if said == len(low) {
		t.Error("what was flushed was heard to its end")
	}
	if times != 1 || !silent(got[from+said:at]) || !silent(got[at+len(urgent):]) {
		t.Errorf("after the cut the urgent sound was heard whole %d times, want once and nothing else", times)
	}
}

// ahead is the most that waits to sound, as hw/audio promises.
const ahead = 200 * time.Millisecond

func TestWritesRunLittleAhead(t *testing.T) {
	for _, device := range []string{loudspeaker, "default"} {
		rate, channels := audio.Rate, 1
		if device == "default" { // alsa-lib mixes there, at the usual rate
			rate, channels = 2*audio.Rate, 2
		}
		t.Run(device, func(t *testing.T) {
			heard := listen(t, rate, channels)
			d := alsa.New(alsa.Options{Device: device})
			s := open(t, d)
			sound := audiotest.Sine(440, 1500*time.Millisecond)
			say(t, s, sound)
			got := heard.Samples()
			first := audiotest.FirstSound(got)
			if first < 0 {
				t.Fatal("nothing was heard when all was taken")
			}
			// The recorder may be a period and a tick late, which is no fault of the device.
			waits := len(sound) - (len(got) - first)
			t.Logf("%d ms wait to sound", ms(waits))
			if most := audiotest.Count(ahead + 40*time.Millisecond); waits > most {
				t.Errorf("%d ms wait to sound, want at most %v", ms(waits), ahead)
			}
			end(t, s)
			got = quiet(t, heard, 200*time.Millisecond)
			// A resampler rings for a moment.
			if more := audiotest.LastSound(got) - audiotest.FirstSound(got) - len(sound); more < -24 || more > 24 {
				t.Errorf("%d samples more were heard than the %d that were said", more, len(sound))
			}
			smooth(t, d)
		})
	}
}

func TestALookMakesNoSound(t *testing.T) {
	heard := listen(t, audio.Rate, 1)
	// The last opens the device, because its name says no card.
	for _, device := range []string{loudspeaker, "hw:0", "plughw:CARD=Loopback,DEV=0", "default", "plug:'hw:0,0'"} {
		if err := alsa.New(alsa.Options{Device: device}).Check(within(t)); err != nil {
			t.Errorf("%s: %v", device, err)
		}
	}
	if !silent(more(t, heard, 500*time.Millisecond)) || !silent(heard.Samples()) {
		t.Error("a look was heard")
	}
}

func TestACardThatIsHeldByAnother(t *testing.T) {
	other := exec.Command("aplay", "-q", "-D", loudspeaker, "-t", "raw", "-f", "S16_LE", "-r", "24000", "/dev/zero")
	other.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer other.Wait() //nolint:errcheck // it was killed
	defer other.Process.Kill()
	await(t, "the other program to play", playing)
	d := alsa.New(alsa.Options{Device: loudspeaker})
	if s, err := d.Open(within(t)); err == nil {
		s.Close()
		t.Fatal("two programs play to one device")
	} else if errors.Is(err, audio.ErrAbsent) || !strings.Contains(err.Error(), "another program holds") || !strings.Contains(err.Error(), loudspeaker) {
		t.Errorf("got %v", err)
	}
	if err := d.Check(within(t)); err != nil {
		t.Errorf("a card that another program holds is there: %v", err)
	}
}

func TestACardThatGoesAndComesBack(t *testing.T) {
	d := alsa.New(alsa.Options{Device: loudspeaker})
	absent := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, audio.ErrAbsent) || !strings.Contains(err.Error(), loudspeaker) {
			t.Errorf("%s: got %v; want that %s is absent", what, err, loudspeaker)
		}
	}
	s := open(t, d)
	ctx := within(t)
	said := make(chan error, 1)
	go func() {
		sound := audiotest.Sine(440, 200*time.Millisecond)
		for {
			if err := write(ctx, s, sound); err != nil {
				said <- err
				return
			}
		}
	}()
	await(t, "the card to play", playing)
	remove(t)
	absent("Write", <-said)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	absent("Check", d.Check(within(t)))
	_, err := d.Open(within(t))
	absent("Open", err)
	insert(t)
	if err := d.Check(within(t)); err != nil {
		t.Errorf("the card is back: %v", err)
	}
	heard := listen(t, audio.Rate, 1)
	s = open(t, d)
	sound := audiotest.Rustle(6, 500*time.Millisecond)
	say(t, s, sound)
	end(t, s)
	only(t, quiet(t, heard, 200*time.Millisecond), sound)
}

// A card whose clock stands still takes what its buffer holds and no more.
func TestACardThatStandsStill(t *testing.T) {
	module := func(command string, args ...string) {
		t.Helper()
		if out, err := exec.Command(command, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", command, err, out)
		}
	}
	module("rmmod", "snd_aloop")
	defer func() {
		module("rmmod", "snd_aloop")
		module("insmod", "/lib/modules/snd_aloop.ko")
	}()
	// The second card goes by the clock of the first, which goes while that plays.
	module("insmod", "/lib/modules/snd_aloop.ko", "enable=1,1", "id=Loopback,Still", "timer_source=,Loopback.0.0")
	const still = "plughw:CARD=Still"
	d := alsa.New(alsa.Options{Device: still})
	if err := d.Check(within(t)); err != nil {
		t.Errorf("it is there: %v", err)
	}
	s := open(t, d)
	sound := audiotest.Sine(440, 10*time.Second)
	began := point.Monotonic()
	err := write(within(t), s, sound)
	t.Logf("after %v: %v", point.Monotonic()-began, err)
	if err == nil || errors.Is(err, audio.ErrAbsent) || !strings.Contains(err.Error(), still) {
		t.Errorf("got %v; want an error about %s", err, still)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func ms(samples int) int { return samples * 1000 / audio.Rate }
