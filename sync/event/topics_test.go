package event

import (
	"errors"
	"strings"
	"testing"

	"nabat/gateway/alert"
)

func TestTopicsOfTheContract(t *testing.T) {
	topics, err := NewTopics("school-12", "main")
	if err != nil {
		t.Fatal(err)
	}
	raised, err := topics.Event(alert.Raised)
	if err != nil {
		t.Fatal(err)
	}
	later, err := topics.Event("nabat.later.version")
	if err != nil {
		t.Fatal(err)
	}
	for got, want := range map[string]string{
		raised:           "nabat/1/school-12/main/event/alert.raised",
		later:            "nabat/1/school-12/main/event/later.version",
		topics.Events():  "nabat/1/school-12/main/event/#",
		topics.Status():  "nabat/1/school-12/main/status",
		topics.Receipt(): "nabat/1/school-12/main/receipt",
		topics.Command(): "nabat/1/school-12/main/command",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if _, err := topics.Event("nabat.a/b"); !errors.Is(err, ErrID) {
		t.Errorf("a type with a slash: got %v, want ErrID", err)
	}
}

func TestIDsThatWouldReachSomebodyElse(t *testing.T) {
	for _, id := range []string{
		"", "a/b", "+", "#", "a+", "a#", "$SYS", "a\x00", "a\n", "a b", "a\u00a0b", "a\x7f", "a\x85", "\xff", "\ufffd",
		strings.Repeat("x", 65),
	} {
		if _, err := NewTopics(id, "main"); !errors.Is(err, ErrID) {
			t.Errorf("site %q: got %v, want ErrID", id, err)
		}
		if _, err := NewTopics("s", id); !errors.Is(err, ErrID) {
			t.Errorf("gateway %q: got %v, want ErrID", id, err)
		}
	}
	for _, id := range []string{"a", "школа-12", "мектеп_5", "x.y:z", strings.Repeat("x", 64)} {
		if err := CheckID(id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
}
