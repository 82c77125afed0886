package gpio

import (
	"encoding/binary"
	"fmt"
	"time"

	"periph.io/x/conn/v3/gpio"

	"nabat/hw/point"
)

// eventSize is the size of struct gpio_v2_line_event on every architecture.
const eventSize = 48

// event is what we use of one line event.
type event struct {
	level gpio.Level
	at    time.Duration
	seq   uint32 // of the line, from 1
}

// parseEvents appends the events of one read to list. The kernel hands out
// whole events only; anything else is an error.
func parseEvents(list []event, b []byte) ([]event, error) {
	if len(b)%eventSize != 0 {
		return list, fmt.Errorf("the kernel gave %d bytes, not a multiple of %d", len(b), eventSize)
	}
	for ; len(b) > 0; b = b[eventSize:] {
		e := event{
			at:  time.Duration(binary.NativeEndian.Uint64(b)),
			seq: binary.NativeEndian.Uint32(b[20:]),
		}
		switch id := binary.NativeEndian.Uint32(b[8:]); id {
		case 1:
			e.level = gpio.High
		case 2:
			e.level = gpio.Low
		default:
			return list, fmt.Errorf("the kernel gave an event of unknown kind %d", id)
		}
		list = append(list, e)
	}
	return list, nil
}

// tally turns events into edges and counts the ones that were lost between.
type tally struct {
	last uint32 // sequence number of the last event
}

func (t *tally) edge(e event) point.Edge {
	lost := e.seq - t.last - 1
	t.last = e.seq
	return point.Edge{Level: e.level, At: e.at, Lost: lost}
}
