package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"nabat/gateway/alert"
)

// Journal is the open journal. All methods may be called from any goroutine;
// one goroutine calls Run.
type Journal struct {
	opt  Options
	lock *os.File // nil when no lock file could be made
	wake chan struct{}
	late chan struct{} // asks the writer to save cursors soon

	mu       sync.Mutex // guards the fields below
	st       *store     // changed by the writer only, which may read it without the lock
	book     *book      // likewise
	queue    queue
	appended [lanes]chan struct{}
	cursors  map[cursorKey]*Cursor
	fault    error  // what a reader found, for the writer to mend
	former   former // where the rows of the last time in memory are now
	ending   bool   // Run commits what came before, and takes no more
	closed   bool

	// The fields below belong to the writer, and to Open before it.
	state    alert.State
	refs     map[alert.Key]alert.Ref // every key of state; its highest raise
	recorded alert.State             // as Open found it; never changed
	saved    map[alert.Key]alert.Ref // likewise
	books    uint32                  // how many books there were
	away     *exile                  // set while the journal is in memory
	ballast  ballast
	chores   chores
	calendar calendar
}

// Open opens the journal, or whatever can be had of it: a damaged file is set
// aside and a fresh one begun; where no file can be opened at all, the journal
// is in memory and the condition journal-not-durable holds. Open fails only
// for wrong options, with ErrInUse, and where the process has no memory left. It starts nothing: Run does the work.
func Open(o Options) (*Journal, error) {
	opt, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	j := &Journal{
		opt: opt, wake: make(chan struct{}, 1), late: make(chan struct{}, 1),
		cursors: make(map[cursorKey]*Cursor), refs: make(map[alert.Key]alert.Ref),
		ballast: ballast{path: opt.Path + ".ballast", size: opt.Ballast},
	}
	for l := range j.appended {
		j.appended[l] = make(chan struct{})
	}
	j.chores.imports, j.chores.home = make(chan chunk), make(chan homecoming)
	j.chores.acked, j.chores.salvaging = make(map[string]known), make(map[string]bool)
	if err := j.openFirst(context.Background()); err != nil {
		return nil, err
	}
	j.recorded, j.saved = j.state, maps.Clone(j.refs)
	maps.DeleteFunc(j.saved, func(_ alert.Key, r alert.Ref) bool { return r == alert.Ref{} })
	return j, nil
}

// openFirst opens the file, or memory.
func (j *Journal) openFirst(ctx context.Context) error {
	err := j.takeLock()
	if errors.Is(err, ErrInUse) {
		return err
	}
	var st *store
	var b *book
	if err == nil {
		st, b, err = j.openFile(ctx)
	}
	if err != nil {
		return j.startAway(ctx, err)
	}
	old := notedEpoch(j.lock)
	j.adopt(st, b)
	if b.fresh && old != "" {
		j.missOld(old)
	}
	return nil
}

// startAway begins in memory, with the alerts of the file where they can be read.
func (j *Journal) startAway(ctx context.Context, cause error) error {
	if err := j.goAway(ctx, cause); err != nil {
		return err
	}
	alerts, refs, err := peek(ctx, j.opt.Path)
	if err != nil {
		j.opt.Log.Warn("journal: the alerts that were open are not known before the file comes back", "error", err)
		j.opt.Health.Set(conditionUnknown, "Alerts that were open before this start cannot be read, so none of them is shown: "+err.Error())
		return nil
	}
	j.state, j.refs = alert.NewState(alerts...), refs
	return nil
}

// takeLock makes the folder where it is missing and locks the journal.
func (j *Journal) takeLock() error {
	if err := os.MkdirAll(filepath.Dir(j.opt.Path), 0o700); err != nil {
		return fmt.Errorf("make the journal's folder: %w", err)
	}
	var err error
	j.lock, err = lockFile(j.opt.Path + ".lock")
	return err
}

// adopt makes st and b current.
func (j *Journal) adopt(st *store, b *book) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if b.id == 0 {
		j.books++
		b.id = j.books
	}
	j.st, j.book = st, b
	j.fault = nil // whatever a reader met was in the database before
	j.chores.identity = nil
	if info, err := os.Stat(j.opt.Path); err == nil && !st.memory {
		j.chores.identity = info
	}
	if !st.memory && j.lock != nil {
		// Only a note for the next start; the journal is good without it.
		if err := noteEpoch(j.lock, b.epoch); err != nil {
			j.opt.Log.Warn("journal: cannot write the lock file", "error", err)
		}
	}
	for _, c := range j.opt.Consumers {
		for _, l := range Lanes() {
			b.mark(cursorKey{c, l})
		}
	}
	j.wakeReaders()
}

// wakeReaders tells everyone who waits for rows to look again. j.mu is held.
func (j *Journal) wakeReaders() {
	for l := range j.appended {
		close(j.appended[l])
		j.appended[l] = make(chan struct{})
	}
}

// Append hands an event to the writer and returns at once. done, if not nil,
// is called once, from the writer, and must not block: with nil when the event
// is on the disk, with ErrNotDurable when it is in memory only (it still
// reaches the cursors; the Ref is valid), with another error when it was not
// recorded. After Run has ended, done is called with ErrClosed from Append.
func (j *Journal) Append(e alert.Event, done func(alert.Ref, error)) {
	row, err := newRow(e)
	j.mu.Lock()
	if j.closed || j.ending {
		j.mu.Unlock()
		if done != nil {
			done(alert.Ref{}, ErrClosed)
		}
		return
	}
	bound := j.opt.PendingRoutine
	if row.Lane == Alarm {
		bound = j.opt.PendingAlarms
	}
	switch {
	case err != nil:
		j.queue.refuse(err, done)
	case len(j.queue.lanes[row.Lane]) >= bound:
		j.queue.lost[row.Lane]++
		j.queue.refuse(fmt.Errorf("%s event: %w", e.Type, ErrOverflow), done)
	default:
		j.queue.lanes[row.Lane] = append(j.queue.lanes[row.Lane], item{event: e, row: row, done: done})
	}
	j.mu.Unlock()
	nudge(j.wake)
}

func nudge(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Epoch returns the epoch that events are numbered under now. It changes when
// a damaged file is replaced, and while the journal is in memory.
func (j *Journal) Epoch() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.book.epoch
}

// Recorded returns what the events in the journal added up to when it was
// opened, and the name of the highest raise of each alert.
func (j *Journal) Recorded() (alert.State, map[alert.Key]alert.Ref) {
	return j.recorded, maps.Clone(j.saved)
}

// Appended returns a channel that is closed at the next commit in the lane, or
// when another database takes over. Take the channel first, then read.
func (j *Journal) Appended(l Lane) <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.appended[l]
}

// Run writes until ctx ends; then it commits what is pending, saves the
// cursors, closes the journal and returns nil. It is an essential job: no
// state of the disk makes it return.
func (j *Journal) Run(ctx context.Context) error {
	chores, stop := context.WithCancel(context.WithoutCancel(ctx))
	j.chores.ctx = chores
	j.startChores()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	save := time.NewTimer(time.Hour)
	defer save.Stop()
	for ctx.Err() == nil {
		j.opt.Pulse.Beat()
		if j.commitPending() {
			j.importWaiting()
			continue
		}
		select {
		case <-ctx.Done():
		case <-j.wake:
		case <-j.late:
			save.Reset(saveAfter)
		case <-save.C:
			j.saveCursors()
		case c := <-j.chores.imports:
			j.importChunk(c)
		case h := <-j.chores.home:
			j.arrive(chores, h)
		case <-tick.C:
			j.housekeep()
		}
	}
	// Before anything that a dying disk can hold up.
	for j.commitPending() {
		j.opt.Pulse.Beat()
	}
	j.saveCursors()
	stop()
	j.joinChores()
	j.mu.Lock()
	j.ending = true
	j.mu.Unlock()
	for j.commitPending() {
		j.opt.Pulse.Beat()
	}
	j.saveCursors()
	return j.Close()
}

// saveAfter is how long a moved cursor may wait for its commit when no event
// comes along that it can travel with. A crash costs that many duplicates; each
// commit is one that an alarm may have to wait for.
const saveAfter = time.Second

// Close lets go of the files. Run calls it; a caller needs it only where Run
// was never called. What still waits is answered with ErrClosed.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return nil
	}
	j.closed = true
	q := j.queue
	j.queue = queue{}
	j.wakeReaders()
	j.mu.Unlock()
	for _, items := range q.lanes {
		for _, it := range items {
			q.refuse(ErrClosed, it.done)
		}
	}
	for _, done := range q.refused {
		done()
	}
	for _, p := range q.parks {
		p.answer(ErrClosed)
	}
	j.st.close()
	if j.lock != nil {
		if err := j.lock.Close(); err != nil {
			return fmt.Errorf("close lock file: %w", err)
		}
	}
	return nil
}
