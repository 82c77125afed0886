package rtp_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nabat/hw/audio"
	"nabat/hw/audio/rtp"
	"nabat/hw/audio/rtp/rtptest"
)

// freePort returns an even port of 127.0.0.1 that nobody has.
func freePort(t *testing.T) int {
	t.Helper()
	for {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		port := c.LocalAddr().(*net.UDPAddr).Port
		_ = c.Close()
		if port%2 == 0 {
			return port
		}
	}
}

// ffmpeg is a receiver that knows nothing of us: it is given a description as an
// IP loudspeaker has it in its settings, and writes down what it hears.
func TestFfmpegHearsTheClip(t *testing.T) {
	port := freePort(t)
	dir := t.TempDir()
	sdp := fmt.Sprintf("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 0\r\n", port)
	if err := os.WriteFile(filepath.Join(dir, "group.sdp"), []byte(sdp), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	heard := filepath.Join(dir, "heard.raw")
	cmd := exec.CommandContext(ctx, "ffmpeg", "-hide_banner", "-loglevel", "info", "-nostdin",
		"-protocol_whitelist", "file,udp,rtp", "-analyzeduration", "0", "-probesize", "32", "-i", filepath.Join(dir, "group.sdp"),
		"-t", "2", "-f", "s16le", "-ar", "8000", "-ac", "1", heard)
	var errors bytes.Buffer
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for s := bufio.NewScanner(out); s.Scan(); {
			errors.WriteString(s.Text() + "\n")
		}
	}()
	await(t, func() bool {
		open, err := os.ReadFile("/proc/net/udp")
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(open, fmt.Appendf(nil, ":%04X 00000000:0000", port))
	})
	d := newDriver(t, rtp.Options{Group: fmt.Sprintf("127.0.0.1:%d", port)})
	clip := append(rtptest.Sweep(audio.Rate*2), make([]int16, audio.Rate)...)
	s := open(t, d)
	for rest := clip; len(rest) > 0; rest = rest[audio.FrameSamples:] {
		if err := s.Write(ctx, rest[:audio.FrameSamples]); err != nil {
			break // ffmpeg has heard its two seconds and is gone
		}
	}
	_ = s.Close()
	<-ended
	if err := cmd.Wait(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, errors.String())
	}
	if !strings.Contains(errors.String(), "pcm_mulaw") {
		t.Errorf("ffmpeg heard something else:\n%s", errors.String())
	}
	raw, err := os.ReadFile(heard)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]int16, len(raw)/2)
	for i := range got {
		got[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
	}
	want := rtptest.Thirds(clip)[2000:12000]
	alike, at := rtptest.Correlation(got, want)
	t.Logf("ffmpeg heard %d samples, alike to %.4f at %d", len(got), alike, at)
	if alike < 0.99 {
		t.Errorf("ffmpeg heard %d samples, alike to %.4f", len(got), alike)
	}
}
