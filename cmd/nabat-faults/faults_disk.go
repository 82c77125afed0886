package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func diskScenarios() []scenario {
	salvaged := "the file is set aside, a fresh one is in use, and readable rows are salvaged"
	return []scenario{
		{
			name: "disk/full", short: true, root: true,
			fault:      "the disk is full: insert, delete and checkpoint all fail",
			protection: "ballast is set by for alarms; memory carries on where even that is gone, and says so; the disk is used again without a restart",
			bare:       "no memory behind the ballast",
			without:    noMemory(),
			run:        diskFull,
		},
		{
			name: "disk/read-only-remount", root: true,
			fault:      "the kernel makes the file system read-only after an error",
			protection: "memory carries on, and says so; what is delivered from there is not lost",
			without:    noMemory(),
			run:        readOnly,
		},
		{
			name: "disk/damaged-header", short: true,
			fault:      "the database begins with zeros after a power cut",
			protection: salvaged, without: noSalvage(),
			run: func(ctx context.Context, w *world) error {
				return damaged(ctx, w, "the first 4 KiB of the journal were zeroed", func(path string) ([]string, error) {
					return nil, overwrite(path, 0, make([]byte, page))
				})
			},
		},
		{
			name: "disk/truncated-file", short: true,
			fault:      "the last part of the database is missing",
			protection: salvaged, without: noSalvage(),
			run: func(ctx context.Context, w *world) error {
				return damaged(ctx, w, "the file's last page was cut off, with the routine rows in it", cutOff)
			},
		},
		{
			name: "disk/bit-flip", short: true,
			fault:      "one bit flips in the tree of a table (287,249 acknowledged records lost)",
			protection: salvaged + " from their pages, whatever the tree says", without: noSalvage(),
			run: func(ctx context.Context, w *world) error {
				return damaged(ctx, w, "one bit was flipped in the root page of the alarm table", flipRoot)
			},
		},
		{
			name:       "disk/reader-pins-the-log",
			fault:      "another program keeps the journal open, so that its log cannot be folded and grows",
			protection: "a condition names it; events go on being stored and delivered",
			// The condition comes at 64 MiB, which takes an hour of presses.
			with:    []change{{file: "gateway/journal/chores.go", old: "const maxLog = 64 << 20", replacement: "const maxLog = 1 << 18"}},
			without: []change{{file: "gateway/journal/chores.go", old: "	if err == nil && info.Size() > maxLog {\n", replacement: "	if err == nil && info.Size() < 0 {\n"}},
			run:     pinned,
		},
		{
			name: "disk/second-process", short: true,
			fault:      "a second process is started on the same file",
			protection: "the file is locked; the second refuses and says why",
			without:    []change{{file: "gateway/journal/lock.go", old: "unix.LOCK_EX|unix.LOCK_NB", replacement: "unix.LOCK_SH|unix.LOCK_NB"}},
			run:        secondProcess,
		},
	}
}

func secondProcess(ctx context.Context, w *world) error {
	s, err := w.stand(ctx, ways{mqtt: true})
	if err != nil {
		return err
	}
	second, err := w.start("second nabat", nil, w.programs.nabat, "run", "--config", s.gateway.config)
	if err != nil {
		return err
	}
	if err := w.until(ctx, "the second gateway refuses to run", func() (bool, error) { return second.alive() != nil, nil }); err != nil {
		return err
	}
	if second.err == nil || !strings.Contains(second.said.String(), "another process") {
		return fmt.Errorf("the second gateway did not say why it ended: %s", second.said)
	}
	if err := s.gateway.press(ctx, 10); err != nil {
		return err
	}
	w.did("a second nabat run on the same folder ended with an error that names the cause; 10 presses at the first")
	return s.settle(ctx)
}

// damaged delivers a few events, queues more without a network, damages the
// stopped journal and looks at what arrives after the next start. Every row was
// checkpointed into the main file, so that salvage has to find it there.
func damaged(ctx context.Context, w *world, what string, damage func(path string) (gone []string, err error)) error {
	s, err := w.stand(ctx, ways{mqtt: true})
	if err != nil {
		return err
	}
	if err := s.gateway.press(ctx, 10); err != nil {
		return err
	}
	if err := s.delivered(ctx); err != nil {
		return err
	}
	s.net.down()
	if err := s.gateway.press(ctx, 10); err != nil {
		return err
	}
	if err := s.gateway.stop(ctx); err != nil {
		return err
	}
	const rows = 200
	if err := s.gateway.fill(ctx, rows, "mqtt"); err != nil {
		return err
	}
	before, err := s.gateway.journal(ctx)
	if err != nil {
		return err
	}
	gone, err := damage(filepath.Join(s.gateway.dir, "journal.db"))
	if err != nil {
		return fmt.Errorf("damage the journal: %w", err)
	}
	if err := s.gateway.run(ctx); err != nil {
		return err
	}
	if err := s.net.up(); err != nil {
		return err
	}
	if err := s.gateway.press(ctx, 10); err != nil {
		return err
	}
	w.did("10 presses delivered, 10 and %d routine rows queued; %s (%d rows were in what is gone); 10 presses after the start", rows, what, len(gone))
	if err := s.salvaged(ctx); err != nil {
		return err
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	list, err := s.dispatch.stored(ctx)
	if err != nil {
		return err
	}
	stored := make(map[string]bool)
	for _, a := range list {
		stored[a.id] = true
	}
	// The journal that was damaged is the measure, not only the one after it.
	for _, r := range before {
		if !stored[r.id] && !slices.Contains(gone, r.event.Detail) {
			s.tally.lost = append(s.tally.lost, r.id)
		}
	}
	// Delivered rows that salvage did not bring into the new file are known to
	// dispatch and to no journal: that is no mistake here.
	s.tally.foreign = nil
	return nil
}

// salvaged waits until the gateway has noticed the damage, and has taken over
// what can be read. It renames the file then.
func (s *stand) salvaged(ctx context.Context) error {
	return s.until(ctx, "the damaged file is salvaged", func() (bool, error) {
		damaged, err := filepath.Glob(filepath.Join(s.gateway.dir, "journal.db.damaged-*"))
		if err != nil || len(damaged) > 0 {
			return false, errors.Join(err, errors.New("it is set aside, and not salvaged"))
		}
		salvaged, err := filepath.Glob(filepath.Join(s.gateway.dir, "journal.db.salvaged-*"))
		return len(salvaged) > 0, errors.Join(err, errors.New("the damage was not noticed"))
	})
}

// page is the size of one page of the journal, in bytes.
const page = 4096

func overwrite(path string, at int64, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("open the journal: %w", err)
	}
	_, err = f.WriteAt(b, at)
	return errors.Join(err, f.Close())
}

// flipRoot flips a bit of the first byte of the alarm table's root page, which
// says what kind of page it is.
func flipRoot(path string) (gone []string, err error) {
	root, err := rootOf(path)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	at := int64(root-1) * page
	const interior = 0x05
	if b[at] != interior {
		return nil, fmt.Errorf("the alarm table's root is a page of kind %#x: too few rows", b[at])
	}
	return nil, overwrite(path, at, []byte{b[at] ^ 0x10})
}

// cutOff cuts the last page off, which must hold routine rows only. It returns
// what they said: no salvage can bring them back.
func cutOff(path string) (gone []string, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	last := b[len(b)-page:]
	gone = regexp.MustCompile(`routine event \d+`).FindAllString(string(last), -1)
	if len(gone) == 0 || strings.Contains(string(last), "nabat.alert.") {
		return nil, fmt.Errorf("the last page holds %d routine rows, or an alarm", len(gone))
	}
	return gone, os.Truncate(path, int64(len(b)-page))
}

func rootOf(path string) (root int, err error) {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return 0, fmt.Errorf("open the journal: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.QueryRow("SELECT rootpage FROM sqlite_schema WHERE name = 'alarm'").Scan(&root); err != nil { //nolint:noctx // a local file
		return 0, fmt.Errorf("find the alarm table: %w", err)
	}
	return root, nil
}

// pinned holds a reader's transaction open while much is written.
func pinned(ctx context.Context, w *world) (err error) {
	s, err := w.stand(ctx, ways{mqtt: true})
	if err != nil {
		return err
	}
	if err := s.gateway.press(ctx, 1); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", filepath.Join(s.gateway.dir, "journal.db"))
	if err != nil {
		return fmt.Errorf("open the journal as another program would: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("read as another program would: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // twice where it was ended below
	var n int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM alarm").Scan(&n); err != nil {
		return fmt.Errorf("read as another program would: %w", err)
	}
	if err := s.gateway.press(ctx, 80); err != nil {
		return err
	}
	if err := s.gateway.condition(ctx, "journal-log-pinned", true); err != nil {
		return err
	}
	if err := s.delivered(ctx); err != nil {
		return err
	}
	if err := tx.Rollback(); err != nil {
		return fmt.Errorf("end the other program's reading: %w", err)
	}
	w.did("another program read the journal without end during 80 presses, until the gateway complained; all were delivered meanwhile")
	if err := s.settle(ctx); err != nil {
		return err
	}
	return s.noPressLost(ctx)
}

// mount puts a small file system under the gateway's folder until the world
// ends, and returns how to put the same one there again.
func (w *world) mount(ctx context.Context, args ...string) (again func() error, err error) {
	dir, err := w.folder("gateway-main")
	if err != nil {
		return nil, err
	}
	run := func(name string, args ...string) error {
		if out, err := exec.CommandContext(context.WithoutCancel(ctx), name, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
		}
		return nil
	}
	args = append(args, dir)
	if err := run("mount", args...); err != nil {
		return nil, err
	}
	w.atEnd(func() error { return run("umount", "-l", dir) })
	return func() error { return errors.Join(run("umount", dir), run("mount", args...)) }, nil
}
