package subscriber

import (
	"context"
	"errors"
	"testing"

	"nabat/sync/dispatch/store"
)

// stuck is an intake whose database hangs: it takes nothing and refuses nothing.
type stuck struct{}

func (stuck) Submit(ctx context.Context, _ []store.Arrival) ([]store.Receipt, []store.Refusal, error) {
	<-ctx.Done()
	return nil, nil, ctx.Err()
}

// TestWhatWaitsIsBoundedInBytes: a gateway that sends large events faster than
// the database takes them waits long before the memory is full.
func TestWhatWaitsIsBoundedInBytes(t *testing.T) {
	l := newLane(queued)
	const size, fit = laneBytes / 8, 8
	var answers []error
	put := func(ctx context.Context) {
		l.put(ctx, message{raw: make([]byte, size), done: func(err error) { answers = append(answers, err) }})
	}
	for range fit {
		put(t.Context())
	}
	if l.room.TryAcquire(1) {
		t.Fatalf("%d messages of %d bytes wait, and there is room for more", fit, size)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	put(over)
	if len(l.queue) != fit || len(answers) != 1 || !errors.Is(answers[0], ErrEnded) {
		t.Fatalf("%d messages of %d bytes wait, answers %v", len(l.queue), size, answers)
	}
	m := <-l.queue
	m.done(nil)
	put(t.Context()) // there is room again
	for len(l.queue) > 0 {
		m := <-l.queue
		m.done(nil)
	}
	if !l.room.TryAcquire(laneBytes) || len(answers) != fit+2 {
		t.Errorf("some room is lost, or a message is not answered: %v", answers)
	}
}

func TestAPostThatEndsAnswersAll(t *testing.T) {
	p := NewPost(PostOptions{Intake: stuck{}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	answers := make(chan error, 3)
	for n := range uint64(cap(answers)) {
		p.Take(ctx, started, wire("/sites/school-12/gateways/main", n+1), false, func(err error) { answers <- err })
	}
	cancel()
	for range cap(answers) {
		if err := <-answers; err == nil {
			t.Error("acknowledged, and not stored")
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
