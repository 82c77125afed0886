// Package clock stamps moments with all that a machine without a battery clock
// can know about them: wall time, boot id, monotonic time, synchronised or not.
package clock

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"nabat/gateway/alert"
)

// System is the clock of this machine. It may be used from any goroutine.
type System struct {
	boot string
}

// NewSystem reads the kernel's boot id once.
func NewSystem() (*System, error) {
	const path = "/proc/sys/kernel/random/boot_id"
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the kernel's boot id (is /proc mounted?): %w", err)
	}
	return &System{boot: strings.TrimSpace(string(b))}, nil
}

// Now stamps this moment. Mono is CLOCK_MONOTONIC, the clock that the kernel
// stamps GPIO edges with.
func (s *System) Now() alert.Stamp {
	return alert.Stamp{Wall: time.Now().UTC().Round(0), Boot: s.boot, Mono: Monotonic(), Synced: synced()}
}

// Monotonic returns CLOCK_MONOTONIC, the time since boot without suspend.
func Monotonic() time.Duration {
	var ts unix.Timespec
	// The call cannot fail for this clock on Linux.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return time.Duration(ts.Nano())
}

// synced reports whether the kernel holds its wall clock for synchronised,
// as time daemons set it (adjtimex status without STA_UNSYNC).
func synced() bool {
	var tx unix.Timex
	if _, err := unix.Adjtimex(&tx); err != nil {
		return false
	}
	return tx.Status&unix.STA_UNSYNC == 0
}
