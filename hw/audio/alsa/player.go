package alsa

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"nabat/hw/audio"
)

// What waits to sound is in three places: the pipe, one period in the hands of
// aplay, and the buffer of the device. Together they stay below the fifth of a
// second that hw/audio promises: 85 + 15 + 90 ms. The device begins when its
// buffer is full, which a quick writer does at once.
const (
	pipeBytes  = 4096 // the kernel's least; its usual 64 KiB are 1.4 s of sound
	bufferTime = 90 * time.Millisecond
	periodTime = 15 * time.Millisecond
)

// endTime bounds the wait for a process that has been killed, or has closed our
// pipe and is about to say why.
const endTime = 2 * time.Second

// player is one running aplay.
type player struct {
	cmd  *exec.Cmd
	in   *os.File
	said *notes
	done chan struct{} // closed when the process has been waited for
	exit error         // what Wait said; readable after done
}

// start runs aplay and returns when it has opened the device, or why not.
func (d *Driver) start(ctx context.Context) (*player, error) {
	path, err := d.path()
	if err != nil {
		return nil, err
	}
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("a pipe for %s: %w", d.program, err)
	}
	defer theirs.Close()
	if err := shrink(ours); err != nil {
		ours.Close()
		return nil, fmt.Errorf("a short pipe for %s: %w", d.program, err)
	}
	p := &player{in: ours, said: newNotes(&d.underruns), done: make(chan struct{})}
	// Not ctx: it bounds the opening, and the process stays.
	p.cmd = exec.CommandContext(context.WithoutCancel(ctx), path, "-D", d.device, "-t", "raw", "-f", "S16_LE", "-c", "1",
		"-r", strconv.Itoa(audio.Rate),
		"--buffer-time="+micros(bufferTime), "--period-time="+micros(periodTime))
	p.cmd.Stdin = theirs
	p.cmd.Stderr = p.said
	p.cmd.Env = append(os.Environ(), "LC_ALL=C") // its words are read below
	p.cmd.WaitDelay = endTime
	// A group of its own, so that a plugin's helpers end with it; and an end
	// with us, however we end.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		ours.Close()
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	go func() {
		p.exit = p.cmd.Wait()
		close(p.done)
	}()
	select {
	case <-p.said.opened:
		return p, nil
	case <-p.done:
		p.in.Close()
		return nil, d.reason(p)
	case <-ctx.Done():
		p.kill()
		return nil, fmt.Errorf("ALSA device %s does not open: %s; unplug the sound card and plug it in again: %w", d.device, p.said.or("nothing was said"), ctx.Err())
	}
}

// kill ends the process and what it started, and waits until it is gone. A
// process that the kernel itself holds (a sound driver that hangs) stays behind,
// and is reaped when it is let go.
func (p *player) kill() {
	p.in.Close()
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	late := time.NewTimer(endTime)
	defer late.Stop()
	select {
	case <-p.done:
	case <-late.C:
	}
}

// gone waits for a process that has closed our pipe.
func (p *player) gone() {
	late := time.NewTimer(endTime)
	defer late.Stop()
	select {
	case <-p.done:
	case <-late.C:
	}
}

// reason makes an error of what aplay said before it ended.
func (d *Driver) reason(p *player) error {
	said := p.said.or("it said nothing")
	switch why := p.said.why(); {
	case errors.Is(why, errNoDevice):
		return fmt.Errorf("%w: ALSA has no device %s (%s): `aplay -L` lists those that are there", audio.ErrAbsent, d.device, said)
	case errors.Is(why, errBusy):
		return fmt.Errorf("another program holds the ALSA device %s (%s): end it, or use a shared device such as `default`: %w", d.device, said, why)
	case errors.Is(why, errShape):
		return fmt.Errorf("the ALSA device %s takes no mono of %d Hz (%s): begin its name with plughw instead of hw", d.device, audio.Rate, said)
	case errors.Is(why, errDenied):
		return fmt.Errorf("the ALSA device %s is not ours to open (%s): add the gateway's user to the group audio", d.device, said)
	}
	return fmt.Errorf("%s ended while it played to %s: %s", d.program, d.device, said)
}

func shrink(pipe *os.File) error {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	// Not Fd(): it would make the pipe blocking, and deadlines would end.
	if err := raw.Control(func(fd uintptr) { _, set = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeBytes) }); err != nil {
		return err
	}
	return set
}

func micros(d time.Duration) string { return strconv.FormatInt(d.Microseconds(), 10) }
