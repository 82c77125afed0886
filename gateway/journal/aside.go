package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"nabat/gateway/alert"
)

// Names of files that were set aside: path + damagedInfix + random id, with
// "-wal" and "-shm" beside it as SQLite wants them. When a file's rows were
// taken over, damaged becomes salvaged. Nothing of it is ever deleted.
const (
	damagedInfix  = ".damaged-"
	salvagedInfix = ".salvaged-"
)

// replace sets the current file aside and continues with a fresh one.
func (j *Journal) replace(ctx context.Context, cause error) {
	old := j.book
	j.st.close()
	st, b, err := j.replaceFile(ctx, cause, old)
	if err != nil {
		j.flee(ctx, errors.Join(cause, err))
		return
	}
	j.adopt(st, b)
	j.startSalvage()
}

// replaceFile sets the file aside and opens a fresh one. old is what is known
// of the file, if anything.
func (j *Journal) replaceFile(ctx context.Context, cause error, old *book) (*store, *book, error) {
	aside, err := setAside(j.opt.Path)
	if err != nil {
		return nil, nil, err
	}
	j.opt.Log.Error("journal: the file is damaged; it was set aside and a fresh one is in use", "path", j.opt.Path, "aside", aside, "error", cause)
	j.opt.Health.Set(conditionDamaged, "The journal file was damaged and set aside as "+aside+"; its readable rows are being taken over. "+cause.Error())
	if old != nil {
		j.mu.Lock()
		j.chores.acked[aside] = remember(old)
		j.mu.Unlock()
	}
	if len(j.refs) == 0 {
		j.rememberAlerts(ctx, aside)
	}
	return j.tryFile(ctx)
}

// rememberAlerts takes the open alerts from a damaged file, if it will give
// them, so that a start does not show "all clear" while it is being salvaged.
func (j *Journal) rememberAlerts(ctx context.Context, aside string) {
	r, err := openRuined(aside)
	if err != nil {
		return // the salvage finds what there is, only later
	}
	defer r.Close()
	if list, refs, err := loadAlerts(ctx, r.db); err == nil {
		j.state, j.refs = alert.NewState(list...), refs
	}
}

// setAside renames the database and its companions.
func setAside(path string) (aside string, err error) {
	aside = path + damagedInfix + randomID()
	if err := os.Rename(path, aside); err != nil {
		return "", fmt.Errorf("set the damaged journal aside: %w", err)
	}
	if err := renameCompanions(path, aside); err != nil {
		return "", err
	}
	return aside, syncDir(filepath.Dir(path))
}

// renameCompanions moves the write-ahead log and its index along. The index is
// moved last: without it SQLite reads the log anew.
func renameCompanions(from, to string) error {
	for _, ext := range []string{"-wal", "-shm"} {
		if err := os.Rename(from+ext, to+ext); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("set the damaged journal's %s aside: %w", ext, err)
		}
	}
	return nil
}

// finishAside completes a setting aside that a crash has interrupted between
// the database and its write-ahead log: a fresh database must never meet the
// log of an older one.
func finishAside(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Stat(path + "-wal"); err != nil {
		return nil //nolint:nilerr // no log is left over
	}
	damaged, err := asideFiles(path, damagedInfix)
	if err != nil {
		return err
	}
	for _, aside := range damaged {
		if _, err := os.Stat(aside + "-wal"); errors.Is(err, fs.ErrNotExist) {
			return renameCompanions(path, aside)
		}
	}
	// A log whose database was taken away: it may hold rows all the same.
	aside := path + damagedInfix + randomID()
	if err := touch(aside); err != nil {
		return err
	}
	return renameCompanions(path, aside)
}

// asideFiles lists the databases that were set aside.
func asideFiles(path, infix string) ([]string, error) {
	dir, base := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look for set-aside journals: %w", err)
	}
	var list []string
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, base+infix) && !strings.HasSuffix(name, "-wal") && !strings.HasSuffix(name, "-shm") {
			list = append(list, filepath.Join(dir, name))
		}
	}
	return list, nil
}

// syncDir makes renames in a folder survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	err = d.Sync()
	if err := errors.Join(err, d.Close()); err != nil {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	return nil
}
