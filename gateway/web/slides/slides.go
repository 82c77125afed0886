// Package slides reads what a school puts into a directory for its screens:
// Markdown and pictures.
//
// Guarantees: nothing outside the directory is read, whatever its names and
// links say; no HTML of a file reaches a page, only the nodes of this package;
// a file that is broken, too large or half copied is left out, and the
// condition slide-unreadable:NAME says so; what is served is byte for byte what
// was checked. All sizes are bounded.
package slides

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/health"
)

// Bounds of what a directory may hold. A file beyond them is left out.
const (
	// MaxFiles is how many files are read, in the order of their names.
	MaxFiles = 100
	// MaxMarkdown and MaxPicture are bytes of one file.
	MaxMarkdown = 16 << 10
	MaxPicture  = 4 << 20
	// MaxSide and MaxPixels bound a picture, because a screen has to unpack it.
	MaxSide   = 8192
	MaxPixels = 4096 * 4096
)

// readers is how many pictures are in memory at once, however many screens ask.
const readers = 4

// lookEvery is how often the directory is looked at.
const lookEvery = 3 * time.Second

// Names of the conditions that this room sets.
const (
	conditionUnreadable = "slide-unreadable:"
	conditionAbsent     = "slides-absent"
)

// Slide is one slide in all languages that it has.
type Slide struct {
	// Name is the file's name without language and ending.
	Name  string
	Faces []Face
}

// Face is a slide in one language.
type Face struct {
	// Lang is empty for a file that names no language.
	Lang alert.Language
	// File and Hash are what Page or Picture wants.
	File, Hash string
	// Picture says that it is one; otherwise it is a page.
	Picture bool
}

// Shelf holds the slides of one directory. It starts nothing until Run or Look
// is called; all methods may be called from any goroutine.
type Shelf struct {
	dir    string
	health *health.Registry
	seats  chan struct{} // a place for each picture in memory

	looking sync.Mutex // one Look at a time; guards troubled
	// troubled are the names with a condition.
	troubled map[string]bool

	mu      sync.Mutex // guards all below
	slides  []Slide
	files   map[string]file // by name; replaced, never edited
	changed chan struct{}
}

// file is what is known about one file of the directory.
type file struct {
	name     string
	size     int64
	modified time.Time
	problem  string // empty when it can be shown
	hash     string
	media    string // of a picture
	nodes    []Node // of a page
}

// New returns an empty shelf for a directory. Conditions go to reg, which may be nil.
func New(dir string, reg *health.Registry) *Shelf {
	return &Shelf{
		dir: dir, health: reg, seats: make(chan struct{}, readers),
		troubled: make(map[string]bool), files: make(map[string]file), changed: make(chan struct{}),
	}
}

// Run looks at the directory every few seconds until ctx ends, and returns nil then.
func (s *Shelf) Run(ctx context.Context) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		s.Look()
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// List returns the slides in their order. Nobody may change it.
func (s *Shelf) List() []Slide {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.slides
}

// Changed returns a channel that is closed when List changes.
func (s *Shelf) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Look reads what has changed in the directory. A file that cannot be shown is
// reported when it has not changed between two looks: until then it is taken
// for one that is being copied.
func (s *Shelf) Look() {
	s.looking.Lock()
	defer s.looking.Unlock()
	s.mu.Lock()
	known := s.files
	s.mu.Unlock()

	files, err := s.scan(known)
	if err != nil {
		s.health.Set(conditionAbsent, fmt.Sprintf("%v; make the directory, or let the gateway read it", err))
		files = nil
	} else {
		s.health.Clear(conditionAbsent)
	}
	s.report(known, files)

	list := arrange(files)
	s.mu.Lock()
	defer s.mu.Unlock()
	same := slices.EqualFunc(list, s.slides, func(a, b Slide) bool { return a.Name == b.Name && slices.Equal(a.Faces, b.Faces) })
	s.files = files
	if !same {
		s.slides = list
		close(s.changed)
		s.changed = make(chan struct{})
	}
}

func (s *Shelf) report(known, files map[string]file) {
	for name, f := range files {
		old, ok := known[name]
		settled := ok && old.size == f.size && old.modified.Equal(f.modified)
		switch {
		case f.problem != "" && settled:
			s.health.Set(conditionUnreadable+name, f.problem)
			s.troubled[name] = true
		case f.problem == "" && s.troubled[name]:
			s.health.Clear(conditionUnreadable + name)
			delete(s.troubled, name)
		}
	}
	for name := range s.troubled {
		if _, ok := files[name]; !ok {
			s.health.Clear(conditionUnreadable + name)
			delete(s.troubled, name)
		}
	}
}

// arrange makes slides of files. A picture that a page shows is no slide of its own.
func arrange(files map[string]file) []Slide {
	used := make(map[string]bool)
	for _, f := range files {
		for _, name := range pictures(f.nodes) {
			used[name] = true
		}
	}
	var list []Slide
	for _, name := range slices.SortedFunc(maps.Keys(files), inOrder) {
		f := files[name]
		if f.problem != "" || (f.media != "" && used[name]) {
			continue
		}
		base, lang := split(name)
		i := slices.IndexFunc(list, func(sl Slide) bool { return sl.Name == base })
		if i < 0 {
			i = len(list)
			list = append(list, Slide{Name: base})
		}
		list[i].Faces = append(list[i].Faces, Face{Lang: lang, File: name, Hash: hashWith(f, files), Picture: f.media != ""})
	}
	return list
}

// hashWith returns a page's hash with those of its pictures, so that a new
// picture is a new page.
func hashWith(f file, files map[string]file) string {
	names := pictures(f.nodes)
	if len(names) == 0 {
		return f.hash
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s", f.hash)
	for _, name := range names {
		fmt.Fprintf(sum, " %s", files[name].hash)
	}
	return short(sum.Sum(nil))
}

func short(sum []byte) string { return hex.EncodeToString(sum[:8]) }

// split takes language and ending off a file's name.
func split(name string) (base string, lang alert.Language) {
	base = strings.TrimSuffix(name, path.Ext(name))
	for _, l := range alert.Languages() {
		if cut, ok := strings.CutSuffix(strings.ToLower(base), "-"+string(l)); ok && cut != "" {
			return base[:len(cut)], l
		}
	}
	return base, ""
}

// inOrder compares names by the number that they begin with, then as text.
func inOrder(a, b string) int {
	na, nb := number(a), number(b)
	if len(na) != len(nb) {
		if na == "" || nb == "" { // what has no number comes last
			return cmp.Compare(len(nb), len(na))
		}
		return cmp.Compare(len(na), len(nb))
	}
	return cmp.Or(cmp.Compare(na, nb), cmp.Compare(a, b))
}

// number returns the digits at the beginning of a name without leading zeros.
func number(name string) string {
	end := 0
	for end < len(name) && name[end] >= '0' && name[end] <= '9' {
		end++
	}
	if end == 0 {
		return ""
	}
	return cmp.Or(strings.TrimLeft(name[:end], "0"), "0")
}

// Page returns the nodes of a page, with the addresses of its pictures below prefix.
func (s *Shelf) Page(name, hash, prefix string) ([]Node, bool) {
	s.mu.Lock()
	files := s.files
	s.mu.Unlock()
	f, ok := files[name]
	if !ok || f.problem != "" || f.media != "" || hashWith(f, files) != hash {
		return nil, false
	}
	return resolve(f.nodes, prefix, files), true
}

// Picture returns a picture's bytes and its media type. It waits for a seat
// until ctx ends, and refuses a file that is no longer the one that was checked.
func (s *Shelf) Picture(ctx context.Context, name, hash string) (body []byte, media string, ok bool) {
	s.mu.Lock()
	f, ok := s.files[name]
	s.mu.Unlock()
	if !ok || f.problem != "" || f.media == "" || f.hash != hash {
		return nil, "", false
	}
	select {
	case s.seats <- struct{}{}:
		defer func() { <-s.seats }()
	case <-ctx.Done():
		return nil, "", false
	}
	body, err := s.read(name, MaxPicture)
	if err != nil || hashOf(body) != hash {
		return nil, "", false
	}
	return body, f.media, true
}

func hashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return short(sum[:])
}

// plainText drops the mark that some editors put before a text.
func plainText(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\ufeff")) }
