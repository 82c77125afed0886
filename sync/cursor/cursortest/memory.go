// Package cursortest holds a lane of a journal in memory, for tests of what
// reads lanes. It is as strict as its interface's words: whoever advances over
// a row that was not read, or backwards, is told so.
package cursortest

import (
	"context"
	"fmt"
	"sync"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
	"nabat/sync/cursor"
)

// Memory is one lane with one consumer. Its methods may be called from any
// goroutine.
type Memory struct {
	mu       sync.Mutex // guards the fields below
	lane     journal.Lane
	rows     []journal.Row
	read     int // rows[:read] were read since the last Rewind
	passed   int // rows[:passed] were advanced over or parked
	parked   map[alert.Ref]string
	appended chan struct{}
	wrong    []string
	failRead error
	failPark error
	onPass   func(journal.Row)
}

// NewMemory returns an empty lane.
func NewMemory(lane journal.Lane) *Memory {
	return &Memory{lane: lane, parked: make(map[alert.Ref]string), appended: make(chan struct{})}
}

// Lane returns the lane as a runner wants it.
func (m *Memory) Lane() cursor.Lane { return cursor.Lane{Source: m, Appended: m.Appended} }

// OnPass sets a function that is called, under the lane's lock, for every row
// that the cursor passes by Advance.
func (m *Memory) OnPass(f func(journal.Row)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.onPass = f
}

// Fail makes Read and Park return the given errors; nil ends that.
func (m *Memory) Fail(read, park error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failRead, m.failPark = read, park
}

// Append commits rows and wakes readers. Lane and Pos are filled in.
func (m *Memory) Append(rows ...journal.Row) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range rows {
		r.Lane, r.Pos = m.lane, int64(len(m.rows)+1)
		m.rows = append(m.rows, r)
	}
	close(m.appended)
	m.appended = make(chan struct{})
}

// Appended returns a channel that is closed at the next Append.
func (m *Memory) Appended() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.appended
}

// Read implements cursor.Source.
func (m *Memory) Read(_ context.Context, n int) ([]journal.Row, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failRead != nil {
		return nil, m.failRead
	}
	end := min(m.read+n, len(m.rows))
	rows := append([]journal.Row(nil), m.rows[m.read:end]...)
	m.read = end
	return rows, nil
}

// Rewind implements cursor.Source.
func (m *Memory) Rewind() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.read = m.passed
}

// Advance implements cursor.Source.
func (m *Memory) Advance(r journal.Row) {
	m.mu.Lock()
	defer m.mu.Unlock()
	pos := int(r.Pos)
	if pos <= m.passed || pos > m.read {
		m.wrong = append(m.wrong, fmt.Sprintf("advanced to %d with %d passed and %d read", pos, m.passed, m.read))
		return
	}
	for _, row := range m.rows[m.passed:pos] {
		if m.onPass != nil {
			m.onPass(row)
		}
	}
	m.passed = pos
}

// Park implements cursor.Source.
func (m *Memory) Park(_ context.Context, r journal.Row, reason string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failPark != nil {
		return m.failPark
	}
	if int(r.Pos) != m.passed+1 {
		m.wrong = append(m.wrong, fmt.Sprintf("parked %d with %d passed", r.Pos, m.passed))
		return nil
	}
	m.parked[r.Ref] = reason
	m.passed++
	return nil
}

// Passed returns how many rows were advanced over or parked.
func (m *Memory) Passed() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.passed
}

// Parked returns why each parked row was parked.
func (m *Memory) Parked() map[alert.Ref]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	parked := make(map[alert.Ref]string, len(m.parked))
	for k, v := range m.parked {
		parked[k] = v
	}
	return parked
}

// Wrong returns what the user of the lane did against its contract.
func (m *Memory) Wrong() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.wrong...)
}
