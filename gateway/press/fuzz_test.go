package press

import (
	"testing"
	"time"

	"nabat/hw/point"
)

// FuzzMachine takes each pair of bytes as a signal: what it says, and how long
// after the one before it was stamped.
func FuzzMachine(f *testing.F) {
	f.Add([]byte{0x09, 0, 0x01, 100, 0x05, 10, 0x02, 200, 0x06, 10})
	f.Add([]byte{0x09, 0, 0x01, 5, 0x03, 1, 0x04, 1, 0x0a, 1})
	f.Add([]byte{0x0a, 0, 0x15, 255, 0x15, 255, 0x15, 255, 0x12, 1, 0x06, 10})
	f.Fuzz(func(t *testing.T, data []byte) {
		var signals []point.Signal
		var now time.Duration
		for ; len(data) >= 2; data = data[2:] {
			step := time.Duration(data[1]) * ms
			if data[0]&0x10 != 0 {
				step *= 300
			}
			if data[0]&0x80 != 0 {
				step = -step
			}
			now += step
			signals = append(signals, point.Signal{
				Point: "b", At: now,
				Change:  point.Change(data[0]&0x03 + 1),
				Settled: data[0]&0x04 != 0,
				Initial: data[0]&0x08 != 0,
				Fault:   []point.Fault{point.FaultLost, point.FaultTamper, point.FaultStuck, point.FaultChatter}[data[0]>>5&3],
			})
		}
		gestures(t, signals)
	})
}
