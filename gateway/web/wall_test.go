package web

import (
	"slices"
	"sync"
)

// testWall is a board of nothing but switches: hw/sim, the real simulated
// board, belongs to a room that this one may not import.
type testWall struct {
	mu      sync.Mutex // guards all below
	points  []WallPoint
	changed chan struct{}
	did     []string
}

func newTestWall() *testWall {
	w := &testWall{changed: make(chan struct{})}
	for _, b := range testSite().Buttons {
		w.points = append(w.points, WallPoint{ID: b.ID})
	}
	for _, l := range testSite().Lamps {
		w.points = append(w.points, WallPoint{ID: l.ID})
	}
	return w
}

func (w *testWall) set(id string, f func(*WallPoint)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.points = slices.Clone(w.points)
	for i := range w.points {
		if w.points[i].ID == id {
			f(&w.points[i])
		}
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *testWall) note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.did = append(w.did, what)
}

func (w *testWall) done() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.did)
}

func (w *testWall) Press(id string) error {
	w.note("press " + id)
	w.set(id, func(p *WallPoint) { p.On = true })
	return nil
}

func (w *testWall) Release(id string) error {
	w.note("release " + id)
	w.set(id, func(p *WallPoint) { p.On = false })
	return nil
}

func (w *testWall) Tamper(id string, open bool) error {
	w.set(id, func(p *WallPoint) { p.Tampered = open })
	return nil
}

func (w *testWall) Unplug(id string, out bool) error {
	w.set(id, func(p *WallPoint) { p.Unplugged = out })
	return nil
}

func (w *testWall) Points() []WallPoint {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.points
}

func (w *testWall) Changed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}
