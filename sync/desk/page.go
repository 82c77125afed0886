package desk

import (
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"time"

	"nabat/gateway/alert"
)

//go:embed page
var files embed.FS

// snapshot is what the page shows.
type snapshot struct {
	Total  int        `json:"total"`
	Again  int        `json:"again"`
	Open   []openRow  `json:"open"`
	Events []eventRow `json:"events"`
}

type openRow struct {
	ID       string        `json:"id"`
	Kind     alert.Kind    `json:"kind"`
	Level    alert.Level   `json:"level"`
	Status   alert.Status  `json:"status"`
	Path     []string      `json:"path"`
	Presses  uint64        `json:"last_press"`
	Accepted bool          `json:"accepted"`
	Age      time.Duration `json:"age_ns"`
}

type eventRow struct {
	ID    string `json:"id"`
	Type  string `json:"type"`
	Kind  string `json:"kind,omitempty"`
	Place string `json:"place,omitempty"`
	Point string `json:"point,omitempty"`
	// DelayMS is the time from the event's own wall clock to its arrival.
	DelayMS int64 `json:"delay_ms"`
}

// Handler serves the desk's page at /dispatch and what it needs below it.
func (d *Desk) Handler(language alert.Language) http.Handler {
	mux := http.NewServeMux()
	page := template.Must(template.ParseFS(files, "page/dispatch.html"))
	mux.HandleFunc("GET /dispatch", func(w http.ResponseWriter, r *http.Request) {
		l := alert.Language(r.URL.Query().Get("lang"))
		if !slices.Contains(alert.Languages(), l) {
			l = language
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		if err := page.Execute(w, words(l)); err != nil {
			d.log.Warn("the dispatch page could not be written", "error", err)
		}
	})
	mux.HandleFunc("GET /dispatch/state", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if err := json.NewEncoder(w).Encode(d.snapshot()); err != nil {
			d.log.Debug("the dispatch page went away", "error", err)
		}
	})
	for _, name := range []string{"dispatch.css", "dispatch.js"} {
		mux.HandleFunc("GET /dispatch/"+name, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, files, "page/"+name)
		})
	}
	return mux
}

func (d *Desk) snapshot() snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := snapshot{Total: d.total, Again: d.again, Open: []openRow{}, Events: []eventRow{}}
	now := d.now()
	for _, a := range d.state.Open() {
		s.Open = append(s.Open, openRow{
			ID: a.ID, Kind: a.Kind, Level: a.Level(), Status: a.Status(), Path: a.Place.Path,
			Presses: a.Last.Number, Accepted: a.Accepted(), Age: now.Sub(a.First.At.Wall),
		})
	}
	for _, e := range slices.Backward(d.events) {
		row := eventRow{ID: e.Event.ID(), Type: e.Event.Type.Short(), Kind: string(e.Alert.Kind), Point: e.Alert.Point, DelayMS: e.At.Sub(e.Event.At.Wall).Milliseconds()}
		if p := e.Alert.Place; p != nil {
			row.Place = p.ID
		}
		s.Events = append(s.Events, row)
	}
	return s
}
