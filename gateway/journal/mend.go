package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"nabat/gateway/alert"
)

// Conditions that the journal sets.
const (
	conditionFull    = "disk-full"
	conditionMemory  = "journal-not-durable"
	conditionUnknown = "alerts-unknown"
	conditionDamaged = "journal-damaged"
	conditionPinned  = "journal-log-pinned"
	conditionGap     = "journal-gap"
)

// mend does what the error of the current database asks for, so that the next
// attempt may succeed: it opens the file again, makes room on the disk, sets
// the file aside, or goes to memory.
func (j *Journal) mend(err error, attempt int) {
	ctx := context.Background()
	what := j.diagnoseHere(err)
	j.opt.Log.Warn("journal: an operation failed", "journal", j.st.name, "attempt", attempt, "error", err)
	if j.st.memory {
		j.mendMemory(err)
		return
	}
	switch what {
	case troubleFull:
		j.opt.Health.Set(conditionFull, "The disk is full: free some space on "+filepath.Dir(j.opt.Path)+". "+err.Error())
		released := j.ballast.release()
		if !released && attempt > 0 {
			j.flee(ctx, err)
			return
		}
		j.chores.full = true
		j.opt.Log.Warn("journal: the disk is full", "ballast_released", released)
		j.foldLog(ctx)
	case troubleDamaged:
		j.replace(ctx, err)
	case troubleAccess:
		if attempt > 0 {
			j.flee(ctx, err)
			return
		}
		j.reopen(ctx, err)
	case troubleUnknown:
		if attempt > 1 {
			j.replace(ctx, err)
			return
		}
		j.reopen(ctx, err)
	}
}

// diagnoseHere knows more than the error's code: some file systems report a
// full disk as an I/O error.
func (j *Journal) diagnoseHere(err error) trouble {
	what := diagnose(err)
	if what == troubleAccess && !j.st.memory {
		if free, statErr := freeSpace(filepath.Dir(j.opt.Path)); statErr == nil && free < 64<<10 {
			return troubleFull
		}
	}
	return what
}

// reopen takes the start-up path with the same file.
func (j *Journal) reopen(ctx context.Context, cause error) {
	j.st.close()
	st, b, err := j.openFile(ctx)
	if err != nil {
		j.flee(ctx, errors.Join(cause, err))
		return
	}
	j.resume(st, b, j.book)
}

// resume makes an opened file current. Where it is the file of the book old,
// rows and cursors in the hands of consumers stay good.
func (j *Journal) resume(st *store, b, old *book) {
	if old != nil && b.epoch == old.epoch {
		j.mu.Lock()
		j.inherit(b, old)
		j.mu.Unlock()
	}
	j.adopt(st, b)
}

// openFile opens the file on the disk, whatever it takes: a damaged one is set
// aside and a fresh one made. It fails where the disk does.
func (j *Journal) openFile(ctx context.Context) (*store, *book, error) {
	st, b, err := j.tryFile(ctx)
	switch diagnose(err) {
	case troubleDamaged:
		return j.replaceFile(ctx, err, nil)
	case troubleFull:
		j.opt.Health.Set(conditionFull, "The disk is full: free some space on "+filepath.Dir(j.opt.Path)+". "+err.Error())
		if j.ballast.release() {
			return j.tryFile(ctx)
		}
	case troubleAccess, troubleUnknown:
	}
	return st, b, err
}

// tryFile opens the file on the disk as it is, and makes it when missing.
func (j *Journal) tryFile(ctx context.Context) (*store, *book, error) {
	if err := finishAside(j.opt.Path); err != nil {
		return nil, nil, err
	}
	if err := touch(j.opt.Path); err != nil {
		return nil, nil, err
	}
	st, err := openStore(ctx, j.opt.Path, false)
	if err != nil {
		return nil, nil, err
	}
	b, err := st.load(ctx)
	if err == nil {
		err = j.meet(ctx, st, b.fresh)
	}
	if err != nil {
		st.close()
		return nil, nil, fmt.Errorf("open journal %s: %w", j.opt.Path, err)
	}
	return st, b, nil
}

// meet brings the alerts of the file and those of this process together: at a
// start the file knows more, after a replacement the process does.
func (j *Journal) meet(ctx context.Context, st *store, fresh bool) error {
	if fresh && len(j.refs) > 0 {
		return st.transact(func() error { return st.saveAlerts(j.state, j.refs) })
	}
	if len(j.refs) > 0 {
		return nil
	}
	list, refs, err := loadAlerts(ctx, st.conn)
	if err != nil {
		return err
	}
	j.state, j.refs = alert.NewState(list...), refs
	return nil
}

// touch makes the file with its access rights, which SQLite then gives to the
// files beside it too, and narrows wider rights.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = f.Chmod(0o600)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	return nil
}

// flee is goAway where there is nobody to tell of a failure but the log.
func (j *Journal) flee(ctx context.Context, cause error) { _ = j.goAway(ctx, cause) }

// goAway continues in memory. Nobody's alarm waits for the disk to come back.
func (j *Journal) goAway(ctx context.Context, cause error) error {
	j.opt.Log.Error("journal: the file cannot be used, events are kept in memory only", "path", j.opt.Path, "error", cause)
	j.opt.Health.Set(conditionMemory, "Events are kept in memory only and would be lost without power. Check the disk and "+j.opt.Path+". "+cause.Error())
	away := &exile{file: j.book, next: time.Now().Add(j.opt.RetryEvery), final: errors.Is(cause, ErrNewerSchema)}
	j.st.close()
	st, err := openStore(ctx, "", true)
	var b *book
	if err == nil {
		b, err = st.load(ctx)
	}
	if err != nil {
		// The old database stays and fails; events are answered with errors.
		st.close()
		j.opt.Log.Error("journal: no memory for a journal in memory", "error", err)
		return fmt.Errorf("open a journal in memory: %w", err)
	}
	j.mu.Lock()
	j.away = away
	j.mu.Unlock()
	j.adopt(st, b)
	return nil
}

// mendMemory makes room in a memory journal that is full. Other errors leave
// nothing to do: memory has no disk to repair.
func (j *Journal) mendMemory(err error) {
	if diagnose(err) != troubleFull {
		return
	}
	if err := j.dropRoutine(dropChunk, "memory is full and the disk does not work"); err != nil {
		j.opt.Log.Error("journal: no room in memory", "error", err)
	}
}
