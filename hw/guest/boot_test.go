//go:build guest

package guest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestGuestBootsAndReportsItsScriptsStatus(t *testing.T) {
	kit, err := Prepare(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var lines []string
	err = kit.Boot(ctx, Job{
		Modules: []string{"gpio_sim", "ext4", "virtio_blk"},
		Files:   []Entry{Text("/etc/word", "набат\n")},
		Script:  "cat /etc/word; ls -d /sys/kernel/config/gpio-sim; cat /proc/uptime; exit 7",
	}, func(s string) { t.Log(s); lines = append(lines, s) })
	exit, ok := errors.AsType[*ExitError](err)
	if !ok || exit.Status != 7 {
		t.Fatalf("got %v, want exit status 7", err)
	}
	all := strings.Join(lines, "\n")
	for _, want := range []string{"набат", "/sys/kernel/config/gpio-sim"} {
		if !strings.Contains(all, want) {
			t.Errorf("the console lacks %q", want)
		}
	}
}

func TestGuestThatPanicsIsAnError(t *testing.T) {
	kit, err := Prepare(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	err = kit.Boot(ctx, Job{Script: "echo c > /proc/sysrq-trigger"}, func(s string) { t.Log(s) })
	if !errors.Is(err, ErrNoEnd) {
		t.Fatalf("got %v, want ErrNoEnd", err)
	}
}
