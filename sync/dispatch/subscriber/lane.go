package subscriber

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// laneBytes bounds the payloads of the messages that wait in one lane or are
// being stored from it. Counting messages is not enough: two thousand of the
// largest that a broker lets through would fill the memory of a small machine.
const laneBytes = 16 << 20

// lane is a queue of messages, bounded in number and size.
type lane struct {
	queue chan message
	room  *semaphore.Weighted
}

func newLane(messages int) lane {
	return lane{make(chan message, messages), semaphore.NewWeighted(laneBytes)}
}

// put queues a message; it waits for room until ctx ends. The room is free again
// when the message is done.
func (l lane) put(ctx context.Context, m message) {
	done, size := m.done, min(int64(len(m.raw)), laneBytes)
	if l.room.Acquire(ctx, size) != nil {
		done(ErrEnded)
		return
	}
	m.done = func(err error) {
		l.room.Release(size)
		done(err)
	}
	select {
	case l.queue <- m:
	case <-ctx.Done():
		m.done(ErrEnded)
	}
}
