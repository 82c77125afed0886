package point

import (
	"time"

	"golang.org/x/sys/unix"
)

// Monotonic returns CLOCK_MONOTONIC, the clock of the kernel's edges. It may be
// called from any goroutine.
func Monotonic() time.Duration {
	var ts unix.Timespec
	// The call cannot fail for this clock on Linux.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return time.Duration(ts.Nano())
}
