package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The token of a file opens all of /metrics; without it what steps with every
// call is left out, also on this machine, because a kiosk stands on it.
func TestMetricsWithTheTokenOfAFile(t *testing.T) {
	dir := t.TempDir()
	token := filepath.Join(dir, "metrics-token")
	if err := os.WriteFile(token, []byte("t0ken\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path, listen := writeConfig(t, dir, []string{"a"}, "")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	with := strings.Replace(string(text), "[web]\n", "[web]\nmetrics_token_file = \""+token+"\"\n", 1)
	if err := os.WriteFile(path, []byte(with), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, path, dir)
	for bearer, want := range map[string]bool{"t0ken": true, "other": false} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listen+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+bearer)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(body), "sequence"); resp.StatusCode != http.StatusOK || got != want {
			t.Errorf("%s: %s, the journal's sequence is told: %v", bearer, resp.Status, got)
		}
	}
	p.stop(t)
	if err := os.Remove(token); err != nil {
		t.Fatal(err)
	}
	if status, _, errs := call(t, "run", "--config", path); status != exitFailed || !strings.Contains(errs, "metrics-token") {
		t.Errorf("without its file: %d %s", status, errs)
	}
}
