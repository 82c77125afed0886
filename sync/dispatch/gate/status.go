package gate

import (
	"encoding/json"
	"io"
	"net/http"

	"nabat/sync/dispatch/store"
	"nabat/sync/event"
)

// Receipts is the answer to a status document.
type Receipts struct {
	Receipts []json.RawMessage `json:"receipts"`
}

// status takes a status document and tells what is stored.
func (g *Gate) status(w http.ResponseWriter, r *http.Request, c caller) {
	b, err := g.body(w, r, event.JSONType, event.MaxStatusBytes, false)
	if err != nil {
		turnAway(w, err)
		return
	}
	s, err := event.DecodeStatus(b)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	now := g.o.Now()
	heard, err := g.o.Store.Heard(r.Context(), store.Word{Gateway: c.Gateway, Status: s, Link: linkName, At: now, Answered: true})
	if err != nil {
		g.failed(w, r, c, err)
		return
	}
	if heard.NewSession && heard.Pending > 0 {
		if _, err := g.o.Store.Reissue(r.Context(), c.Gateway, now, g.o.Signer); err != nil {
			g.failed(w, r, c, err)
			return
		}
	}
	out := Receipts{Receipts: []json.RawMessage{}}
	if heard.Receipt.Epoch != "" {
		out.Receipts = append(out.Receipts, heard.Receipt.Encode())
	}
	answer(w, http.StatusOK, out)
}

// config gives out the configuration that is assigned to the gateway.
func (g *Gate) config(w http.ResponseWriter, r *http.Request, c caller) {
	text, err := g.o.Store.Config(r.Context(), c.Gateway)
	if err != nil {
		g.failed(w, r, c, err)
		return
	}
	if text == "" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/toml")
	_, _ = io.WriteString(w, text) // whoever went away asks again
}
