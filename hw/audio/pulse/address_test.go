package pulse

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"nabat/hw/audio"
	"nabat/hw/audio/audiotest"
)

func around(variables map[string]string) surroundings {
	return surroundings{variable: func(name string) string { return variables[name] }, host: "school", user: 1000}
}

func TestServerAddresses(t *testing.T) {
	for _, c := range []struct {
		name, text string
		variables  map[string]string
		want       []address
		wrong      string
	}{
		{name: "a path", text: "/run/x", want: []address{{"unix", "/run/x"}}},
		{name: "a socket", text: "unix:/run/x", want: []address{{"unix", "/run/x"}}},
		{name: "this host's of two", text: "{other}unix:/a {school}unix:/b", want: []address{{"unix", "/b"}}},
		{name: "this machine", text: "tcp:127.0.0.1:4000 tcp6:[::1]:4001 tcp4:localhost", want: []address{{"tcp", "127.0.0.1:4000"}, {"tcp6", "[::1]:4001"}, {"tcp4", "localhost:4713"}}},
		{name: "another machine", text: "tcp:10.0.0.7:4713", wrong: "not encrypted"},
		{name: "no port", text: "tcp:127.0.0.1:x", wrong: "port"},
		{name: "nonsense", text: "hall", wrong: "neither"},
		{name: "an open brace", text: "{school", wrong: "without a }"},
		{name: "other hosts only", text: "{other}unix:/a", wrong: "no server of this machine"},
		{name: "the variable", variables: map[string]string{"PULSE_SERVER": "unix:/v"}, want: []address{{"unix", "/v"}}},
		{name: "the text before the variable", text: "/run/x", variables: map[string]string{"PULSE_SERVER": "unix:/v"}, want: []address{{"unix", "/run/x"}}},
		{name: "the usual", variables: map[string]string{"XDG_RUNTIME_DIR": "/run/user/7"}, want: []address{{"unix", "/run/user/7/pulse/native"}, {"unix", "/run/user/1000/pulse/native"}, {"unix", "/run/pulse/native"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parse(c.text, around(c.variables))
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Fatalf("got %v, %v; want an error that says %q", got, err, c.wrong)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, %v; want %v", got, err, c.want)
			}
		})
	}
}

func FuzzServerAddress(f *testing.F) {
	f.Add("{school}unix:/run/x tcp:127.0.0.1:4713 tcp6:[::1]")
	f.Add("{")
	f.Fuzz(func(t *testing.T, text string) {
		found, err := parse(text, around(nil))
		if err == nil && len(found) == 0 {
			t.Fatal("no address and no error")
		}
		for _, a := range found {
			if host, _, err := net.SplitHostPort(a.place); a.network != "unix" && (err != nil || host != "localhost" && !net.ParseIP(host).IsLoopback()) {
				t.Fatalf("%q leads to %v", text, a)
			}
		}
	})
}

func TestTheCookieLetsUsIn(t *testing.T) {
	dir := t.TempDir()
	right, wrong, short := filepath.Join(dir, "right"), filepath.Join(dir, "wrong"), filepath.Join(dir, "short")
	for path, secret := range map[string][]byte{right: bytes.Repeat([]byte{7}, cookieBytes), wrong: bytes.Repeat([]byte{8}, cookieBytes), short: {1}} {
		if err := os.WriteFile(path, secret, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Over TCP, because a socket lets in whoever has the server's user.
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	audiotest.Run(t, "pa", fmt.Sprintf("module-native-protocol-tcp listen=127.0.0.1 port=%d auth-cookie=%s", port, right))
	check := func(cookie string) error {
		d := New(Options{Server: fmt.Sprintf("tcp:127.0.0.1:%d", port), Sink: "pa", Cookie: cookie})
		defer d.Close()
		return d.Check(within(t))
	}
	if err := check(right); err != nil {
		t.Error(err)
	}
	t.Setenv("PULSE_COOKIE", right)
	if err := check(""); err != nil {
		t.Errorf("by PULSE_COOKIE: %v", err)
	}
	says(t, check(wrong), "cookie", "does not let us in")
	if errors.Is(check(wrong), audio.ErrAbsent) {
		t.Error("a server that refuses us is said to be absent")
	}
	says(t, check(short), "fewer than 256 bytes")
	says(t, check(filepath.Join(dir, "none")), "none")
}
