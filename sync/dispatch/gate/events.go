package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"nabat/sync/dispatch/store"
	"nabat/sync/event"
)

// events takes a batch and answers when it is committed.
func (g *Gate) events(w http.ResponseWriter, r *http.Request, c caller) {
	// Before the turn: a gateway that sends slowly, or without end, must not keep
	// the turns of all others.
	done, ok := g.crowd.begin(c.name())
	if !ok {
		later(w, http.StatusTooManyRequests, time.Second, "this gateway sends several batches already")
		return
	}
	defer done()
	if !g.turn(w, r) {
		return
	}
	defer func() { <-g.turns }()
	b, err := g.body(w, r, event.BatchType, event.MaxBatchBytes, true)
	if err != nil {
		turnAway(w, err)
		return
	}
	batch, err := read(b, c)
	if err != nil {
		turnAway(w, err)
		return
	}
	reply, err := g.store(r.Context(), c, batch)
	if err != nil {
		g.failed(w, r, c, err)
		return
	}
	answer(w, http.StatusOK, reply)
}

// store commits a batch and says what is stored of its epoch.
func (g *Gate) store(ctx context.Context, c caller, b batch) (event.Reply, error) {
	reply := event.Reply{Epoch: b.epoch, Rejected: b.rejected}
	if reply.Rejected == nil {
		reply.Rejected = []event.Rejection{}
	}
	at := g.o.Now()
	for i := range b.arrivals {
		b.arrivals[i].Gateway, b.arrivals[i].Link, b.arrivals[i].At = c.Gateway, linkName, at
	}
	if len(b.arrivals) == 0 {
		r, err := g.o.Store.ReceiptOf(ctx, c.Gateway, b.epoch)
		reply.Received, reply.Above = r.Through, r.Above
		return reply, err
	}
	receipts, refusals, err := g.o.Intake.Submit(ctx, b.arrivals)
	if err != nil {
		return reply, err
	}
	for _, r := range receipts {
		if r.Gateway == c.Gateway && r.Epoch == b.epoch {
			reply.Received, reply.Above = r.Through, r.Above
		}
	}
	for _, r := range refusals {
		// What is kept is covered by the receipt: for the gateway it is done. It
		// parks what is rejected, so that what may pass is left out: it comes again.
		if r.Gateway == c.Gateway && !r.Kept && !r.Passing {
			reply.Rejected = append(reply.Rejected, event.Rejection{ID: r.ID, Reason: cut(r.Reason)})
		}
	}
	return reply, nil
}

// turn waits until this batch may be read. Without a bound, a region that
// reconnects at once would hold all its batches in memory at once.
func (g *Gate) turn(w http.ResponseWriter, r *http.Request) bool {
	patience := time.NewTimer(g.l.Patience)
	defer patience.Stop()
	select {
	case g.turns <- struct{}{}:
		return true
	case <-r.Context().Done():
	case <-patience.C:
		later(w, http.StatusServiceUnavailable, 2*time.Second, "too many gateways send at this moment; keep the rows and come again")
	}
	return false
}

// batch is what a request holds: events of one epoch, and those that can never
// be taken.
type batch struct {
	epoch    string
	arrivals []store.Arrival
	rejected []event.Rejection
}

// read cuts a batch into events. One bad event does not spoil the others, but a
// batch of two epochs is refused as a whole: the answer can name one only.
func read(b []byte, c caller) (batch, error) {
	list, err := event.DecodeBatch(b)
	if err != nil {
		return batch{}, mishap{http.StatusBadRequest, err.Error()}
	}
	if len(list) == 0 {
		return batch{}, mishap{http.StatusBadRequest, "a batch holds at least one event"}
	}
	var out batch
	source := event.Source(c.Site, c.ID)
	for i, raw := range list {
		e, err := event.Decode(raw)
		if err == nil && e.Source != source {
			err = fmt.Errorf("source %.160q is not this gateway, %q", e.Source, source)
		}
		epoch, id := e.Ref.Epoch, ""
		if err != nil {
			if epoch, id = claimed(raw); id == "" {
				return batch{}, mishap{http.StatusBadRequest, fmt.Sprintf("event %d of the batch has no usable id: %v", i+1, err)}
			}
		}
		switch out.epoch {
		case "":
			out.epoch = epoch
		case epoch:
		default:
			return batch{}, mishap{http.StatusBadRequest, fmt.Sprintf("event %d is of another epoch; send one epoch a batch", i+1)}
		}
		if err != nil {
			out.rejected = append(out.rejected, event.Rejection{ID: id, Reason: short(err)})
			continue
		}
		out.arrivals = append(out.arrivals, store.Arrival{Event: e, Raw: raw})
	}
	return out, nil
}

// claimed returns the id that an unreadable event gives itself, and its epoch.
func claimed(raw json.RawMessage) (epoch, id string) {
	var e struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(raw, &e) != nil {
		return "", ""
	}
	cut := strings.LastIndexByte(e.ID, '-')
	if cut < 0 || len(e.ID) > 128 || event.CheckID(e.ID[:cut]) != nil {
		return "", ""
	}
	return e.ID[:cut], e.ID
}

func short(err error) string {
	text := err.Error()
	if errors.Is(err, event.ErrMalformed) {
		text = strings.TrimSuffix(text, ": "+event.ErrMalformed.Error())
	}
	return cut(text)
}

func cut(text string) string {
	const most = 300
	text = strings.ToValidUTF8(text, "\ufffd")
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	return text
}
