package command

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"nabat/gateway/alert"
)

// Whatever is lost, copied, held back or reordered on the way, and however often
// the gateway starts, on whatever disk and clock: no signature acts twice.
func TestNothingActsTwice(t *testing.T) {
	key := mustKey(t, "key-1")
	signer := mustSigner(t, key)
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, uuid.NewString())
		now := alert.Stamp{Wall: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC), Mono: time.Minute, Synced: true}
		o := Options{Path: path, Audience: audience, Keys: []Key{key.Public()}, Now: func() alert.Stamp { return now }}
		var g *Gate
		open := func(t *rapid.T) {
			var err error
			if g, err = Open(o); err != nil {
				t.Fatal(err)
			}
		}
		open(t)
		var sent [][]byte
		var counter uint64
		var backups [][]byte
		acted := map[string]bool{}
		trueWall := now.Wall
		t.Repeat(map[string]func(*rapid.T){
			"sign": func(t *rapid.T) {
				counter++
				c := Claims{
					Audience: audience, ID: uuid.NewString(), Counter: counter, Issued: trueWall.Unix(),
					Expires: trueWall.Add(5 * time.Minute).Unix(), Verb: DrillEnd, Who: "o",
				}
				if rapid.Bool().Draw(t, "word") {
					c.Challenge = g.Challenge()
				}
				compact, err := signer.Sign(c)
				if err != nil {
					t.Fatal(err)
				}
				sent = append(sent, []byte(compact))
			},
			"deliver": func(t *rapid.T) {
				if len(sent) == 0 {
					t.Skip("nothing was sent")
				}
				compact := rapid.SampledFrom(sent).Draw(t, "which")
				before := g.Counter()
				c, err := g.Accept(compact, false)
				if err != nil {
					return
				}
				if acted[string(compact)] {
					t.Fatalf("counter %d acted twice", c.Counter)
				}
				acted[string(compact)] = true
				if c.Counter <= before {
					t.Fatalf("counter %d after %d", c.Counter, before)
				}
			},
			"time": func(t *rapid.T) {
				d := time.Duration(rapid.IntRange(1, 400).Draw(t, "seconds")) * time.Second
				now.Wall, now.Mono, trueWall = now.Wall.Add(d), now.Mono+d, trueWall.Add(d)
			},
			"clock": func(t *rapid.T) {
				now.Synced = rapid.Bool().Draw(t, "synced")
				now.Wall = trueWall
				if !now.Synced {
					now.Wall = trueWall.AddDate(rapid.IntRange(-50, 50).Draw(t, "years"), 0, 0)
				}
			},
			"restart": func(t *rapid.T) {
				now.Mono, now.Wall, trueWall = now.Mono+2*time.Second, now.Wall.Add(2*time.Second), trueWall.Add(2*time.Second)
				open(t)
			},
			"backup": func(*rapid.T) {
				if b, err := os.ReadFile(path); err == nil {
					backups = append(backups, b)
				}
			},
			"restore": func(t *rapid.T) {
				if len(backups) == 0 {
					t.Skip("there is no backup")
				}
				if err := os.WriteFile(path, rapid.SampledFrom(backups).Draw(t, "which"), 0o600); err != nil {
					t.Fatal(err)
				}
				now.Mono, now.Wall, trueWall = now.Mono+2*time.Second, now.Wall.Add(2*time.Second), trueWall.Add(2*time.Second)
				open(t)
			},
			"damage": func(t *rapid.T) {
				_ = os.Truncate(path, int64(rapid.IntRange(0, 200).Draw(t, "at")))
				now.Mono, now.Wall, trueWall = now.Mono+2*time.Second, now.Wall.Add(2*time.Second), trueWall.Add(2*time.Second)
				open(t)
			},
		})
	})
}
