package speech

import (
	"testing"

	"nabat/gateway/alert"
	"nabat/gateway/announce/clip"
)

// A person who writes what is a recorded message already does not take the
// recording away.
func TestARequestKeepsTheRecordingOfTheList(t *testing.T) {
	l := New(Options{})
	s := Segment{Language: alert.Russian, Text: "Соберитесь в зале", Recorded: "/voice/hall.wav", ID: "hall"}
	l.Want([]Segment{s})
	l.Request(Segment{Language: s.Language, Text: s.Text})
	l.mu.Lock()
	defer l.mu.Unlock()
	if it := l.items[keyOf(s)]; it == nil || it.segment.Recorded != s.Recorded || !it.standing || it.stage != stageLook {
		t.Errorf("the item is %+v", it)
	}
}

// What is rendered after nobody wants it any more takes no memory, and neither
// does what was rendered for a recording that was exchanged meanwhile.
func TestWhatComesTooLateIsNotCounted(t *testing.T) {
	l := New(Options{})
	s := Segment{Language: alert.Russian, Text: "Звонок"}
	take := func() *item {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.items[keyOf(s)]
	}
	set := func(it *item) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.setLocked(it, make([]int16, 1000), "maker", clip.Key{}, true)
	}
	l.Want([]Segment{s})
	late := take()
	s.Recorded = "/voice/bell.wav"
	l.Want([]Segment{s})
	set(late)
	if _, ok := l.Clip(s.Language, s.Text); ok || l.Stats().Bytes != 0 {
		t.Errorf("the old voice took the recording's place: %+v", l.Stats())
	}
	late = take()
	l.Want(nil)
	set(late)
	if l.Stats().Bytes != 0 {
		t.Errorf("what nobody wants takes memory: %+v", l.Stats())
	}
}
