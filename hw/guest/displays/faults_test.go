//go:build inguest

package displays

import (
	"errors"
	"fmt"
	"image"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nabat/gateway/alert"
	"nabat/hw/guest/buslog"
)

// must is for what the bench does, not for what is tested.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lit reports whether a display shows something.
func (b *bench) lit(id string) bool {
	img := b.shows(id)
	return slices.Min(img.Pix) != slices.Max(img.Pix)
}

func (b *bench) awaitLit(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		await(t, id+" shows something", func() bool { return b.lit(id) }, func() any { return b.wrong })
	}
}

// awaitChange acts, and waits until displays show something else.
func (b *bench) awaitChange(t *testing.T, act func(), ids ...string) {
	t.Helper()
	before := make(map[string]*image.Gray)
	for _, id := range ids {
		before[id] = b.shows(id)
	}
	begin := time.Now()
	act()
	for _, id := range ids {
		await(t, id+" shows the alarm", func() bool { return !same(b.shows(id), before[id]) }, func() any { return b.wrong })
		t.Logf("%s shows the alarm after %s", id, time.Since(begin).Round(time.Millisecond))
	}
}

// A display that is not there at the start, is plugged in, unplugged with its
// power, and plugged in again.
func TestAbsentPresentVanishingAndBack(t *testing.T) {
	b := newBench(t)
	must(t, buslog.OfI2C.Silence(oledAddress))
	h := open(t, alert.Kazakh, "lcd", "matrix", "oled", "paper")
	h.awaitLost(t, "absent", "oled")
	b.awaitLit(t, "lcd", "matrix", "paper")
	must(t, buslog.OfI2C.Silence(0))
	h.awaitLost(t, "present")
	b.awaitLit(t, "oled")

	must(t, buslog.OfI2C.Silence(lcdAddress))
	h.awaitLost(t, "vanished", "lcd")
	b.set(b.lcd.Cut)
	b.awaitChange(t, func() { h.press(alert.Fire, alert.Actual, "canteen") }, "matrix", "oled", "paper")
	must(t, buslog.OfI2C.Silence(0))
	h.awaitLost(t, "back")
	b.awaitLit(t, "lcd")
}

// A bus that hangs takes its displays with it, and no other; the calls that hang
// are not repeated while they do.
func TestABusThatHangs(t *testing.T) {
	b := newBench(t)
	h := open(t, alert.Russian, "lcd", "matrix", "oled", "paper")
	b.awaitLit(t, "lcd", "matrix", "oled", "paper")

	must(t, buslog.OfI2C.Hang(true))
	defer buslog.OfI2C.Hang(false)
	h.awaitLost(t, "the I2C bus hangs", "lcd", "oled")
	before := runtime.NumGoroutine()
	b.awaitChange(t, func() { h.press(alert.Fire, alert.Actual, "canteen") }, "matrix", "paper")
	<-time.After(6 * time.Second) // two more calls would have hung by now
	if n := runtime.NumGoroutine(); n > before+2 {
		t.Errorf("%d goroutines, %d before", n, before)
	}
	b.awaitChange(t, func() { must(t, buslog.OfI2C.Hang(false)) }, "lcd", "oled")
	h.awaitLost(t, "the I2C bus goes on")

	must(t, buslog.OfSPI.Hang(true))
	defer buslog.OfSPI.Hang(false)
	h.awaitLost(t, "the SPI port hangs", "matrix", "paper")
	b.awaitChange(t, func() { h.press(alert.Intruder, alert.Actual, "room") }, "lcd")
	must(t, buslog.OfSPI.Hang(false))
	h.awaitLost(t, "the SPI port goes on")
}

// A bus that reports errors, and one that is taken away, as an adapter on USB is.
func TestABusThatFailsOrGoes(t *testing.T) {
	b := newBench(t)
	h := open(t, alert.English, "lcd", "matrix", "oled", "paper")
	b.awaitLit(t, "lcd", "matrix", "oled", "paper")
	for _, c := range []struct {
		bus  buslog.Bus
		lost []string
	}{{buslog.OfI2C, []string{"lcd", "oled"}}, {buslog.OfSPI, []string{"matrix", "paper"}}} {
		must(t, c.bus.Fail(int(unix.EREMOTEIO)))
		h.awaitLost(t, fmt.Sprintf("%s fails", c.bus), c.lost...)
		must(t, c.bus.Fail(0))
		h.awaitLost(t, fmt.Sprintf("%s works", c.bus))

		must(t, c.bus.Remove())
		h.awaitLost(t, fmt.Sprintf("%s is taken away", c.bus), c.lost...)
		await(t, "the bus goes", func() bool { there, err := c.bus.Present(); return err == nil && !there }, func() any { return "a driver keeps it open" })
		must(t, c.bus.Insert())
		h.awaitLost(t, fmt.Sprintf("%s is back", c.bus))
	}
	b.awaitLit(t, "lcd", "matrix", "oled", "paper")
}

// Displays that lose their power for a moment, and nobody says so.
func TestPowerThatDips(t *testing.T) {
	b := newBench(t)
	h := open(t, alert.Kazakh, "lcd", "matrix", "oled")
	b.awaitLit(t, "lcd", "matrix", "oled")
	b.set(func() {
		b.oled.Cut()
		b.matrix.Cut()
		b.lcd.Cut()
	})
	b.awaitLit(t, "lcd", "matrix", "oled")
	if got := h.lost(); len(got) != 0 {
		t.Errorf("conditions %v", got)
	}
}

// An e-paper panel says only whether it is busy: one that never is, is not
// there; one that always is, hangs.
func TestAPanelThatIsDeadOrStuck(t *testing.T) {
	b := newBench(t)
	b.set(func() { b.dead = true })
	h := open(t, alert.Kazakh, "oled", "paper")
	h.awaitLost(t, "dead", "paper")
	b.set(func() { b.dead = false })
	h.awaitLost(t, "alive")
	b.awaitLit(t, "paper")
	b.set(func() { b.stuck = true })
	b.awaitChange(t, func() { h.press(alert.Fire, alert.Actual, "canteen") }, "oled")
	h.awaitLost(t, "stuck", "paper")
	b.awaitChange(t, func() { b.set(func() { b.stuck = false }) }, "paper")
	h.awaitLost(t, "free")
	if err := errors.Join(b.wrong); err != nil {
		t.Error(err)
	}
}
