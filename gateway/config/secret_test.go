package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"nabat/gateway/pin"
)

func TestSecretsAreNeverPrinted(t *testing.T) {
	c := parse(t, base)
	secret := c.Web.PIN.Reveal()
	if secret != exampleHash {
		t.Fatalf("Reveal = %q", secret)
	}
	var log bytes.Buffer
	l := slog.New(slog.NewTextHandler(&log, nil))
	l.Info("start", "config", *c, "web", c.Web, "pin", c.Web.PIN, "pointer", &c.Web.PIN)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("start", "config", c, "pin", c.Web.PIN)
	j, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	outputs := []string{log.String(), string(j)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
		outputs = append(outputs, fmt.Sprintf(verb, *c), fmt.Sprintf(verb, c.Web), fmt.Sprintf(verb, c.Web.PIN), fmt.Sprintf(verb, &c.Web.PIN))
	}
	for _, out := range outputs {
		for _, leak := range []string{"argon2id", fmt.Sprintf("%x", "argon2id"), fmt.Sprintf("%X", "argon2id")} {
			if strings.Contains(out, leak) {
				t.Errorf("leaks: %s", out)
			}
		}
	}
}

func TestMessagesHoldNoSecret(t *testing.T) {
	for _, wrong := range []string{
		strings.Replace(base, exampleHash, "hunter2", 1),
		strings.Replace(base, `"`+exampleHash+`"`, "271828", 1),
		strings.Replace(base, `"`+exampleHash+`"`, `["hunter2"]`, 1),
		strings.Replace(base, "mqtts://", "mqtts://user:hunter2@", 1),
		strings.Replace(base, "mqtts://dispatch.example", "mqtts://user:hunter2@dispatch.example:port", 1),
		strings.Replace(base, exampleHash+`"`, "hunter2", 1), // the quote is open
	} {
		_, err := Parse("f", []byte(wrong))
		if err == nil {
			t.Fatal("accepted")
		}
		if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "271828") {
			t.Errorf("leaks: %v", err)
		}
	}
}

// The mark in the minimal file must not work as a PIN that everybody knows.
func TestMarkOfMinimalIsNoHash(t *testing.T) {
	if _, err := pin.Parse(pinMark); !errors.Is(err, pin.ErrHash) {
		t.Errorf("pin.Parse(%q) = %v", pinMark, err)
	}
}
