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

// diskFull runs a gateway on a small file system of its own.
func diskFull(ctx context.Context, w *world) (err error) {
	if _, err := w.mount(ctx, "-t", "tmpfs", "-o", "size=8m", "tmpfs"); err != nil {
		return err
	}
	s, err := w.stand(ctx, ways{mqtt: true})
	if err != nil {
		return err
	}
	ballast := filepath.Join(s.gateway.dir, "journal.db.ballast")
	if err := s.until(ctx, "space is set by", func() (bool, error) { _, err := os.Stat(ballast); return err == nil, err }); err != nil {
		return err
	}
	if err := s.gateway.press(ctx, 5); err != nil {
		return err
	}
	s.net.down()
	filler := filepath.Join(s.gateway.dir, "filler")
	if err := fillDisk(filler); err != nil {
		return err
	}
	for range 50 {
		if _, err := os.Stat(ballast); err != nil {
			break // released
		}
		if err := s.gateway.press(ctx, 1); err != nil {
			return fmt.Errorf("a press was not saved although there was ballast: %w", err)
		}
	}
	if err := s.gateway.condition(ctx, "disk-full", true); err != nil {
		return err
	}
	if err := s.gateway.press(ctx, 4); err != nil {
		return fmt.Errorf("a press was not saved although the ballast was released: %w", err)
	}
	saved := s.gateway.presses
	// Another program takes what the ballast gave, again and again. One late save
	// may be a slow disk: the gateway has to say so, or to be late five times.
	unsaved := 0
	if err := s.untilWithin(ctx, limit/2, "not even the ballast is left", func() (bool, error) {
		if err := fillDisk(filler); err != nil {
			return false, err
		}
		kept, err := s.gateway.pressAnyway(ctx)
		if err != nil || kept {
			return false, err
		}
		unsaved++
		told, err := s.gateway.holds(ctx, "journal-not-durable")
		return told || unsaved == 5, err
	}); err != nil {
		return err
	}
	if err := s.net.up(); err != nil {
		return err
	}
	told := s.gateway.condition(ctx, "journal-not-durable", true)
	if err := s.delivered(ctx); err != nil {
		return err
	}
	if err := os.Remove(filler); err != nil {
		return fmt.Errorf("make room: %w", err)
	}
	for _, c := range []string{"journal-not-durable", "disk-full"} {
		if err := s.gateway.condition(ctx, c, false); err != nil {
			return err
		}
	}
	if err := s.gateway.press(ctx, 5); err != nil {
		return err
	}
	w.did("the disk filled to the last byte without a network: %d presses saved into the ballast's space; %d more with that taken too; then the network, then room came back, without a restart", saved-5, s.gateway.presses-5-saved)
	if err := s.settle(ctx); err != nil {
		return err
	}
	return errors.Join(s.pressesStored(ctx), told)
}

// fillDisk writes until nothing more fits, behind what is in the file already.
func fillDisk(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
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

// readOnly runs a gateway on a file system that the kernel gives up.
func readOnly(ctx context.Context, w *world) error {
	image := w.path("disk.img")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		return fmt.Errorf("make a disk: %w", err)
	}
	if err := os.Truncate(image, 24<<20); err != nil {
		return fmt.Errorf("make a disk: %w", err)
	}
	mkfs, err := need("mkfs.ext4", "e2fsprogs")
	if err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, mkfs, "-q", "-F", image).CombinedOutput(); err != nil {
		return fmt.Errorf("make a file system: %w: %s", err, out)
	}
	again, err := w.mount(ctx, "-o", "loop,errors=remount-ro", image)
	if err != nil {
		return err
	}
	s, err := w.stand(ctx, ways{mqtt: true})
	if err != nil {
		return err
	}
	if err := s.gateway.press(ctx, 5); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "sync", "-f", s.gateway.dir).CombinedOutput(); err != nil {
		return fmt.Errorf("write out what does not belong to the gateway: %w: %s", err, out)
	}
	device, err := exec.CommandContext(ctx, "findmnt", "-no", "SOURCE", s.gateway.dir).Output()
	if err != nil {
		return fmt.Errorf("find the disk's device: %w", err)
	}
	fail := filepath.Join("/sys/fs/ext4", filepath.Base(strings.TrimSpace(string(device))), "trigger_fs_error")
	if err := os.WriteFile(fail, []byte("1"), 0o600); err != nil {
		return fmt.Errorf("make the file system fail: %w", err)
	}
	// They are not called saved, but sent, which they are.
	if _, err := s.gateway.pressAnyway(ctx); err != nil {
		return err
	}
	told := s.gateway.condition(ctx, "journal-not-durable", true)
	if err := s.delivered(ctx); err != nil {
		return err
	}
	// A kernel that has given a file system up needs it mounted anew.
	if err := s.gateway.stop(ctx); err != nil {
		return err
	}
	if err := again(); err != nil {
		return err
	}
	if err := s.gateway.run(ctx); err != nil {
		return err
	}
	if err := s.gateway.press(ctx, 5); err != nil {
		return err
	}
	w.did("ext4 went read-only under the running gateway; 4 presses at once, delivered from memory; then the disk was mounted anew")
	if err := s.settle(ctx); err != nil {
		return err
	}
	// What was delivered from memory is in no journal.
	s.tally.foreign = nil
	return errors.Join(s.pressesStored(ctx), told)
}
