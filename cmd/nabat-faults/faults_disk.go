package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func diskScenarios() []scenario {
	return []scenario{
		{
			name: "disk/full", short: true,
			fault:      "the disk is full: insert, delete and checkpoint all fail",
			protection: "ballast is set by for alarms; memory carries on where even that is gone, and says so; the disk is used again without a restart",
			run:        diskFull,
		},
		{
			name: "disk/damaged-header", short: true,
			fault:      "the database begins with zeros after a power cut",
			protection: "the file is set aside, a fresh one is in use, and readable rows are salvaged",
			run: func(ctx context.Context, w *world) error {
				return damaged(ctx, w, "the first 4 KiB of the journal were zeroed", func(path string) error {
					f, err := os.OpenFile(path, os.O_WRONLY, 0)
					if err != nil {
						return err
					}
					_, err = f.WriteAt(make([]byte, 4096), 0)
					return errors.Join(err, f.Close())
				})
			},
		},
		{
			name: "disk/truncated-file", short: true,
			fault:      "the last part of the database is missing",
			protection: "the file is set aside, a fresh one is in use, and readable rows are salvaged",
			run: func(ctx context.Context, w *world) error {
				return damaged(ctx, w, "half a page was cut off the end of the journal", func(path string) error {
					info, err := os.Stat(path)
					if err != nil {
						return err
					}
					return os.Truncate(path, info.Size()-2048)
				})
			},
		},
		{
			name: "disk/second-process", short: true,
			fault:      "a second process is started on the same file",
			protection: "the file is locked; the second refuses and says why",
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, ways{mqtt: true})
				if err != nil {
					return err
				}
				out, err := exec.CommandContext(ctx, w.programs.nabat, "run", "--config", s.gateway.config).CombinedOutput()
				if err == nil {
					return errors.New("a second gateway ran on the same journal")
				}
				if !strings.Contains(string(out), "another process") {
					return fmt.Errorf("the second gateway did not say why: %s", out)
				}
				if err := s.gateway.press(ctx, 10); err != nil {
					return err
				}
				w.did("a second nabat run on the same folder ended with an error that names the cause; 10 presses at the first")
				return s.settle(ctx)
			},
		},
	}
}

// damaged delivers a few events, queues more without a network, damages the
// stopped journal and looks at what arrives after the next start. Every row was
// checkpointed into the main file, so that salvage has to find it there.
func damaged(ctx context.Context, w *world, what string, damage func(path string) error) error {
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
	before, err := s.gateway.journal(ctx)
	if err != nil {
		return err
	}
	if err := damage(filepath.Join(s.gateway.dir, "journal.db")); err != nil {
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
	w.did("10 presses delivered, 10 queued; %s; 10 more after the start", what)
	stored := make(map[string]bool)
	if err := s.settle(ctx); err != nil {
		return err
	}
	list, err := s.dispatch.stored(ctx)
	if err != nil {
		return err
	}
	for _, a := range list {
		stored[a.id] = true
	}
	// The journal that was damaged is the measure, not only the one after it.
	for _, r := range before {
		if r.typ.Urgent() && !stored[r.id] {
			s.tally.lost = append(s.tally.lost, r.id)
		}
	}
	// Delivered rows that salvage did not bring into the new file are known to
	// dispatch and to no journal: that is no mistake here.
	s.tally.foreign = nil
	return nil
}

// diskFull runs a gateway on a small file system of its own.
func diskFull(ctx context.Context, w *world) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("a file system that can be filled needs root: run this as root")
	}
	dir, err := w.folder("gateway-main")
	if err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("mount a small disk: %w: %s", err, out)
	}
	w.atEnd(func() error {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil { //nolint:noctx // the world ends
			return fmt.Errorf("unmount the small disk: %w: %s", err, out)
		}
		return nil
	})
	s, err := w.stand(ctx, ways{mqtt: true})
	if err != nil {
		return err
	}
	if err := s.gateway.press(ctx, 5); err != nil {
		return err
	}
	filler := filepath.Join(dir, "filler")
	if err := fillDisk(filler); err != nil {
		return err
	}
	s.net.down()
	if err := s.gateway.press(ctx, w.times(200, 60)); err != nil {
		return err
	}
	if err := s.gateway.condition(ctx, "disk-full", true); err != nil {
		return err
	}
	if err := s.net.up(); err != nil {
		return err
	}
	if err := s.delivered(ctx); err != nil {
		return err
	}
	if err := os.Remove(filler); err != nil {
		return fmt.Errorf("make room: %w", err)
	}
	if err := s.gateway.condition(ctx, "disk-full", false); err != nil {
		return err
	}
	if err := s.gateway.press(ctx, 5); err != nil {
		return err
	}
	w.did("presses with the disk full to the last byte and no network; then the network, then room came back, without a restart")
	return s.settle(ctx)
}

// fillDisk writes until nothing more fits.
func fillDisk(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("fill the disk: %w", err)
	}
	for size := 1 << 20; size >= 1; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	return f.Close()
}
