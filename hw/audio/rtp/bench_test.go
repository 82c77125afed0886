package rtp_test

import (
	"net"
	"slices"
	"testing"
	"time"

	"nabat/hw/audio"
	"nabat/hw/audio/rtp"
	"nabat/hw/audio/rtp/rtptest"
)

// BenchmarkFirstPacket is the time from Open to the first packet at a receiver
// on the same machine.
func BenchmarkFirstPacket(b *testing.B) {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	d, err := rtp.New(rtp.Options{Group: c.LocalAddr().String()})
	if err != nil {
		b.Fatal(err)
	}
	frame, buf := rtptest.Tone(1000, audio.FrameSamples), make([]byte, 2000)
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		s, err := d.Open(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Write(b.Context(), frame); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Read(buf); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}
