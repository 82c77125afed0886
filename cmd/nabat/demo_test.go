package main

import (
	"context"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"nabat/gateway/alert"
	"nabat/gateway/control"
	"nabat/hw/audio/audiotest"
)

func TestDemoSaysWhichAddressIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for flag, other := range map[string]string{"--listen": "--desk", "--desk": "--listen"} {
		args := []string{"demo", flag, l.Addr().String(), other, "127.0.0.1:0"}
		if status, _, errs := call(t, args...); status != exitFailed || !strings.Contains(errs, flag) {
			t.Errorf("%s taken: status %d: %s", flag, status, errs)
		}
	}
}

// demonstrate runs the demonstration until the test ends, and returns what it has
// said once it has told its addresses.
func demonstrate(t *testing.T, args ...string) *logBuffer {
	t.Helper()
	out := &logBuffer{}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- Main(ctx, append([]string{"demo", "--listen", "127.0.0.1:0", "--desk", "127.0.0.1:0"}, args...), out, out)
	}()
	t.Cleanup(func() {
		stop()
		if status := <-ended; status != exitDone {
			t.Errorf("the demonstration ended with %d: %s", status, out)
		}
	})
	waitUntil(t, "addresses", func() bool { return strings.Contains(out.String(), "/dispatch ") })
	return out
}

func TestDemoSounds(t *testing.T) {
	server := audiotest.Run(t, "pa")
	t.Setenv("PULSE_SERVER", server.Address())
	dir := t.TempDir()
	out := demonstrate(t, "--sound", "pulse", "--data", dir)
	if !strings.Contains(out.String(), "Turn the sound up") {
		t.Errorf("the welcome does not speak of sound: %s", out)
	}
	heard := atSink(t, server, "pa")
	pressByCommand(t, "button-canteen", dir)
	heard.untilHeard(alert.ChimeEvacuate)
}

func TestDemoWithoutSoundShowsWhatWouldBeSaid(t *testing.T) {
	dir := t.TempDir()
	out := demonstrate(t, "--sound", "none", "--data", dir)
	if !strings.Contains(out.String(), "Nothing is heard") {
		t.Errorf("the welcome does not say that nothing is heard: %s", out)
	}
	pressByCommand(t, "button-canteen", dir)
	client := control.NewClient(filepath.Join(dir, control.SocketName))
	waitUntil(t, "what would be said in both zones", func() bool {
		s, err := client.Status(t.Context())
		return err == nil && len(s.Sounding) == 2 && s.Sounding[0].Priority == alert.PriorityEvacuate && s.Sounding[0].Text.KK != "" && s.Sounding[0].Speakers == 0
	})
}

func TestDemoSaysWhichSoundIsMissing(t *testing.T) {
	t.Setenv("PULSE_SERVER", "unix:"+filepath.Join(t.TempDir(), "none"))
	if status, _, errs := call(t, "demo", "--listen", "127.0.0.1:0", "--desk", "127.0.0.1:0", "--sound", "pulse"); status != exitFailed || !strings.Contains(errs, "--sound pulse") {
		t.Errorf("status %d: %s", status, errs)
	}
}

// TestDispatchPageSpeaksThreeLanguages looks at the dispatch page's words.
func TestDispatchPageSpeaksThreeLanguages(t *testing.T) {
	out := demonstrate(t)
	told := regexp.MustCompile(`http://(\S+)/dispatch`)
	m := told.FindStringSubmatch(out.String())
	for language, word := range map[string]string{"ru": "Диспетчерская", "kk": "Диспетчерлік", "en": "Dispatch"} {
		if page := get(t, m[1], "/dispatch?lang="+language); !strings.Contains(page, word) {
			t.Errorf("%s: no %q in %s", language, word, page)
		}
	}
}
