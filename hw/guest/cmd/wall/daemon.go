package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// daemon is one program of the hall.
type daemon struct {
	name string
	cmd  *exec.Cmd
	// log may be read after running has ended.
	log bytes.Buffer
	// running ends when the program has ended; its cause says how.
	running context.Context
	// forgive makes the end of the program nobody's concern.
	forgive func() bool
}

var errEnded = errors.New("ended")

func start(ctx context.Context, name string, args ...string) (*daemon, error) {
	d := &daemon{name: name, cmd: exec.CommandContext(ctx, name, args...)}
	d.cmd.Stdout, d.cmd.Stderr = &d.log, &d.log
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	running, ended := context.WithCancelCause(context.Background())
	d.running = running
	go func() {
		// Exit status 0 has a cause too: nobody asked the program to end.
		ended(errors.Join(fmt.Errorf("%s %w", name, errEnded), d.cmd.Wait()))
	}()
	return d, nil
}

// stop asks the program to end, waits for it, and says how it ended.
func (d *daemon) stop() error {
	if d.forgive() {
		if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return fmt.Errorf("stop %s: %w", d.name, err)
		}
	}
	timer := time.NewTimer(30 * time.Second)
	defer timer.Stop()
	select {
	case <-d.running.Done():
	case <-timer.C:
		_ = d.cmd.Process.Kill() // it had its time
		<-d.running.Done()
		return fmt.Errorf("%s did not end within 30 s of SIGTERM: %w", d.name, context.DeadlineExceeded)
	}
	if status := d.cmd.ProcessState.ExitCode(); status != 0 {
		return fmt.Errorf("%s ended with status %d: %w", d.name, status, errEnded)
	}
	return nil
}
