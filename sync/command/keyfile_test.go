package command

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func TestAKeyIsSavedForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dispatch.key")
	k := mustKey(t, "key-1")
	must(t, k.Save(path))
	if err := k.Save(path); !errors.Is(err, os.ErrExist) {
		t.Errorf("a key was overwritten: %v", err)
	}
	got, err := LoadPrivateKey(path)
	if err != nil || got.ID != "key-1" || !got.key.Equal(k.key) {
		t.Fatalf("got %v, %v", got, err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o601} {
		must(t, os.Chmod(path, mode))
		if _, err := LoadPrivateKey(path); !errors.Is(err, ErrOpenToOthers) {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	must(t, os.Chmod(path, 0o400))
	if _, err := LoadPrivateKey(path); err != nil {
		t.Error(err)
	}
}

func TestAKeyOfOtherTools(t *testing.T) {
	k := mustKey(t, "")
	der, err := x509.MarshalPKCS8PrivateKey(k.key)
	must(t, err)
	path := filepath.Join(t.TempDir(), "pem")
	must(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	got, err := LoadPrivateKey(path)
	if err != nil || got.ID != k.ID || !got.key.Equal(k.key) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestBadKeyFiles(t *testing.T) {
	k := mustKey(t, "key-1")
	public, err := jose.JSONWebKey{Key: k.key.Public(), KeyID: "key-1"}.MarshalJSON()
	must(t, err)
	other := ed25519.PrivateKey(append(append([]byte{}, k.key.Seed()...), mustKey(t, "").Public().Public...))
	mixed, err := jose.JSONWebKey{Key: other, KeyID: "key-1"}.MarshalJSON()
	must(t, err)
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"empty": nil, "words": []byte("hunter2"), "public": public, "two halves": mixed,
		"large": make([]byte, maxKeyFile+1), "pem": []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
	} {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, content, 0o600))
		if _, err := LoadPrivateKey(path); err == nil {
			t.Errorf("%s is taken for a key", name)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error repeats the file: %v", err)
		}
	}
	if _, err := LoadPrivateKey(dir); err == nil {
		t.Error("a folder is taken for a key")
	}
	if _, err := NewSigner(PrivateKey{ID: "key-1"}); err == nil {
		t.Error("no key signs")
	}
}

func TestAPrivateKeyIsNeverPrinted(t *testing.T) {
	k := mustKey(t, "key-1")
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", k)
	printed := log.String() + fmt.Sprintf("%v %+v %#v %s %x %d", k, k, k, k, k, &k)
	for _, secret := range []string{fmt.Sprintf("%x", k.key.Seed()), strings.Trim(fmt.Sprintf("%d", k.key), "[]")} {
		if strings.Contains(printed, secret) {
			t.Errorf("printed: %s", printed)
		}
	}
}

func TestTOML(t *testing.T) {
	k := Key{ID: "key-1", Public: make([]byte, 32)}
	want := "[[command_key]]\nid = \"key-1\"\npublic = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"\n"
	if got := k.TOML(); got != want {
		t.Errorf("got %s", got)
	}
}
