package announce

import (
	"context"
	"time"

	"nabat/gateway/alert"
)

// clerk writes the play log until ctx ends.
func (j *Job) clerk(ctx context.Context) {
	timer := time.NewTimer(settle)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		j.write(j.board.closed(false))
		timer.Reset(settle)
	}
}

func (j *Job) write(events []alert.Event) {
	for _, e := range events {
		e.At = j.o.Clock.Now()
		j.o.Record(e)
	}
}
