package gate

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"nabat/sync/dispatch/store"
	"nabat/sync/event"
)

// TestAGatewayThatSendsSlowlyHoldsUpNobody: one with a valid token begins more
// batches than all gateways have turns, and never ends one.
func TestAGatewayThatSendsSlowlyHoldsUpNobody(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Limits = Limits{Batches: 4} })
	other := store.Gateway{Site: "school-13", ID: "main"}
	theirs := r.add(other)
	const many = 8
	ended := make(chan int, many)
	var pipes []*io.PipeWriter
	defer func() {
		for _, p := range pipes {
			_ = p.CloseWithError(io.ErrUnexpectedEOF)
		}
		for range pipes {
			<-ended
		}
	}()
	began := make(chan struct{}, many)
	for range many {
		in, out := io.Pipe()
		pipes = append(pipes, out)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.server.URL+path(r.main, "events"), in)
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = 1 << 20
		req.Header.Set("Authorization", "Bearer "+r.token)
		req.Header.Set("Content-Type", event.BatchType)
		go func() {
			resp, err := r.server.Client().Do(req)
			began <- struct{}{} // answered
			if err != nil {
				ended <- 0
				return
			}
			ended <- resp.StatusCode
			_ = resp.Body.Close() // it was only read
		}()
	}
	// All beyond its own share are answered; without shares, those beyond the
	// turns are, when their patience has ended.
	for range many - 4 {
		select {
		case <-began:
		case <-time.After(patience):
			t.Fatal("nothing is answered")
		}
	}
	status, _, body := r.do(ask{path: path(other, "events"), token: theirs, media: event.BatchType, body: batchOf(other, rows("e1", 1, 2))})
	if status != http.StatusOK || !strings.Contains(body, `"received":2`) {
		t.Errorf("another gateway gets %d: %s", status, body)
	}
}
