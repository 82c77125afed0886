package audio

import (
	"context"
	"math"
)

// Attenuated returns d with every sample lowered by decibels, which is zero or
// negative; a positive value would clip and counts as zero. A nil driver stays
// nil. Silence, and a change of nothing, cost nothing.
func Attenuated(d Driver, decibels float64) Driver {
	if d == nil || decibels >= 0 || math.IsNaN(decibels) {
		return d
	}
	const unit = 1 << 15
	return attenuated{Driver: d, factor: int32(math.Round(unit * math.Pow(10, decibels/20)))}
}

type attenuated struct {
	Driver
	factor int32 // in 1/32768
}

// Open implements Driver.
func (a attenuated) Open(ctx context.Context) (Stream, error) {
	s, err := a.Driver.Open(ctx)
	if err != nil {
		return nil, err
	}
	return &attenuatedStream{Stream: s, factor: a.factor}, nil
}

type attenuatedStream struct {
	Stream
	factor int32
	buffer []int16
}

// Write implements Stream. The samples belong to the caller and stay as they are.
func (s *attenuatedStream) Write(ctx context.Context, samples []int16) error {
	s.buffer = s.buffer[:0]
	for _, v := range samples {
		s.buffer = append(s.buffer, int16(int32(v)*s.factor>>15))
	}
	return s.Stream.Write(ctx, s.buffer)
}
