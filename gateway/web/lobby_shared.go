package web

import (
	"slices"
	"strings"
	"sync"
	"time"

	"nabat/gateway/alert"
)

// sharedFor is how long a state is handed out that was encoded once. When help
// is expected is told by the clock, which may be set while nothing else changes.
const sharedFor = time.Second

// sight is all that decides what a lobby screen shows at one moment: screens
// with the same sight show the same.
type sight struct {
	// named is the id of a screen that a plan or an announcement names, empty
	// for all others.
	named            string
	zones, languages string
	lang             alert.Language
}

// shared keeps the states of this moment, encoded once for all screens that show
// the same: an emergency goes to all of them at once. Its methods may be called
// from any goroutine.
type shared struct {
	mu   sync.Mutex // guards all fields below
	view *alert.View
	day  <-chan struct{} // of the everyday part: the same as long as that is
	at   time.Duration   // when made was begun, by the monotonic clock
	made map[sight]encoded
}

// lobbyShared returns what a screen shows now.
func (s *Server) lobbyShared(id string, lang alert.Language, now alert.Stamp) (encoded, error) {
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	view := s.opt.Source.View()
	_, day := s.everyday.snapshot()
	screen := s.screen(id)
	if !s.named(view, id) {
		screen.ID = ""
	}
	key := sight{named: screen.ID, zones: strings.Join(screen.Zones, "\n"), lang: lang}
	for _, l := range screen.Languages {
		key.languages += string(l) + "\n"
	}
	if s.shared.view != view || s.shared.day != day || now.Mono-s.shared.at > sharedFor {
		s.shared.view, s.shared.day, s.shared.at, s.shared.made = view, day, now.Mono, make(map[sight]encoded)
	}
	if e, ok := s.shared.made[key]; ok {
		return e, nil
	}
	e, err := s.encode(s.lobbyNow(view, now, screen, lang))
	if err == nil {
		s.shared.made[key] = e
	}
	return e, err
}

// named reports whether a plan or an announcement puts something on this very
// screen.
func (s *Server) named(view *alert.View, id string) bool {
	return slices.ContainsFunc(s.opt.Site.Plans, func(p alert.Plan) bool { return slices.Contains(p.Screens, id) }) ||
		slices.ContainsFunc(view.Notices, func(n alert.Notice) bool { return slices.Contains(n.Screens, id) })
}
