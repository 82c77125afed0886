package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nabat/gateway/alert"
	"nabat/gateway/control"
	"nabat/sync/command"
	"nabat/sync/dispatch/store"
)

// TestKeysChangeWithoutAVisit goes the whole way of a new key with a connected
// gateway: made, told, signing, and the old one forgotten and put away.
func TestKeysChangeWithoutAVisit(t *testing.T) {
	config := begin(t)
	dir := filepath.Dir(config)
	token := filepath.Join(t.TempDir(), "token")
	lines, _ := must(t, "gateway", "add", "school-12/main", "-c", config, "--token-file", token)
	gatewayConfig, data := school(t, lines, token, filepath.Join(dir, caFile))
	both := []*process{run(t, "nabat-dispatch", "run", "-c", config), run(t, "nabat", "run", "--config", gatewayConfig)}
	client := control.NewClient(filepath.Join(data, control.SocketName))
	s, err := loadConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	db, err := openStore(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	g := store.Gateway{Site: "school-12", ID: "main"}
	waitUntil(t, "gateway at dispatch", both, func() bool {
		info, err := db.GatewayInfo(t.Context(), g)
		return err == nil && info.Online
	})

	ring := keyring{s.Keys}
	old, err := ring.active()
	if err != nil {
		t.Fatal(err)
	}
	must(t, "keys", "new", "--id", "second", "-c", config)
	if out, _ := must(t, "keys", "rotate", "second", "-c", config); !strings.Contains(out, "school-12/main: told just now") {
		t.Errorf("the first call says:\n%s", out)
	}
	if active, err := ring.active(); err != nil || active != old {
		t.Fatalf("%s signs before the gateway knows it, %v", active, err)
	}
	waitUntil(t, "gateway that knows the new key", both, func() bool {
		list, err := keyProgress(t.Context(), db, adds("second"))
		return err == nil && count(list, store.CommandAccepted) == 1
	})
	must(t, "keys", "rotate", "second", "-c", config)
	if active, err := ring.active(); err != nil || active != "second" {
		t.Fatalf("%s signs, %v", active, err)
	}
	must(t, "keys", "retire", old, "-c", config)
	waitUntil(t, "gateway that has forgotten the old key", both, func() bool {
		list, err := keyProgress(t.Context(), db, retires(old))
		return err == nil && count(list, store.CommandAccepted) == 1
	})
	must(t, "keys", "retire", old, "-c", config)
	if _, err := os.Stat(ring.path(old) + retiredSuffix); err != nil {
		t.Error(err)
	}

	// What the new key signs is carried out.
	press(t, client, "gym")
	var open []store.Alert
	waitUntil(t, "alert at dispatch", both, func() bool {
		open, err = db.OpenAlerts(t.Context())
		return err == nil && len(open) == 1
	})
	sign, err := ring.signer()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Issue(t.Context(), g, command.Claims{Verb: command.Acknowledge, Who: "anna", Alert: open[0].ID, Number: open[0].Last.Number}, "anna", sign); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "word on the lamp that somebody has it", both, func() bool { return truth(client) == alert.TruthAccepted.String() })
}
