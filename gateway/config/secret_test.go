package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
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

func TestPIN(t *testing.T) {
	hash, err := HashPIN("493817")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash = %s", hash)
	}
	for pin, want := range map[string]bool{"493817": true, "493818": false, "": false, strings.Repeat("4", 65): false} {
		if ok, err := VerifyPIN(NewSecret(hash), pin); ok != want || err != nil {
			t.Errorf("VerifyPIN(%q) = %v, %v", pin, ok, err)
		}
	}
	again, err := HashPIN("493817")
	if err != nil || again == hash {
		t.Errorf("two hashes of one PIN are the same: the salt is not random (%v)", err)
	}
	for _, pin := range []string{"", "12345", strings.Repeat("1", 65), "123\n456"} {
		if _, err := HashPIN(pin); !errors.Is(err, ErrPIN) {
			t.Errorf("HashPIN(%q) = %v", pin, err)
		}
	}
	if pin := NewPIN(); len(pin) != 6 || strings.Trim(pin, "0123456789") != "" {
		t.Errorf("NewPIN = %q", pin)
	}
}

func TestHashesThatAreRefused(t *testing.T) {
	const salt, key = "c2FsdHNhbHRzYWx0c2FsdA", "aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"
	for name, text := range map[string]string{
		"empty":               "",
		"another algorithm":   "$argon2i$v=19$m=19456,t=2,p=1$" + salt + "$" + key,
		"another version":     "$argon2id$v=16$m=19456,t=2,p=1$" + salt + "$" + key,
		"too cheap":           "$argon2id$v=19$m=1024,t=2,p=1$" + salt + "$" + key,
		"too dear":            "$argon2id$v=19$m=4000000,t=2,p=1$" + salt + "$" + key,
		"no rounds":           "$argon2id$v=19$m=19456,t=0,p=1$" + salt + "$" + key,
		"no threads":          "$argon2id$v=19$m=19456,t=2,p=0$" + salt + "$" + key,
		"something after":     "$argon2id$v=19$m=19456,t=2,p=1x$" + salt + "$" + key,
		"short salt":          "$argon2id$v=19$m=19456,t=2,p=1$AAAA$" + key,
		"short hash":          "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$AAAA",
		"not base64":          "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key + "!",
		"one part too many":   "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key + "$",
		"the word in minimal": pinMark,
	} {
		if ok, err := VerifyPIN(NewSecret(text), "493817"); ok || !errors.Is(err, ErrPIN) {
			t.Errorf("%s: VerifyPIN = %v, %v", name, ok, err)
		}
	}
}

func TestReadPassword(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("hunter2 \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := (MQTT{PasswordFile: path}).ReadPassword(); err != nil || p.Reveal() != "hunter2 " {
		t.Errorf("got %q, %v", p.Reveal(), err)
	}
	if p, err := (MQTT{}).ReadPassword(); err != nil || p.Reveal() != "" {
		t.Errorf("without a file: %q, %v", p.Reveal(), err)
	}
	if _, err := (MQTT{PasswordFile: path + "x"}).ReadPassword(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}
