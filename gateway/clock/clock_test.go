package clock

import (
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nabat/gateway/alert"
)

func TestStampsOfTheRealClock(t *testing.T) {
	c, err := NewSystem()
	if err != nil {
		t.Fatal(err)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	wallBefore, monoBefore := time.Now(), Monotonic()
	a := c.Now()
	b := c.Now()
	wallAfter, monoAfter := time.Now(), Monotonic()

	if a.Boot != strings.TrimSpace(string(boot)) || a.Boot == "" {
		t.Errorf("boot id is %q", a.Boot)
	}
	if a.Mono < monoBefore || b.Mono < a.Mono || monoAfter < b.Mono {
		t.Errorf("the monotonic clock ran backwards: %v, %v, %v, %v", monoBefore, a.Mono, b.Mono, monoAfter)
	}
	// Round drops Go's own monotonic reading, which no other process shares.
	if a.Wall.Before(wallBefore.Round(0)) || a.Wall.After(wallAfter.Round(0)) || a.Wall.Location() != time.UTC {
		t.Errorf("wall clock says %v", a.Wall)
	}
	if strings.Contains(a.Wall.String(), "m=") {
		t.Error("the stamp carries Go's monotonic reading: it would not equal itself after JSON")
	}
}

// kernelSynced asks the kernel itself. It sees the one state in which the
// machine happens to be: a test that changed the clock's state would change it
// for everyone.
func kernelSynced(t *testing.T) bool {
	t.Helper()
	var tx unix.Timex // no mode is set: nothing is changed
	if _, err := unix.Adjtimex(&tx); err != nil {
		t.Fatal(err)
	}
	return tx.Status&unix.STA_UNSYNC == 0
}

func TestStampSaysWhetherTheKernelHoldsTheClockForSynchronised(t *testing.T) {
	c, err := NewSystem()
	if err != nil {
		t.Fatal(err)
	}
	// A time daemon may change it between two readings, but not each time.
	for range 3 {
		if c.Now().Synced == kernelSynced(t) {
			return
		}
	}
	t.Error("the stamp and the kernel disagree about the clock")
}

// The kernel stamps GPIO edges with CLOCK_MONOTONIC: another clock would put
// presses hours away.
func TestTheClockIsTheOneOfTheEdges(t *testing.T) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		t.Fatal(err)
	}
	if d := Monotonic() - time.Duration(ts.Nano()); d < 0 || d > time.Minute {
		t.Errorf("the clock is %v away from CLOCK_MONOTONIC", d)
	}
	var s alert.Stamp
	if d := (alert.Stamp{Mono: Monotonic()}).Since(s); d <= 0 {
		t.Errorf("%v since boot", d)
	}
}
