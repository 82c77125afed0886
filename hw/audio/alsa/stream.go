package alsa

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"nabat/hw/audio"
)

// stream is an aplay that takes samples. Flush and Drain end the process: it has
// no other way to drop or to finish; the next Write starts another.
type stream struct {
	driver *Driver
	bytes  []byte // of the goroutine that writes

	mu     sync.Mutex
	player *player       // nil between a Flush or Drain and the next Write; guarded by mu
	over   bool          // Close was called; guarded by mu
	closed chan struct{} // closed with over
}

var errClosed = errors.New("the stream is closed")

// Write takes samples, within ctx.
func (s *stream) Write(ctx context.Context, samples []int16) error {
	if len(samples) == 0 {
		return ctx.Err()
	}
	p, err := s.running(ctx)
	if err != nil {
		return err
	}
	s.bytes = s.bytes[:0]
	for _, sample := range samples {
		s.bytes = binary.LittleEndian.AppendUint16(s.bytes, uint16(sample))
	}
	_ = p.in.SetWriteDeadline(time.Time{})
	stop := context.AfterFunc(ctx, func() { _ = p.in.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err = p.in.Write(s.bytes)
	switch {
	case err == nil:
		return nil
	case s.isOver():
		return errClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("the ALSA device %s takes no sound: it hangs, unplug the sound card and plug it in again: %w", s.driver.device, ctx.Err())
	}
	p.gone()
	if s.isOver() {
		return errClosed
	}
	return s.driver.reason(p)
}

// running returns the process, started anew after a Flush or Drain.
func (s *stream) running(ctx context.Context) (*player, error) {
	s.mu.Lock()
	p, over := s.player, s.over
	s.mu.Unlock()
	if over {
		return nil, errClosed
	}
	if p != nil {
		return p, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := make(chan struct{})
	joined := make(chan struct{})
	go func() { // Close must also end an opening that hangs
		defer close(joined)
		select {
		case <-s.closed:
			cancel()
		case <-stop:
		}
	}()
	p, err := s.driver.start(ctx)
	close(stop)
	<-joined
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	over = s.over
	if !over {
		s.player = p
	}
	s.mu.Unlock()
	if over {
		p.kill()
		return nil, errClosed
	}
	return p, nil
}

// take hands out the process, which is then the caller's to end.
func (s *stream) take() *player {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.player
	s.player = nil
	return p
}

func (s *stream) isOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

// Flush ends aplay, and with it what has not sounded.
func (s *stream) Flush() error {
	if s.isOver() {
		return errClosed
	}
	if p := s.take(); p != nil {
		p.kill()
	}
	return nil
}

// Drain returns when aplay has played everything and has ended.
func (s *stream) Drain(ctx context.Context) error {
	s.mu.Lock()
	p, over := s.player, s.over
	s.mu.Unlock()
	if over {
		return errClosed
	}
	if p == nil {
		return ctx.Err()
	}
	p.in.Close()
	select {
	case <-p.done:
		s.take()
		if s.isOver() {
			return errClosed
		}
		if p.exit != nil {
			return s.driver.reason(p)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the ALSA device %s does not finish: it hangs, unplug the sound card and plug it in again: %w", s.driver.device, ctx.Err())
	}
}

// Close ends aplay.
func (s *stream) Close() error {
	s.mu.Lock()
	p, over := s.player, s.over
	if !over {
		s.over = true
		close(s.closed)
	}
	s.mu.Unlock()
	if p != nil && !over {
		p.kill()
	}
	return nil
}

var _ audio.Stream = (*stream)(nil)
