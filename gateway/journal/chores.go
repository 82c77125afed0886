package journal

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// chores is the work beside writing. The writer owns it, but for what its
// goroutines are given.
type chores struct {
	ctx        context.Context // of the goroutines; nil before Run
	wg         sync.WaitGroup
	imports    chan chunk // rows that come late
	home       chan homecoming
	checkpoint chan *store      // asks for a checkpoint
	full       bool             // the ballast was released and does not stand again
	identity   os.FileInfo      // of the open file; nil in memory
	written    int              // roughly the pages since the last checkpoint
	acked      map[string]known // what is known of files that were set aside by this process
	salvaging  map[string]bool  // files set aside that a goroutine works on
}

// checkpointPages is how much log is written before it is folded into the
// database in the background. The engine's own limit is four times that.
const checkpointPages = 1000

func (j *Journal) startChores() {
	c := &j.chores
	c.checkpoint = make(chan *store)
	c.wg.Go(func() { j.checkpointer(c.ctx, c.checkpoint) })
	j.startSalvage()
}

func (j *Journal) joinChores() { j.chores.wg.Wait() }

// housekeep does what is due every second while nothing waits.
func (j *Journal) housekeep() {
	if j.away != nil {
		j.comeBack()
		return
	}
	if j.vanished() {
		j.rescue()
		return
	}
	j.saveCursors() // those whose own commit failed
	j.keepBallast()
	j.watchLog()
	if err := j.retain(); err != nil {
		j.mend(fmt.Errorf("retention: %w", err), 0)
	}
	j.askCheckpoint()
}

// askCheckpoint asks for a checkpoint when enough was written since the last
// one. On a full disk the writer makes it, early: only while nothing else is
// written can the log begin again at its start and stop growing, and a
// checkpoint needs some of the space that the ballast gave.
func (j *Journal) askCheckpoint() {
	switch {
	case j.st.memory:
		return
	case j.chores.full && j.chores.written >= checkpointPages/20:
		j.foldLog(context.Background())
		return
	case j.chores.written < checkpointPages:
		return
	}
	select {
	case j.chores.checkpoint <- j.st:
		j.chores.written = 0
	default: // one is under way
	}
}

// foldLog makes a checkpoint at once, so that the log can be written again
// from its beginning. Errors tell nothing new: the next commit meets them.
func (j *Journal) foldLog(ctx context.Context) {
	_, _ = j.st.conn.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)")
	j.chores.written = 0
}

// checkpointer folds the log into the database on a reader's connection, so
// that the writer does not wait for it.
func (j *Journal) checkpointer(ctx context.Context, asked <-chan *store) {
	for {
		select {
		case <-ctx.Done():
			return
		case st := <-asked:
			var busy, pages, done int
			err := st.read.QueryRowContext(context.WithoutCancel(ctx), "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &pages, &done)
			if err != nil && !j.moved(st) {
				j.blame(st, fmt.Errorf("checkpoint: %w", err))
			}
		}
	}
}

// keepBallast sets space by again after a full disk has been freed.
func (j *Journal) keepBallast() {
	ok, err := j.ballast.ensure()
	switch {
	case err != nil:
		j.opt.Log.Warn("journal: cannot set space by for a full disk", "error", err)
	case ok:
		j.chores.full = false
		j.opt.Health.Clear(conditionFull)
	default:
		j.chores.full = true
		j.opt.Health.Set(conditionFull, "The disk is nearly full: free some space on "+filepath.Dir(j.opt.Path)+".")
	}
}

// maxLog is the size of the write-ahead log that only a stuck reader explains.
const maxLog = 64 << 20

func (j *Journal) watchLog() {
	info, err := os.Stat(j.opt.Path + "-wal")
	if err == nil && info.Size() > maxLog {
		j.opt.Health.Set(conditionPinned, fmt.Sprintf("The journal's log has %d MiB: another program keeps the journal open. Stop it.", info.Size()>>20))
		return
	}
	j.opt.Health.Clear(conditionPinned)
}
