package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"nabat/gateway/alert"
)

// desk announces nothing: the engine stands in another room, which this one may
// not know. It remembers what it was asked for.
type desk struct {
	mu      sync.Mutex
	notices []alert.Notice
	ended   []alert.Decision
	err     error
}

func (d *desk) Announce(_ context.Context, n alert.Notice) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notices = append(d.notices, n)
	return d.err
}

func (d *desk) EndAnnouncement(_ context.Context, by alert.Decision) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = append(d.ended, by)
	return d.err
}

func speaking(t *testing.T) (*desk, *Client, *Server) {
	t.Helper()
	d := &desk{}
	s := NewServer(Options{
		Path: filepath.Join(t.TempDir(), SocketName), Status: busyDay, Announcer: d,
		Site: &alert.Site{
			Language: alert.Kazakh, Zones: []alert.Zone{{ID: "hall"}, {ID: "gym"}, {ID: "yard"}},
			Messages: []alert.Message{{ID: "assembly", Priority: alert.PriorityEmergency}, {ID: "safety-lesson", Priority: alert.PriorityRoutine}},
		},
		Speakers: func(zone string) int { return map[string]int{"hall": 2, "gym": 1}[zone] },
		Sounding: func() []alert.Sounding {
			return []alert.Sounding{{Zone: "gym", Priority: alert.PriorityEmergency}, {Zone: "hall", Priority: alert.PriorityRoutine}}
		},
	})
	run(t, s)
	return d, NewClient(s.opt.Path), s
}

func TestAnnounceSaysWhereItIsHeard(t *testing.T) {
	d, c, _ := speaking(t)
	said, err := c.Announce(t.Context(), AnnounceRequest{Say: "Барлығы залға", Seconds: 60, Test: true})
	if err != nil {
		t.Fatal(err)
	}
	n := d.notices[0]
	if !reflect.DeepEqual(said.Sounds, []string{"hall", "gym"}) || !reflect.DeepEqual(said.ShownOnly, []string{"yard"}) || !reflect.DeepEqual(said.Waits, []string{"gym"}) || said.Memory || said.ID == "" || said.ID != n.ID {
		t.Errorf("%+v of %+v", said, n)
	}
	if n.Text != (alert.Text{KK: "Барлығы залға"}) || n.Zones[0] != alert.Everywhere || n.For != time.Minute || n.Status != alert.Test || n.Origin != "command line" || n.Message != "" {
		t.Errorf("asked for %+v", n)
	}
	if said, err = c.Announce(t.Context(), AnnounceRequest{Say: "assembly", Zones: []string{"gym"}, Seconds: 5}); err != nil || len(said.Waits) != 0 || !reflect.DeepEqual(said.Sounds, []string{"gym"}) {
		t.Errorf("%+v, %v", said, err)
	}
	if n := d.notices[1]; n.Message != "assembly" || n.Text != (alert.Text{}) || n.Status != alert.Actual {
		t.Errorf("asked for %+v", n)
	}
	if _, err := c.Announce(t.Context(), AnnounceRequest{Say: "All to the hall", Language: alert.English, Seconds: 5, Priority: alert.PriorityEvacuate}); err != nil || d.notices[2].Text.EN == "" || d.notices[2].Priority != alert.PriorityEvacuate {
		t.Errorf("%v: %+v", err, d.notices)
	}
	if err := c.EndAnnouncement(t.Context(), said.ID); err != nil || d.ended[0].Alert != said.ID || d.ended[0].Origin != "command line" {
		t.Errorf("%v: %+v", err, d.ended)
	}
}

func TestAnnounceTeachesWhatIsThere(t *testing.T) {
	d, c, _ := speaking(t)
	for want, a := range map[string]AnnounceRequest{
		`there is no zone "attic"; this site has the zones gym, hall, yard`:               {Say: "Залға!", Zones: []string{"hall", "attic"}, Seconds: 5},
		`there is no message "asembly"; this site has the messages assembly, safety-less`: {Say: "asembly", Seconds: 5},
		"nothing to say":       {Seconds: 5},
		"not both":             {Say: "a", Text: alert.Text{EN: "a"}, Seconds: 5},
		`language "de"`:        {Say: "a b", Language: "de", Seconds: 5},
		"stands from 1s to 1h": {Say: "a b"},
		"1h0m0s":               {Say: "a b", Seconds: 3601},
	} {
		_, err := c.Announce(t.Context(), a)
		if !errors.Is(err, errRequest) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", a, err, want)
		}
	}
	if len(d.notices) != 0 {
		t.Errorf("announced %+v", d.notices)
	}
	// A word that is no id is said.
	if _, err := c.Announce(t.Context(), AnnounceRequest{Say: "Назар!", Seconds: 5}); err != nil || d.notices[0].Text.KK != "Назар!" {
		t.Errorf("%v: %+v", err, d.notices)
	}
}

func TestAnnounceTellsWhatStoodInTheWay(t *testing.T) {
	d, c, _ := speaking(t)
	a := AnnounceRequest{Say: "Бәрі залға", Seconds: 5}
	d.err = fmt.Errorf("kept: %w", alert.ErrNotDurable)
	if said, err := c.Announce(t.Context(), a); err != nil || !said.Memory {
		t.Errorf("in memory: %+v, %v", said, err)
	}
	if err := c.EndAnnouncement(t.Context(), "x"); err != nil {
		t.Errorf("end in memory: %v", err)
	}
	d.err = fmt.Errorf("too long: %w", alert.ErrNotice)
	if _, err := c.Announce(t.Context(), a); !errors.Is(err, errRequest) || !strings.Contains(err.Error(), "too long") {
		t.Errorf("refused: %v", err)
	}
	d.err = fmt.Errorf("x: %w", alert.ErrNoNotice)
	if err := c.EndAnnouncement(t.Context(), "x"); !errors.Is(err, alert.ErrNoNotice) {
		t.Errorf("nothing to end: %v", err)
	}
	s := server(t, nil)
	run(t, s)
	if _, err := NewClient(s.opt.Path).Announce(t.Context(), a); err == nil || !strings.Contains(err.Error(), "announces nothing") {
		t.Errorf("no announcer: %v", err)
	}
}

func TestAnnounceIsBounded(t *testing.T) {
	d, _, s := speaking(t)
	hc := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.opt.Path)
	}}}
	for path, body := range map[string]string{
		"/v1/announce":     `{"say":"` + strings.Repeat("a ", maxAnnounce) + `","seconds":5}`,
		"/v1/announce/end": `{"id":"` + strings.Repeat("a", maxPoint+1) + `"}`,
	} {
		answer, err := hc.Post("http://nabat"+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != http.StatusBadRequest || err != nil {
			t.Errorf("%s: %s %s %v", path, answer.Status, b, err)
		}
	}
	if len(d.notices)+len(d.ended) != 0 {
		t.Errorf("%+v %+v", d.notices, d.ended)
	}
}

// FuzzDecodeAnnounce: no request announces anything that is out of bounds.
func FuzzDecodeAnnounce(f *testing.F) {
	for _, seed := range []string{
		`{"say":"a b","seconds":60}`, `{"text":{"ru":"а","kk":"","en":"a"},"zones":["hall"],"seconds":60,"priority":"evacuate","test":true}`,
		`{"say":"a","seconds":-1}`, `{"say":"a","seconds":1e30}`, `{"say":"a","seconds":5}{}`, `[]`, ``, `{"say":"fire-1","language":"xx","seconds":5}`,
	} {
		f.Add(seed)
	}
	s := NewServer(Options{Site: &alert.Site{Language: alert.Russian, Zones: []alert.Zone{{ID: "hall"}}, Messages: []alert.Message{{ID: "fire-1"}}}})
	f.Fuzz(func(t *testing.T, text string) {
		a, err := decodeAnnounce(strings.NewReader(text))
		if err == nil {
			var n alert.Notice
			if n, err = s.notice(a); err == nil {
				if n.For < time.Second || n.For > LongestAnnouncement || (n.Text == alert.Text{} && n.Message == "") || len(n.Zones) == 0 {
					t.Fatalf("accepted %+v", n)
				}
				return
			}
		}
		if !errors.Is(err, errRequest) {
			t.Fatalf("no reason: %v", err)
		}
	})
}
