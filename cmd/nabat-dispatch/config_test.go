package main

import (
	"errors"
	"strings"
	"testing"
)

func TestEveryMistakeIsNamedWithItsLine(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no TOML":             {"listen = \n", "d.toml:1: "},
		"an unknown key":      {"name = \"x\"\nlisten_on = \"x\"\n", "d.toml:2: unknown key listen_on"},
		"plain for everybody": {"name = \"x\"\n\nlisten = \":8443\"\n", "d.toml:3: without TLS"},
		"a key without cert":  {"tls_key = \"k\"\n", "d.toml:1: tls_key stands without tls_cert"},
		"another database":    {"database = \"mysql://secret@x\"\n", "d.toml:1: this is not the address of a database"},
		"a broker in the air": {"[broker]\nlisten = \"0.0.0.0:1883\"\n", "d.toml:2: without TLS"},
		"two brokers":         {"[broker]\nlisten = \"127.0.0.1:1\"\n[mqtt]\nurl = \"mqtts://b\"\n", "d.toml:3: [broker] and [mqtt]"},
		"a plain broker":      {"[mqtt]\nurl = \"mqtt://broker.example\"\n", "d.toml:2: the link to the broker"},
		"a plain webhook":     {"[[webhook]]\nname = \"c\"\nurl = \"http://c.example/\"\nsecret_file = \"s\"\n", "d.toml:3: webhook c: it would not be encrypted"},
	} {
		_, err := parseConfig("d.toml", []byte(c.text))
		var m *mistakes
		if !errors.As(err, &m) || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "secret@") {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if s, err := parseConfig("/x/d.toml", nil); err != nil || s.Keys != "/x/keys" {
		t.Errorf("an empty file: %+v, %v", s, err)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte("listen = \"127.0.0.1:1\"\n[broker]\nlisten = \":1\"\n"))
	f.Add([]byte("[[webhook]]\nname = 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseConfig("d.toml", b); err == nil && s.TLSCert == "" && s.Broker != nil && strings.HasPrefix(s.Broker.Listen, "0.0.0.0:") {
			t.Error("a broker without TLS listens for everybody")
		}
	})
}
