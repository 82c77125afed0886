package main

import (
	"bytes"
	"errors"
	"net/http"
	"testing"
	"time"

	"nabat/gateway/alert"
)

// TestChecksOfTheFarEndSeeWhatIsWrong is the check of the checks, of those that
// look into dispatch.
func TestChecksOfTheFarEndSeeWhatIsWrong(t *testing.T) {
	m := &maker{now: func() alert.Stamp { return alert.Stamp{Wall: time.Now()} }, numbering: "0123456789abcdef"}
	batch := func(seqs ...uint64) post {
		var body []byte
		for _, seq := range seqs {
			body = append(append(body, ','), wire(m.routine(), []byte(`{}`), seq)...)
		}
		body[0] = '['
		return post{body: append(body, ']')}
	}
	good := []post{batch(1, 2), batch(3)}
	for name, c := range map[string]struct {
		posts []post
		good  bool
	}{
		"all in order":                 {good, true},
		"one lost":                     {[]post{batch(1), batch(3)}, false},
		"one doubled":                  {[]post{batch(1, 2), batch(2, 3)}, false},
		"two batches out of order":     {[]post{batch(3), batch(1, 2)}, false},
		"two events out of order":      {[]post{batch(2, 1), batch(3)}, false},
		"one more than there was":      {[]post{batch(1, 2), batch(3, 4)}, false},
		"one that nobody can read":     {[]post{batch(1, 2), {body: []byte(`[{"specversion":"1.0"}]`)}}, false},
		"one that is no batch":         {[]post{batch(1, 2), {body: []byte(`{}`)}}, false},
		"one that is not what it says": {[]post{batch(1, 2), {body: batch(3).body, zipped: true}}, false},
	} {
		if err := check(c.posts, 3); (err == nil) != c.good {
			t.Errorf("%s: check says %v", name, err)
		}
	}

	const gateway, epoch = "floor", "0123456789abcdef" // as wire writes them
	b := &bench{dir: t.TempDir(), size: small(), note: &bytes.Buffer{}}
	f, err := b.openFar(t.Context(), gateway)
	if err != nil {
		t.Fatal(err)
	}
	transport := new(http.Transport)
	for _, p := range good {
		if err := postOne(t.Context(), &http.Client{Transport: transport}, f, gateway, p); err != nil {
			t.Error(err)
		}
	}
	f.token = "wrong"
	if err := postOne(t.Context(), &http.Client{Transport: transport}, f, gateway, good[0]); !errors.Is(err, errWrong) {
		t.Errorf("a batch that was refused: %v", err)
	}
	transport.CloseIdleConnections()
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	if posts, _ := f.stored(); len(posts) != len(good) || check(posts, 3) != nil {
		t.Errorf("%d batches are kept, want those that were stored: %d", len(posts), len(good))
	}
	for last, want := range map[uint64]bool{3: true, 2: false, 4: false} {
		if err := holds(t.Context(), f.database, gateway, epoch, last); (err == nil) != want {
			t.Errorf("of a database with 3 events asked for %d: %v", last, err)
		}
	}
	if err := holds(t.Context(), f.database, gateway, "another", 3); !errors.Is(err, errWrong) {
		t.Errorf("of another epoch: %v", err)
	}
}
