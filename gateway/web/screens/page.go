package screens

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"
)

// Errors of Beat.
var (
	// ErrProof: the proof cannot be read, or is out of bounds.
	ErrProof = errors.New("not a proof of a screen")
	// ErrUnknown: no page of that screen at that host has the secret. It is the
	// same for screens that exist and screens that do not.
	ErrUnknown = errors.New("no such page")
	// ErrTooOften: the page proves itself more often than is of use.
	ErrTooOften = errors.New("too often")
)

// Bounds of a proof, and of what is remembered of a page.
const (
	// MaxProof is the longest proof in bytes.
	MaxProof   = 512
	maxPainted = 64
	maxSide    = 1 << 16
	maxSent    = 32
	// leastGap is the least time between two proofs of one page that count.
	leastGap = time.Second
)

// Page is one open page of a screen: a stream to it. Its methods may be called
// from any goroutine; a nil Page ignores every call.
type Page struct {
	watch  *Watch
	screen *watched
	secret string
	host   netip.Addr

	// Guarded by the watch's mutex.
	sent        []sent // states that were sent and are not painted yet, the oldest first
	last        string // the newest state that was sent
	seen, moved time.Time
	frames      uint64
	hiddenSince time.Time
}

type sent struct {
	id string
	at time.Time
}

// Proof is what a page says of itself.
type Proof struct {
	// Page is the secret that its stream was given.
	Page string `json:"page"`
	// Frames counts the frames that it has drawn; it grows.
	Frames uint64 `json:"frames"`
	// Painted is the id of the state that is on the glass.
	Painted string `json:"painted"`
	Hidden  bool   `json:"hidden"`
	Width   int    `json:"width"`
	Height  int    `json:"height"`
}

// Decode reads one proof, strictly, and nothing after it. Errors wrap ErrProof.
func Decode(r io.Reader) (Proof, error) {
	var p Proof
	limited := &io.LimitedReader{R: r, N: MaxProof + 1}
	d := json.NewDecoder(limited)
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return Proof{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	_, err := d.Token()
	switch {
	case !errors.Is(err, io.EOF):
		return Proof{}, fmt.Errorf("%w: something follows it", ErrProof)
	case limited.N <= 0:
		return Proof{}, fmt.Errorf("%w: it is longer than %d bytes", ErrProof, MaxProof)
	case len(p.Page) != 2*secretBytes || len(p.Painted) > maxPainted:
		return Proof{}, fmt.Errorf("%w: a name is of the wrong length", ErrProof)
	case p.Width < 0 || p.Width > maxSide || p.Height < 0 || p.Height > maxSide:
		return Proof{}, fmt.Errorf("%w: the size is out of bounds", ErrProof)
	}
	return p, nil
}

const secretBytes = 16

// Open begins a page of a screen at a host. It returns nil where the site does
// not know the screen: then nothing is to be proven.
func (w *Watch) Open(screen string, host netip.Addr) (*Page, error) {
	if w == nil {
		return nil, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s, ok := w.screens[screen]
	if !ok {
		return nil, nil
	}
	var secret [secretBytes]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return nil, fmt.Errorf("read a page's secret: %w", err)
	}
	p := &Page{watch: w, screen: s, secret: hex.EncodeToString(secret[:]), host: host, moved: w.now()}
	s.pages[p], w.pages[p.secret] = true, p
	return p, nil
}

// Secret returns what the page's proofs have to bear, empty for a nil Page.
func (p *Page) Secret() string {
	if p == nil {
		return ""
	}
	return p.secret
}

// Sent notes that the page was told a state.
func (p *Page) Sent(id string) {
	if p == nil {
		return
	}
	p.watch.mu.Lock()
	defer p.watch.mu.Unlock()
	if id == p.last {
		return
	}
	p.last = id
	// The oldest stays: it says since when the page lags behind.
	if len(p.sent) == maxSent {
		p.sent = slices.Delete(p.sent, 1, 2)
	}
	p.sent = append(p.sent, sent{id, p.watch.now()})
}

// Close ends the page.
func (p *Page) Close() {
	if p == nil {
		return
	}
	p.watch.mu.Lock()
	defer p.watch.mu.Unlock()
	delete(p.screen.pages, p)
	delete(p.watch.pages, p.secret)
}

// Beat takes a proof that came from a host for a screen. A map finds the page:
// a secret of 128 bits that lives as long as one stream is not found by timing.
func (w *Watch) Beat(screen string, host netip.Addr, proof Proof) error {
	if w == nil {
		return ErrUnknown
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	p, ok := w.pages[proof.Page]
	if !ok || p.screen.screen.ID != screen || p.host != host {
		return ErrUnknown
	}
	now := w.now()
	if !p.seen.IsZero() && now.Sub(p.seen) < leastGap {
		return ErrTooOften
	}
	p.take(now, proof)
	s := p.screen
	if p.host != s.home && (s.seen.IsZero() || now.Sub(s.seen) > TakeOver) {
		s.home = p.host
	}
	if p.host == s.home {
		s.seen, s.width, s.height = now, proof.Width, proof.Height
	}
	return nil
}

func (p *Page) take(now time.Time, proof Proof) {
	p.seen = now
	if proof.Frames > p.frames {
		p.moved = now
	}
	p.frames = proof.Frames
	switch {
	case !proof.Hidden:
		p.hiddenSince = time.Time{}
	case p.hiddenSince.IsZero():
		p.hiddenSince = now
	}
	if i := slices.IndexFunc(p.sent, func(s sent) bool { return s.id == proof.Painted }); i >= 0 {
		p.sent = slices.Delete(p.sent, 0, i+1)
	}
}
