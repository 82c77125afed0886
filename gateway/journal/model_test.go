package journal

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"nabat/gateway/alert"
)

// TestCursorsAgreeWithAModel appends, reads, advances, parks, rewinds and
// reopens in any order, and compares what a consumer gets with a slice.
func TestCursorsAgreeWithAModel(t *testing.T) {
	base := t.TempDir()
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		o := Options{Path: filepath.Join(base, fmt.Sprint(runs), "journal.db"), Consumers: []string{"a", "b"}, Ballast: -1}
		defer os.RemoveAll(filepath.Dir(o.Path))
		m := newModel(rt, o)
		defer func() { m.stop() }()
		rt.Repeat(map[string]func(*rapid.T){
			"append":  m.append,
			"read":    m.read,
			"advance": m.advance,
			"park":    m.park,
			"rewind":  m.rewind,
			"reopen":  m.reopen,
			"":        m.check,
		})
	})
}

// model is the journal as a list for each lane and a place for each cursor.
type model struct {
	rt   *rapid.T
	opt  Options
	j    *Journal
	stop func()
	rows [lanes][]alert.Ref
	at   map[cursorKey]*place
	n    uint64
}

// place is where the model thinks a cursor is. Indexes count rows.
type place struct {
	done, next int
	parked     map[int]bool
	held       []Row // read and not yet advanced over
}

func newModel(rt *rapid.T, o Options) *model {
	m := &model{rt: rt, opt: o, at: make(map[cursorKey]*place)}
	for _, c := range o.Consumers {
		for _, l := range Lanes() {
			m.at[cursorKey{c, l}] = &place{parked: make(map[int]bool)}
		}
	}
	m.open()
	return m
}

func (m *model) open() {
	j, err := Open(m.opt)
	if err != nil {
		m.rt.Fatal(err)
	}
	m.j = j
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	m.stop = func() { cancel(); <-ended }
}

func (m *model) put(e alert.Event) {
	c := make(chan alert.Ref, 1)
	m.j.Append(e, func(r alert.Ref, err error) {
		if err != nil {
			m.rt.Errorf("append: %v", err)
		}
		c <- r
	})
	l := LaneOf(e.Type)
	m.rows[l] = append(m.rows[l], <-c)
}

func (m *model) append(rt *rapid.T) {
	for range rapid.IntRange(1, 5).Draw(rt, "count") {
		m.n++
		if rapid.Bool().Draw(rt, "alarm") {
			m.put(raise(m.n))
		} else {
			m.put(routine(int(m.n)))
		}
	}
}

func (m *model) pick(rt *rapid.T) (*place, *Cursor, Lane) {
	k := cursorKey{rapid.SampledFrom(m.opt.Consumers).Draw(rt, "consumer"), rapid.SampledFrom(Lanes()).Draw(rt, "lane")}
	return m.at[k], m.j.Cursor(k.consumer, k.lane), k.lane
}

func (m *model) read(rt *rapid.T) {
	p, c, l := m.pick(rt)
	n := rapid.IntRange(1, 6).Draw(rt, "n")
	got, err := c.Read(context.Background(), n)
	if err != nil {
		rt.Fatal(err)
	}
	// The rows that may come are those not parked, in order; a page may be
	// shorter than n where parked rows were left out of it.
	for _, r := range got {
		for p.parked[p.next] {
			p.next++
		}
		if p.next >= len(m.rows[l]) || r.Ref != m.rows[l][p.next] {
			rt.Fatalf("%s: read %v at index %d of %d", l, r.Ref, p.next, len(m.rows[l]))
		}
		p.next++
		p.held = append(p.held, r)
	}
	if len(got) == 0 {
		for ; p.next < len(m.rows[l]); p.next++ {
			if !p.parked[p.next] {
				rt.Fatalf("%s: nothing came, row %d of %d was due", l, p.next, len(m.rows[l]))
			}
		}
	}
}

func (m *model) advance(rt *rapid.T) {
	p, c, l := m.pick(rt)
	if len(p.held) == 0 {
		return // nothing was read
	}
	i := rapid.IntRange(0, len(p.held)-1).Draw(rt, "row")
	c.Advance(p.held[i])
	p.done = max(p.done, slices.Index(m.rows[l], p.held[i].Ref)+1)
	p.held = p.held[i+1:]
	p.settle()
}

func (p *place) settle() {
	for p.parked[p.done] {
		p.done++
	}
}

func (m *model) park(rt *rapid.T) {
	p, c, l := m.pick(rt)
	if len(p.held) == 0 {
		return // nothing was read
	}
	i := rapid.IntRange(0, len(p.held)-1).Draw(rt, "row")
	if err := c.Park(context.Background(), p.held[i], "refused"); err != nil {
		rt.Fatal(err)
	}
	index := slices.Index(m.rows[l], p.held[i].Ref)
	if index >= p.done {
		p.parked[index] = true
	}
	p.held = slices.Delete(p.held, i, i+1)
	p.settle()
	// The parked event itself is a routine row.
	m.rows[Routine] = append(m.rows[Routine], alert.Ref{Epoch: m.j.Epoch(), Seq: m.j.Stats().LastSeq})
}

func (m *model) rewind(rt *rapid.T) {
	p, c, _ := m.pick(rt)
	c.Rewind()
	p.next, p.held = p.done, nil
}

func (m *model) reopen(*rapid.T) {
	m.stop()
	m.open()
	for _, p := range m.at {
		p.next, p.held = p.done, nil
	}
}

func (m *model) check(rt *rapid.T) {
	for _, s := range m.j.Stats().Cursors {
		p := m.at[cursorKey{s.Consumer, s.Lane}]
		if want := int64(len(m.rows[s.Lane]) - p.done); s.Depth != want {
			rt.Fatalf("%s/%s: depth %d, want %d", s.Consumer, s.Lane, s.Depth, want)
		}
	}
}
