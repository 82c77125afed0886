package audiotest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"nabat/hw/audio"
)

// Recording is what is heard at a sink, from Record on.
type Recording struct {
	cmd  *exec.Cmd
	done chan struct{}

	mu      sync.Mutex
	samples []int16       // guarded by mu
	first   time.Time     // when the first sample that is not silence came; guarded by mu
	heard   chan struct{} // closed when there is more; guarded by mu
}

// Silence is the largest sample that still counts as silence: dither and the
// ringing of a resampler are below it.
const Silence = 64

// Record listens to a sink of the server, until Stop. It returns when the first
// samples, of silence or not, have arrived.
//
// A null sink that nobody listens to has mixed two seconds of silence ahead, and
// cannot take them back once somebody wants a short delay. So a sink that plays
// nothing is put to sleep until the recorder is there, and wakes up empty.
func (s *Server) Record(ctx context.Context, sink string) (*Recording, error) {
	playing, err := s.Pactl(ctx, "list", "short", "sink-inputs")
	if err != nil {
		return nil, err
	}
	if playing == "" {
		if _, err := s.Pactl(ctx, "suspend-sink", sink, "1"); err != nil {
			return nil, err
		}
	}
	r, err := s.attach(ctx, sink)
	if err != nil {
		return nil, err
	}
	if playing == "" {
		err = s.awake(ctx, r, sink)
	}
	if err == nil {
		err = r.Wait(ctx, func(samples []int16) bool { return len(samples) > 0 })
	}
	if err != nil {
		r.Stop()
		return nil, fmt.Errorf("record the sink %s: %w", sink, err)
	}
	return r, nil
}

// awake wakes a sink when its recorder has arrived.
func (s *Server) awake(ctx context.Context, r *Recording, sink string) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		list, err := s.Pactl(ctx, "list", "source-outputs")
		if err != nil {
			return err
		}
		if strings.Contains(list, fmt.Sprintf("application.process.id = \"%d\"", r.cmd.Process.Pid)) {
			_, err := s.Pactl(ctx, "suspend-sink", sink, "0")
			return err
		}
		select {
		case <-tick.C:
		case <-r.done:
			return errors.New("the recorder ended")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// attach starts the recorder.
func (s *Server) attach(ctx context.Context, sink string) (*Recording, error) {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), "parec", "--raw", "--format=s16le", "--channels=1", "--rate="+strconv.Itoa(audio.Rate),
		"--latency-msec=10", "--device="+sink+".monitor")
	cmd.Env = s.Env()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start parec (apt install pulseaudio-utils): %w", err)
	}
	return Hear(cmd, out), nil
}

// Hear records what a program has to say that was started, in a process group of
// its own: mono samples of 16 bits at audio.Rate, until Stop, which ends the
// program.
func Hear(cmd *exec.Cmd, out io.Reader) *Recording {
	r := &Recording{cmd: cmd, done: make(chan struct{}), heard: make(chan struct{})}
	go r.listen(out)
	return r
}

// Listen is Record for a test.
func (s *Server) Listen(t testing.TB, sink string) *Recording {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	r, err := s.Record(ctx, sink)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	return r
}

func (r *Recording) listen(out io.Reader) {
	defer close(r.done)
	buf := make([]byte, 8192)
	held := 0
	for {
		n, err := out.Read(buf[held:])
		now := time.Now()
		n += held
		whole := n &^ 1
		r.mu.Lock()
		for i := 0; i < whole; i += 2 {
			sample := int16(binary.LittleEndian.Uint16(buf[i:]))
			r.samples = append(r.samples, sample)
			if r.first.IsZero() && (sample > Silence || sample < -Silence) {
				r.first = now
			}
		}
		close(r.heard)
		r.heard = make(chan struct{})
		r.mu.Unlock()
		if held = n - whole; held > 0 {
			buf[0] = buf[whole]
		}
		if err != nil {
			_ = r.cmd.Wait() // it was killed, or lost its server
			return
		}
	}
}

// Samples is what was recorded until now.
func (r *Recording) Samples() []int16 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]int16(nil), r.samples...)
}

// First is when the first sample above Silence came; zero when none has.
func (r *Recording) First() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.first
}

// Forget begins the recording anew: what came before is dropped.
func (r *Recording) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples, r.first = nil, time.Time{}
}

// Wait returns when what was recorded satisfies enough, which must not keep it.
func (r *Recording) Wait(ctx context.Context, enough func([]int16) bool) error {
	for {
		r.mu.Lock()
		ok, heard, n := enough(r.samples), r.heard, len(r.samples)
		r.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-heard:
		case <-r.done:
			return errors.New("the recorder ended")
		case <-ctx.Done():
			return fmt.Errorf("after %d samples: %w", n, ctx.Err())
		}
	}
}

// Quiet returns when the recording ends in this much silence after a sound.
func (r *Recording) Quiet(ctx context.Context, length time.Duration) error {
	n := int(length * audio.Rate / time.Second)
	return r.Wait(ctx, func(samples []int16) bool {
		last := LastSound(samples)
		return last >= 0 && len(samples)-last > n
	})
}

// Stop ends the recording. It may be called twice.
func (r *Recording) Stop() {
	select {
	case <-r.done: // its number may be another's by now
	default:
		_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
	}
	<-r.done
}
