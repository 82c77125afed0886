package sip_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"nabat/hw/audio"
	"nabat/hw/audio/rtp/rtptest"
	"nabat/hw/audio/sip"
)

func TestCallIsHeardAndHungUp(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			r := rtptest.Listen(t, "127.0.0.1:0", "")
			p := startPhone(t, "answers", transport, 0, r.Port(), 0)
			d := driver(t, p.port, sip.Options{Transport: transport, From: "sip:school@example.kz"})
			s, err := d.Open(soon(t))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.Open(soon(t)); err == nil {
				t.Error("two calls at once")
			}
			clip := rtptest.Sweep(audio.Rate / 2)
			say(t, s, clip)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error("closed twice:", err)
			}
			p.done(t)
			packets := r.Packets(t)
			heardClip(t, packets, clip)
			if tos := packets[0].TOS; tos != 46<<2 {
				t.Errorf("TOS %#x", tos)
			}
			if m := p.heard(); !strings.Contains(m, "From: <sip:school@example.kz>") || !strings.Contains(m, "answer-after=0") {
				t.Errorf("the call was another:\n%s", m)
			}
		})
	}
}

func TestALawWithEarlyDescription(t *testing.T) {
	t.Parallel()
	r := rtptest.Listen(t, "127.0.0.1:0", "")
	p := startPhone(t, "a-law", "udp", 0, r.Port(), 0)
	s, err := driver(t, p.port, sip.Options{}).Open(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	clip := rtptest.Sweep(audio.Rate / 2)
	say(t, s, clip)
	_ = s.Close()
	p.done(t)
	packets := r.Packets(t)
	heardClip(t, packets, clip)
	if packets[0].PayloadType != 8 || len(packets[0].Payload) != 240 {
		t.Errorf("type %d, %d bytes", packets[0].PayloadType, len(packets[0].Payload))
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	for scenario, word := range map[string]string{
		"busy": "busy", "unknown": "correct the uri", "garbage": "damaged", "wrong-coding": "enable G.711",
		"deaf": "takes no sound", "elsewhere": "not itself",
		"on-hold": "does not want to hear", "on-hold-old": "does not want to hear",
	} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			p := startPhone(t, scenario, "udp", 0, 40000, 0)
			_, err := driver(t, p.port, sip.Options{}).Open(soon(t))
			contains(t, err, word, "500@127.0.0.1")
			p.done(t)
		})
	}
}

func TestPassword(t *testing.T) {
	const right, wrong = "let me speak", "open sesame"
	r := rtptest.Listen(t, "127.0.0.1:0", "")
	var log bytes.Buffer
	o := sip.Options{Username: "nabat", Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	t.Run("right", func(t *testing.T) {
		p := startPhone(t, "challenges", "udp", 0, r.Port(), 0)
		o := o
		o.PasswordFile = secret(t, right)
		d := driver(t, p.port, o)
		s, err := d.Open(soon(t))
		if err != nil {
			t.Fatalf("%v\n%s", err, p.heard())
		}
		_ = s.Close()
		p.done(t)
		if strings.Contains(p.heard(), right) {
			t.Error("the password went over the network")
		}
	})
	t.Run("wrong", func(t *testing.T) {
		p := startPhone(t, "challenges", "udp", 0, r.Port(), 0)
		o := o
		o.PasswordFile = secret(t, wrong)
		_, err := driver(t, p.port, o).Open(soon(t))
		contains(t, err, "password")
		p.done(t)
		if strings.Contains(err.Error(), wrong) || strings.Contains(p.heard(), wrong) {
			t.Error("the password is told")
		}
	})
	t.Run("none", func(t *testing.T) {
		p := startPhone(t, "challenges", "udp", 0, r.Port(), 0)
		_, err := driver(t, p.port, sip.Options{}).Open(soon(t))
		contains(t, err, "set username and password_file")
	})
	if strings.Contains(log.String(), right) || strings.Contains(log.String(), wrong) {
		t.Error("a password is in the log")
	}
}

func TestUnansweredCallIsCancelled(t *testing.T) {
	t.Parallel()
	p := startPhone(t, "rings", "udp", 0, 40000, 0)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := driver(t, p.port, sip.Options{}).Open(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, audio.ErrAbsent) {
		t.Errorf("got %v", err)
	}
	p.done(t)
}

func TestAnswerDuringTheCancelIsHungUp(t *testing.T) {
	t.Parallel()
	p := startPhone(t, "answers-late", "udp", 0, 40000, 0)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	d := driver(t, p.port, sip.Options{})
	if _, err := d.Open(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	p.done(t)
}

func TestSilentDeviceIsAbsentInTime(t *testing.T) {
	t.Parallel()
	p := startPhone(t, "silent", "udp", 0, 40000, 0)
	closed := freePort(t, "udp")
	for name, port := range map[string]int{"takes the call and says nothing": p.port, "port closed": closed} {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		d := driver(t, port, sip.Options{})
		_, err := d.Open(ctx)
		if !errors.Is(err, audio.ErrAbsent) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		if err := d.Check(ctx); !errors.Is(err, audio.ErrAbsent) {
			t.Errorf("%s: check: %v", name, err)
		}
		cancel()
	}
	_, err := driver(t, freePort(t, "tcp"), sip.Options{Transport: "tcp"}).Open(soon(t))
	if !errors.Is(err, audio.ErrAbsent) {
		t.Errorf("no TCP: %v", err)
	}
}

func TestCheckTakesAnyAnswer(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		p := startPhone(t, "options", transport, 0, 40000, 0)
		if err := driver(t, p.port, sip.Options{Transport: transport}).Check(soon(t)); err != nil {
			t.Error(err)
		}
		p.done(t)
	}
}

func TestDeviceThatHangsUpIsAnError(t *testing.T) {
	t.Parallel()
	r := rtptest.Listen(t, "127.0.0.1:0", "")
	p := startPhone(t, "hangs-up", "udp", 0, r.Port(), 0)
	s, err := driver(t, p.port, sip.Options{}).Open(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, untilError(t, s), "hung up")
	p.done(t)
	_ = s.Close()
}

// untilError writes silence until it is refused.
func untilError(t *testing.T, s audio.Stream) error {
	t.Helper()
	ctx := soon(t)
	for {
		if err := s.Write(ctx, make([]int16, audio.FrameSamples)); err != nil {
			return err
		}
	}
}

func TestSoundFollowsTheDevice(t *testing.T) {
	t.Parallel()
	first, second := rtptest.Listen(t, "127.0.0.1:0", ""), rtptest.Listen(t, "127.0.0.1:0", "")
	p := startPhone(t, "moves", "udp", 0, first.Port(), second.Port())
	s, err := driver(t, p.port, sip.Options{}).Open(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	moved := second.Wait(t, 10)
	_ = s.Close()
	p.done(t)
	before := first.Packets(t)
	if len(before) == 0 || moved[0].SSRC != before[0].SSRC {
		t.Error("the sound has become another stream")
	}
}

func TestWhatCannotBeDoneIsRefusedAndTheCallGoesOn(t *testing.T) {
	t.Parallel()
	r := rtptest.Listen(t, "127.0.0.1:0", "")
	p := startPhone(t, "asks-too-much", "udp", 0, r.Port(), 40000)
	s, err := driver(t, p.port, sip.Options{}).Open(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return strings.Contains(p.heard(), "SIP/2.0 488") })
	before := len(r.Packets(t))
	r.Wait(t, before+20)
	_ = s.Close()
	p.done(t)
}

func TestDeviceVanishesAndComesBack(t *testing.T) {
	t.Parallel()
	// The sound's port stays open: only the questions within the call can tell.
	r := rtptest.Listen(t, "127.0.0.1:0", "")
	p := startPhone(t, "answers", "udp", 0, r.Port(), 0)
	d := driver(t, p.port, sip.Options{})
	s, err := d.Open(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return strings.Contains(p.heard(), "OPTIONS") })
	await(t, func() bool { return strings.Count(p.heard(), "SIP/2.0 200 OK") >= 2 })
	p.kill()
	gone := time.Now()
	contains(t, untilError(t, s), "does not answer any more")
	t.Logf("noticed after %v", time.Since(gone))
	_ = s.Close()
	_ = d.Close() // the attempt to hang up has ended
	p = startPhone(t, "answers", "udp", p.port, r.Port(), 0)
	if s, err = d.Open(soon(t)); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	p.done(t)
}

func TestClosedSoundPortIsNoticed(t *testing.T) {
	t.Parallel()
	p := startPhone(t, "answers", "udp", 0, freePort(t, "udp"), 0)
	s, err := driver(t, p.port, sip.Options{}).Open(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	contains(t, untilError(t, s), "nobody takes the packets")
	_ = s.Close()
	p.done(t)
}

// Anybody on the network can send to our port: what does not know the name of
// the call and its tags ends nothing.
func TestStrangersCannotHangUp(t *testing.T) {
	t.Parallel()
	r := rtptest.Listen(t, "127.0.0.1:0", "")
	p := startPhone(t, "answers", "udp", 0, r.Port(), 0)
	s, err := driver(t, p.port, sip.Options{}).Open(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`Contact: <sip:nabat@(127.0.0.1:\d+)>`).FindStringSubmatch(p.heard())
	id := regexp.MustCompile(`Call-ID: (\S+)`).FindStringSubmatch(p.heard())
	if found == nil || id == nil {
		t.Fatalf("no contact in:\n%s", p.heard())
	}
	stranger, err := net.Dial("udp4", found[1])
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	bye := "BYE sip:nabat@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK.stranger\r\nFrom: <sip:x@127.0.0.1>;tag=x\r\n" +
		"To: <sip:y@127.0.0.1>;tag=y\r\nCall-ID: %s\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
	for _, b := range []string{"\x00\x01\x02", "INVITE", "SIP/2.0 200 OK\r\n\r\n", fmt.Sprintf(bye, stranger.LocalAddr(), id[1])} {
		if _, err := stranger.Write([]byte(b)); err != nil {
			t.Fatal(err)
		}
	}
	if err := stranger.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 2000)
	if _, err := stranger.Read(answer); err != nil || !bytes.HasPrefix(answer, []byte("SIP/2.0 481")) {
		t.Errorf("%v: %.60q", err, answer)
	}
	before := len(r.Packets(t))
	r.Wait(t, before+10)
	if err := s.Flush(); err != nil {
		t.Errorf("a stranger ended the call: %v", err)
	}
	_ = s.Close()
	p.done(t)
}

func TestCloseEndsABlockedWrite(t *testing.T) {
	t.Parallel()
	r := rtptest.Listen(t, "127.0.0.1:0", "")
	p := startPhone(t, "answers", "udp", 0, r.Port(), 0)
	s, err := driver(t, p.port, sip.Options{}).Open(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	wrote := make(chan error, 1)
	go func() { wrote <- s.Write(context.Background(), make([]int16, 60*audio.Rate)) }()
	r.Wait(t, 3)
	_ = s.Close()
	select {
	case err := <-wrote:
		if err == nil {
			t.Error("a minute of sound was taken")
		}
	case <-time.After(30 * time.Second):
		t.Error("it still blocks")
	}
	p.done(t)
}
