package subscriber

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
	"nabat/sync/dispatch/store"
	"nabat/sync/event"
)

// notebook is an intake that only notes in which order events were handed in:
// a database would not tell the order of two calls that met.
type notebook struct {
	mu   sync.Mutex // guards seqs
	seqs map[store.Gateway][]uint64
}

func (n *notebook) Submit(_ context.Context, list []store.Arrival) ([]store.Receipt, []store.Refusal, error) {
	runtime.Gosched() // somebody else's turn, if anybody may
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range list {
		n.seqs[a.Gateway] = append(n.seqs[a.Gateway], a.Event.Ref.Seq)
	}
	return nil, nil, nil
}

func TestEventsOfAGatewayKeepTheirOrder(t *testing.T) {
	notes := &notebook{seqs: make(map[store.Gateway][]uint64)}
	p := NewPost(PostOptions{Intake: notes})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	const each = 2000
	gateways := []string{"a", "b", "c", "d", "e"}
	var done sync.WaitGroup
	for n := range each {
		for _, id := range gateways {
			topics, err := event.NewTopics("school-12", id)
			if err != nil {
				t.Error(err)
				break
			}
			topic, err := topics.Event(alert.PointRestored)
			if err != nil {
				t.Error(err)
				break
			}
			row := journal.Row{
				Lane: journal.Routine, Ref: alert.Ref{Epoch: "epoch", Seq: uint64(n) + 1}, Type: alert.PointRestored, Subject: "a",
				At: alert.Stamp{Wall: time.Unix(1e9, 0)}, Data: []byte("{}"),
			}
			done.Add(1)
			p.Take(ctx, topic, event.Append(nil, event.Source("school-12", id), row), false, func(error) { done.Done() })
		}
	}
	done.Wait()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, id := range gateways {
		got := notes.seqs[store.Gateway{Site: "school-12", ID: id}]
		if len(got) != each || !slices.IsSorted(got) {
			t.Errorf("gateway %s: %d events, in order: %v; want %d in order", id, len(got), slices.IsSorted(got), each)
		}
	}
}
