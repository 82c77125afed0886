package supervise

import (
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Systemd returns what to put into Options when systemd may have started this
// process: how to notify it (which does nothing where there is no
// NOTIFY_SOCKET), and how often it expects a sign of life.
func Systemd() (notify func(state string) error, watchdog time.Duration, err error) {
	watchdog, err = daemon.SdWatchdogEnabled(false)
	if err != nil {
		return nil, 0, fmt.Errorf("read the watchdog's settings from the environment (WATCHDOG_USEC, WATCHDOG_PID): %w", err)
	}
	notify = func(state string) error {
		if _, err := daemon.SdNotify(false, state); err != nil {
			return fmt.Errorf("notify systemd: %w", err)
		}
		return nil
	}
	return notify, watchdog, nil
}
