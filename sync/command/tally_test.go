package command

import (
	"errors"
	"testing"
	"time"
)

func TestAFloodIsToldOnceAMinute(t *testing.T) {
	var tally Tally
	told, events := uint64(0), 0
	note := func(list []Refused) {
		for _, r := range list {
			told += r.Count
			events++
		}
	}
	const each, minutes = 100 * time.Millisecond, 10
	n := int(minutes * time.Minute / each)
	for i := range n {
		note(tally.Note(&Refusal{Reason: Signature, Err: errors.New("x")}, time.Duration(i)*each))
	}
	if events > minutes {
		t.Errorf("%d events in %d minutes", events, minutes)
	}
	note(tally.Rest())
	if told != uint64(n) || tally.Counts()[Signature] != uint64(n) {
		t.Errorf("told of %d, counted %d, want %d", told, tally.Counts()[Signature], n)
	}
}

func TestTheFirstOfAReasonIsToldAtOnce(t *testing.T) {
	var tally Tally
	for _, r := range Reasons() {
		want := 1
		if r == Duplicate {
			want = 0
		}
		if got := tally.Note(&Refusal{Reason: r}, time.Hour); len(got) != want {
			t.Errorf("%s: %d events", r, len(got))
		}
		if got := tally.Note(&Refusal{Reason: r}, time.Hour+time.Second); len(got) != 0 {
			t.Errorf("%s: told again at once", r)
		}
	}
	if got := tally.Due(time.Hour + tellEach - 1); len(got) != 0 {
		t.Errorf("told too early: %v", got)
	}
	if got := tally.Due(time.Hour + tellEach); len(got) != len(Reasons())-1 || got[0].Count != 1 {
		t.Errorf("after a minute: %v", got)
	}
	if got := tally.Due(time.Hour + 3*tellEach); len(got) != 0 {
		t.Errorf("told of nothing: %v", got)
	}
	if got := tally.Note(&Refusal{Reason: Replayed}, time.Hour+3*tellEach); len(got) != 1 {
		t.Errorf("a later one: %v", got)
	}
}

func TestEveryFinalAnswerIsTold(t *testing.T) {
	var tally Tally
	for range 5 {
		if got := tally.Note(&Refusal{Reason: Expired, ID: "x", Counter: 1}, 0); len(got) != 1 {
			t.Errorf("got %v", got)
		}
	}
}
