package rtp_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nabat/hw/audio"
	"nabat/hw/audio/rtp"
	"nabat/hw/audio/rtp/rtptest"
)

func newDriver(t *testing.T, o rtp.Options) *rtp.Driver {
	t.Helper()
	d, err := rtp.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func open(t *testing.T, d audio.Driver) audio.Stream {
	t.Helper()
	s, err := d.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// say writes samples in frames, as a player does.
func say(t *testing.T, s audio.Stream, samples []int16) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for len(samples) > 0 {
		n := min(audio.FrameSamples, len(samples))
		if err := s.Write(ctx, samples[:n]); err != nil {
			t.Fatal(err)
		}
		samples = samples[n:]
	}
	if err := s.Drain(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestMulticastIsHeardWithItsMarks(t *testing.T) {
	const group = "239.255.77.1:15004"
	r := rtptest.Listen(t, group, "lo")
	d := newDriver(t, rtp.Options{Group: group, Interface: "lo", TTL: 7, Loop: true})
	if err := d.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := open(t, d)
	clip := rtptest.Sweep(audio.Rate)
	say(t, s, clip)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	packets := r.Wait(t, 50)
	if err := rtptest.Order(packets); err != nil {
		t.Error(err)
	}
	for i, p := range packets {
		if p.PayloadType != 0 || len(p.Payload) != 160 || p.TTL != 7 || p.TOS != 46<<2 {
			t.Fatalf("packet %d: type %d, %d bytes, TTL %d, TOS %#x", i, p.PayloadType, len(p.Payload), p.TTL, p.TOS)
		}
	}
	if alike, at := rtptest.Correlation(rtptest.Sound(packets), rtptest.Thirds(clip[:audio.Rate*3/4])); alike < 0.99 || at > 40 {
		t.Errorf("what came is alike to %.4f at sample %d", alike, at)
	}
	worst, all := rtptest.Jitter(packets)
	t.Logf("%d packets in %v, the worst %v late", len(packets), all, worst)
}

func TestUsualMarksAndOneDevice(t *testing.T) {
	r := rtptest.Listen(t, "127.0.0.1:0", "")
	s := open(t, newDriver(t, rtp.Options{Group: fmt.Sprintf("127.0.0.1:%d", r.Port())}))
	say(t, s, rtptest.Tone(1000, audio.Rate/2))
	packets := r.Wait(t, 25)
	if tos := packets[0].TOS; tos != 46<<2 {
		t.Errorf("TOS %#x", tos)
	}
	if hz := rtptest.Dominant(rtptest.Sound(packets[2:22])); hz < 980 || hz > 1020 {
		t.Errorf("a tone of 1000 Hz came as %v", hz)
	}
}

func TestTwoStreamsHaveTwoSources(t *testing.T) {
	r := rtptest.Listen(t, "127.0.0.1:0", "")
	d := newDriver(t, rtp.Options{Group: fmt.Sprintf("127.0.0.1:%d", r.Port()), DSCP: -1})
	for range 2 {
		s := open(t, d)
		if _, err := d.Open(t.Context()); err == nil {
			t.Error("two streams at once")
		}
		say(t, s, rtptest.Tone(500, audio.FrameSamples))
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error("closed twice:", err)
		}
		if err := s.Write(t.Context(), make([]int16, 10)); err == nil {
			t.Error("a closed stream takes sound")
		}
	}
	sources := map[uint32]int{}
	for _, p := range r.Wait(t, 2) {
		sources[p.SSRC]++
		if p.TOS != 0 {
			t.Errorf("TOS %#x, none was wanted", p.TOS)
		}
	}
	if len(sources) != 2 {
		t.Errorf("%d sources", len(sources))
	}
}

func TestGoodbyeWhereThereIsRoomForIt(t *testing.T) {
	for preset, want := range map[rtp.Preset]bool{rtp.CyberData: true, rtp.Snom: false} {
		const group = "239.255.77.2"
		sound := rtptest.Listen(t, group+":15010", "lo")
		control, err := net.ListenMulticastUDP("udp4", loopback(t), &net.UDPAddr{IP: net.ParseIP(group), Port: 15011})
		if err != nil {
			t.Fatal(err)
		}
		d := newDriver(t, rtp.Options{Group: group + ":15010", Preset: preset, Interface: "lo", Loop: true})
		s := open(t, d)
		say(t, s, rtptest.Tone(500, audio.FrameSamples))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		packets := sound.Wait(t, 1)
		// A word of our own behind it: when that has come, the goodbye has, or there is none.
		end, err := net.ListenUDP("udp4", nil)
		if err != nil {
			t.Fatal(err)
		}
		toLoopback(t, end)
		if _, err := end.WriteTo([]byte("end"), &net.UDPAddr{IP: net.ParseIP(group), Port: 15011}); err != nil {
			t.Fatal(err)
		}
		if err := control.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		n, err := control.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		got := n == 16 && b[1] == 201 && b[9] == 203 && string(b[12:16]) == string(ssrc(packets[0].SSRC))
		if got != want || !want && string(b[:n]) != "end" {
			t.Errorf("%q: goodbye %v, wanted %v: % x", preset, got, want, b[:n])
		}
		_ = end.Close()
		_ = control.Close()
		sound.Close()
	}
}

func ssrc(n uint32) []byte { return []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)} }

func loopback(t *testing.T) *net.Interface {
	t.Helper()
	ifi, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	return ifi
}

// toLoopback makes a socket send multicast over the loopback interface.
func toLoopback(t *testing.T, c *net.UDPConn) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if e := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptIPMreqn(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(loopback(t).Index)})
	}); e != nil || err != nil {
		t.Fatal(e, err)
	}
}

func TestMissingInterfaceIsAbsentAndNamed(t *testing.T) {
	d := newDriver(t, rtp.Options{Group: "239.0.0.1:5004", Interface: "speakers0"})
	_, err := d.Open(t.Context())
	if !errors.Is(err, audio.ErrAbsent) || !strings.Contains(err.Error(), "speakers0") || !strings.Contains(err.Error(), "lo") {
		t.Errorf("got %v", err)
	}
	if err := d.Check(t.Context()); !errors.Is(err, audio.ErrAbsent) {
		t.Errorf("check: %v", err)
	}
}

func TestDeviceThatTakesNothingIsAnErrorAndComesBack(t *testing.T) {
	r := rtptest.Listen(t, "127.0.0.1:0", "")
	port := r.Port()
	d := newDriver(t, rtp.Options{Group: fmt.Sprintf("127.0.0.1:%d", port)})
	s := open(t, d)
	say(t, s, rtptest.Tone(1000, audio.FrameSamples))
	r.Wait(t, 1)
	r.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var err error
	for err == nil {
		err = s.Write(ctx, make([]int16, audio.FrameSamples))
	}
	if !errors.Is(err, rtp.ErrRefused) {
		t.Fatalf("got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := rtptest.Listen(t, fmt.Sprintf("127.0.0.1:%d", port), "")
	say(t, open(t, d), rtptest.Tone(1000, audio.FrameSamples))
	again.Wait(t, 1)
}

func TestPresets(t *testing.T) {
	for _, c := range []struct {
		preset      rtp.Preset
		group, want string // want: the address, or a part of the error
	}{
		{rtp.Algo, "", "224.0.2.60:50000"},
		{rtp.Algo, ":50008", "224.0.2.60:50008"},
		{rtp.Algo, "239.1.2.3", "239.1.2.3:50000"},
		{rtp.Algo, ":50009", "50000 to 50008"},
		{rtp.CyberData, "239.168.3.1:2000", "239.168.3.1:2000"},
		{rtp.CyberData, "239.168.3.1:2001", "even"},
		{rtp.CyberData, "239.168.3.1:1998", "2000"},
		{rtp.CyberData, "", "an address is needed"},
		{rtp.Snom, "239.255.255.245:5555", "239.255.255.245:5555"},
		{rtp.Yealink, "224.5.6.20:10008", "224.5.6.20:10008"},
		{rtp.Yealink, "10.0.0.7:10008", "no multicast address"},
		{rtp.Generic, "10.0.0.7:10008", "10.0.0.7:10008"},
		{rtp.Generic, "224.0.0.5:10008", "routers"},
		{rtp.Generic, "239.0.0.1", "a port is needed"},
		{rtp.Generic, "239.0.0.1:80", "1024 to 65535"},
		{rtp.Generic, "speakers.local:5004", "no IPv4 address"},
		{rtp.Generic, "[ff05::1]:5004", "no IPv4 address"},
		{"bogen", "239.0.0.1:5004", "not known"},
	} {
		d, err := rtp.New(rtp.Options{Group: c.group, Preset: c.preset})
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = d.String()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s %q: %s", c.preset, c.group, got)
		}
	}
}

func TestEmergencyHasAGroupOfItsOwn(t *testing.T) {
	d := newDriver(t, rtp.Options{Group: "239.0.0.1:5004", Emergency: "239.0.0.9:5004"})
	if e := d.Emergency(); e == d || e.String() != "239.0.0.9:5004" || e.Emergency() != e {
		t.Errorf("emergencies go to %s", e)
	}
	if d := newDriver(t, rtp.Options{Group: "239.0.0.1:5004"}); d.Emergency() != d {
		t.Error("emergencies go elsewhere although nobody said so")
	}
	if _, err := rtp.New(rtp.Options{Group: "239.0.0.1:5004", Emergency: "239.0.0.1"}); err == nil {
		t.Error("an emergency group without a port")
	}
}
