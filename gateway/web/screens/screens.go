// Package screens watches over the lobby screens: each that the site knows has
// to prove every few seconds that it draws, and that it draws the present state.
//
// What a proof is worth: it comes from a page, by a secret that only this page's
// stream was given, and counts for this page alone. Nobody can make another
// host's page look dark, frozen or alive. A screen is where it has proven
// itself: pages of other hosts with the same screen's name do not count while
// its own host is not silent for TakeOver. Whoever has a screen's page open
// elsewhere after that, or is the first after a start of the gateway, can pass
// for the screen: a page has no password. Hosts behind one address (a proxy, NAT) are one host. A monitor
// whose panel is off, while its cable says that it is there, looks alive.
package screens

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/health"
)

// Times of the watch.
const (
	// BeatEvery is how often a page proves itself.
	BeatEvery = 5 * time.Second
	// DarkAfter is how long a screen may be silent.
	DarkAfter = 20 * time.Second
	// FirstWithin is how long a screen may take to be seen after the start.
	FirstWithin = 60 * time.Second
	// FrozenAfter is how long a page may stand still, or show what is old.
	FrozenAfter = 10 * time.Second
	// TakeOver is how long a screen's own host has to be silent until another
	// host's page counts as the screen.
	TakeOver = 10 * time.Minute

	lookEvery = time.Second
)

// Names of the conditions that this room sets, each with ":" and the screen's id.
const (
	ConditionDark   = "screen-dark"
	ConditionFrozen = "screen-frozen"
)

// State is what is known of a screen.
type State string

// States of a screen.
const (
	Waiting State = "waiting" // the gateway has just started; it was not seen yet
	OK      State = "ok"
	Dark    State = "dark"
	Frozen  State = "frozen"
)

// Screen is a configured screen as the watch sees it.
type Screen struct {
	ID      string
	Watched bool
	State   State
	// Why says in English why it is dark or frozen.
	Why string
	// Seen is when it proved itself last, zero for never.
	Seen time.Time
	// Width and Height are its page's, in pixels of the page.
	Width, Height int
	// Pages is how many pages show it now, on all hosts.
	Pages int
}

// Options are what a Watch needs. Site must be set.
type Options struct {
	Site *alert.Site
	// Health shows the conditions.
	Health *health.Registry
	// Now is the clock, monotonic; nil means time.Now.
	Now func() time.Time
}

// Watch keeps what every configured screen has proven. All methods may be
// called from any goroutine.
type Watch struct {
	now    func() time.Time
	health *health.Registry
	begun  time.Time
	order  []string

	mu      sync.Mutex // guards all below, and the pages
	screens map[string]*watched
	pages   map[string]*Page // by secret
	changed chan struct{}
}

// watched is one configured screen.
type watched struct {
	screen alert.Screen
	home   netip.Addr // of the host where it has proven itself
	seen   time.Time  // of the last proof from there
	width  int
	height int
	pages  map[*Page]bool
	shown  Screen // as it was last told
}

// New returns a Watch over the site's screens. It starts nothing.
func New(o Options) *Watch {
	w := &Watch{now: o.Now, health: o.Health, screens: make(map[string]*watched), pages: make(map[string]*Page), changed: make(chan struct{})}
	if w.now == nil {
		w.now = time.Now
	}
	w.begun = w.now()
	for _, s := range o.Site.Screens {
		w.order = append(w.order, s.ID)
		w.screens[s.ID] = &watched{screen: s, pages: make(map[*Page]bool), shown: Screen{ID: s.ID, Watched: s.Watched, State: Waiting}}
	}
	return w
}

// Run looks after the screens until ctx ends, and returns nil then.
func (w *Watch) Run(ctx context.Context) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		w.Look()
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Look judges every screen by this moment, and sets and clears its conditions.
func (w *Watch) Look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now, news := w.now(), false
	for _, id := range w.order {
		s := w.screens[id]
		shown := s.judge(now, now.Sub(w.begun))
		if shown.State != s.shown.State || shown.Why != s.shown.Why || shown.Pages != s.shown.Pages || shown.Width != s.shown.Width || shown.Height != s.shown.Height {
			news = true
		}
		s.shown = shown
		w.tell(shown)
	}
	if news {
		close(w.changed)
		w.changed = make(chan struct{})
	}
}

// tell is the one place where the conditions are set and cleared.
func (w *Watch) tell(s Screen) {
	dark, frozen := ConditionDark+":"+s.ID, ConditionFrozen+":"+s.ID
	if !s.Watched || s.State != Dark {
		w.health.Clear(dark)
	}
	if !s.Watched || s.State != Frozen {
		w.health.Clear(frozen)
	}
	switch {
	case !s.Watched:
	case s.State == Dark:
		w.health.Set(dark, s.Why)
	case s.State == Frozen:
		w.health.Set(frozen, s.Why)
	}
}

// List returns every configured screen, in the order of the configuration, as
// it was judged last.
func (w *Watch) List() []Screen {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := make([]Screen, 0, len(w.order))
	for _, id := range w.order {
		s := w.screens[id].shown
		s.Seen = w.screens[id].seen
		list = append(list, s)
	}
	return list
}

// Changed returns a channel that is closed when a screen is next judged
// otherwise. Take the channel first, then List, and no change is missed.
func (w *Watch) Changed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}
