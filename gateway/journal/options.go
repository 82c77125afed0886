package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/health"
)

// Options says where the journal is and who reads it. Only Path is needed;
// zero values take the defaults named below.
type Options struct {
	// Path is the database file. Its folder is made when missing.
	Path string
	// Consumers are the enabled readers. Rows that one of them has not passed
	// are kept; a reader that is not listed holds nothing.
	Consumers []string

	// Log receives what a technician should know. Default: nothing is logged.
	Log *slog.Logger
	// Health receives the conditions disk-full, journal-not-durable,
	// journal-damaged, journal-gap, journal-log-pinned. May be nil.
	Health *health.Registry
	// Pulse is beaten by the writer at least once a second. May be nil.
	Pulse *health.Pulse
	// Now stamps the journal's own events. Default: the wall clock alone.
	Now func() alert.Stamp

	// Keep is how long rows stay that every consumer has passed. Default 90 days.
	Keep time.Duration
	// KeepRows is how many such rows of one lane stay at most. Default 200,000.
	KeepRows int64
	// RoutineCap is how many routine rows stay whether read or not; beyond it
	// the oldest go and a gap is written down. Default 2,000,000.
	RoutineCap int64
	// Ballast is how many bytes are set by for a full disk. Default 16 MiB;
	// negative means none.
	Ballast int64
	// PendingRoutine and PendingAlarms bound the events that wait for a
	// stalled disk in memory. Defaults 8,192 and 65,536.
	PendingRoutine int
	PendingAlarms  int
	// RetryEvery is how often a journal in memory tries to return to its
	// file. Default 5 s.
	RetryEvery time.Duration

	// OnRecovered is told all that the file holds once a salvage has ended, and
	// when the journal comes back from memory to its file: the alerts, and where
	// their highest presses stand. It comes as a whole, because half of a history
	// has alerts open that were cleared long ago. The writer calls it; it must
	// not block. May be nil.
	OnRecovered func(alert.State, map[alert.Key]alert.Ref)
}

var errOptions = errors.New("wrong journal options")

func (o Options) withDefaults() (Options, error) {
	if o.Path == "" {
		return o, fmt.Errorf("the path is empty: %w", errOptions)
	}
	for i, c := range o.Consumers {
		if c == "" || slices.Contains(o.Consumers[:i], c) {
			return o, fmt.Errorf("consumer %q is empty or named twice: %w", c, errOptions)
		}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = func() alert.Stamp { return alert.Stamp{Wall: time.Now().UTC().Round(0)} }
	}
	positive(&o.Keep, 90*24*time.Hour)
	positive(&o.KeepRows, 200_000)
	positive(&o.RoutineCap, 2_000_000)
	positive(&o.PendingRoutine, 8192)
	positive(&o.PendingAlarms, 65536)
	positive(&o.RetryEvery, 5*time.Second)
	if o.Ballast == 0 {
		o.Ballast = 16 << 20
	}
	return o, nil
}

func positive[T time.Duration | int64 | int](v *T, otherwise T) {
	if *v <= 0 {
		*v = otherwise
	}
}
