package audio_test

import (
	"context"
	"slices"
	"testing"

	"nabat/hw/audio"
)

// heard is an output that remembers what it was given.
type heard struct {
	audio.Driver
	audio.Stream
	samples []int16
}

func (h *heard) Open(context.Context) (audio.Stream, error) { return h, nil }
func (h *heard) Check(context.Context) error                { return nil }
func (h *heard) Close() error                               { return nil }
func (h *heard) Write(_ context.Context, samples []int16) error {
	h.samples = append(h.samples, samples...)
	return nil
}

func TestAttenuatedIsQuieterAndLeavesTheSamplesAlone(t *testing.T) {
	h := &heard{}
	s, err := audio.Attenuated(h, -6.0206).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	clip := []int16{0, 1000, -1000, 32767, -32768}
	if err := s.Write(t.Context(), clip); err != nil {
		t.Fatal(err)
	}
	if want := []int16{0, 500, -500, 16383, -16384}; !slices.Equal(h.samples, want) {
		t.Errorf("heard %v, want %v", h.samples, want)
	}
	if clip[3] != 32767 {
		t.Error("the clip was changed: others play it as well")
	}
}

func TestNothingToAttenuate(t *testing.T) {
	h := &heard{}
	if got := audio.Attenuated(h, 0); got != audio.Driver(h) {
		t.Error("0 dB is not the driver itself")
	}
	if got := audio.Attenuated(h, 6); got != audio.Driver(h) {
		t.Error("a gain would clip")
	}
	if got := audio.Attenuated(nil, -6); got != nil {
		t.Error("nothing became something")
	}
}
