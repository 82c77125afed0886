package announce

import (
	"math"

	"nabat/gateway/alert"
)

// gain makes samples quieter, in 1/32768; unity changes nothing.
type gain int32

const unity gain = 1 << 15

// gainOf translates decibels, zero or less; what would clip counts as zero.
func gainOf(decibels float64) gain {
	if decibels >= 0 || math.IsNaN(decibels) {
		return unity
	}
	return gain(math.Round(float64(unity) * math.Pow(10, decibels/20)))
}

// of returns the frame as loud as it shall sound. Clips are shared, so that the
// frame itself stays as it is.
func (g gain) of(frame []int16) []int16 {
	if g == unity {
		return frame
	}
	quiet := make([]int16, len(frame))
	for i, s := range frame {
		quiet[i] = int16(int32(s) * int32(g) >> 15)
	}
	return quiet
}

// gains are those of a loudspeaker.
type gains struct{ usual, emergency gain }

func (g gains) at(p alert.Priority) gain {
	if p >= alert.PriorityEmergency {
		return g.emergency
	}
	return g.usual
}
