package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"nabat/gateway/alert"
)

// missOld writes down that the file of an earlier epoch was not there, or was
// empty, at this start: its rows are lost unless it was set aside and is being
// salvaged.
func (j *Journal) missOld(epoch string) {
	pending, err := asideFiles(j.opt.Path, damagedInfix)
	if err != nil || len(pending) > 0 {
		return
	}
	detail := fmt.Sprintf("The journal file of epoch %s had vanished or was empty at the start; what it held is lost.", epoch)
	j.opt.Log.Error("journal: the file had vanished or was empty", "path", j.opt.Path, "epoch", epoch)
	j.opt.Health.Set(conditionDamaged, detail+" Check the disk.")
	j.Append(alert.Event{Type: alert.JournalRecovered, Subject: filepath.Base(j.opt.Path), At: j.opt.Now(), Detail: detail}, nil)
}

// vanished reports whether somebody removed or replaced the file under the
// open journal. What is written then is gone at the next start.
func (j *Journal) vanished() bool {
	now, err := os.Stat(j.opt.Path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	return j.chores.identity != nil && !os.SameFile(now, j.chores.identity)
}

// rescue copies what the open journal still sees to a set-aside file, and
// continues with a fresh one. It holds the writer for as long as the copy takes:
// every event until then would be written to a file without a name.
func (j *Journal) rescue() {
	ctx := context.Background()
	aside := j.opt.Path + damagedInfix + randomID()
	j.opt.Log.Error("journal: the file was removed from under the running gateway", "path", j.opt.Path, "copy", aside)
	j.opt.Health.Set(conditionDamaged, "The journal file was removed while the gateway ran; its rows are being taken over from "+aside+".")
	err := os.MkdirAll(filepath.Dir(aside), 0o700) // the folder may be gone as well
	if err == nil {
		err = touch(aside)
	}
	if err != nil {
		j.flee(ctx, err)
		return
	}
	defer j.beating()()
	if _, err := j.st.conn.ExecContext(ctx, "VACUUM INTO ?", aside); err != nil {
		j.opt.Log.Error("journal: cannot copy the removed file", "error", err)
	}
	old := j.book
	j.st.close()
	// What stands at the path now is not ours to write into, nor is a log there.
	for _, ext := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(j.opt.Path+ext, aside+".found"+ext); err != nil && !errors.Is(err, fs.ErrNotExist) {
			j.flee(ctx, err)
			return
		}
	}
	j.chores.acked[aside] = remember(old)
	st, b, err := j.openFile(ctx)
	if err != nil {
		j.flee(ctx, err)
		return
	}
	j.adopt(st, b)
	j.startSalvage()
}

// longCopy bounds how long a copy may hold the writer before the watchdog may
// act: by then the disk is held for dead.
const longCopy = 10 * time.Minute

// beating beats the writer's pulse during one long piece of work. The caller
// calls what it returns at the end.
func (j *Journal) beating() (end func()) {
	ctx, cancel := context.WithTimeout(context.Background(), longCopy)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				j.opt.Pulse.Beat()
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}
