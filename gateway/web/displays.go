package web

import (
	"net/http"
	"slices"
	"strings"
)

// Pictures are the hallway displays of a simulated board, for the wall's page.
// All methods are called from many goroutines.
type Pictures interface {
	// Displays returns every display in its order.
	Displays() []DisplayPicture
	// PNG returns what one of them shows now.
	PNG(id string) ([]byte, error)
}

// DisplayPicture is one simulated hallway display.
type DisplayPicture struct {
	ID string `json:"id"`
	// Width and Height are its dots.
	Width  int `json:"width"`
	Height int `json:"height"`
	// Version grows when it shows something else.
	Version uint64 `json:"version"`
}

// HasPictures reports whether the wall's page has displays to show.
func (p page) HasPictures() bool { return p.server.opt.Wall != nil && p.server.opt.Pictures != nil }

// wallDisplays lists the displays. The page asks again and again: a text that
// runs through a display would fill a stream of events.
func (s *Server) wallDisplays(w http.ResponseWriter, _ *http.Request) {
	s.answer(w, http.StatusOK, struct {
		Displays []DisplayPicture `json:"displays"`
	}{slices.Concat([]DisplayPicture{}, s.opt.Pictures.Displays())})
}

// wallDisplay shows one display as a PNG.
func (s *Server) wallDisplay(w http.ResponseWriter, r *http.Request) {
	id, isPNG := strings.CutSuffix(r.PathValue("file"), ".png")
	if !isPNG || !slices.ContainsFunc(s.opt.Pictures.Displays(), func(d DisplayPicture) bool { return d.ID == id }) {
		s.fail(w, http.StatusNotFound, "unknown-display")
		return
	}
	picture, err := s.opt.Pictures.PNG(id)
	if err != nil {
		s.log.Warn("a simulated display has no picture", "display", id, "error", err)
		s.fail(w, http.StatusInternalServerError, "failed")
		return
	}
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(picture) // when it fails the browser has gone
}
