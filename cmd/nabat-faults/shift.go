package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// shiftedClock lets a scenario set the wall clock of one program. No test may
// set the clock of the machine that it runs on, and the kernel offers no wall
// clock of its own to a process; so the program is built with a time.Now that
// adds what a file says. The monotonic clock stays the kernel's own, as it does
// when a time service steps a real clock. What this leaves unproven: the
// kernel's own stepping.
func shiftedClock() []change {
	return append(pretendedSync(),
		change{file: "cmd/nabat/a_shift.go", replacement: hookWall},
		change{
			file: "$GOROOT/src/time/time.go", old: "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n",
			replacement: "var shift int64\n\n// Shift moves the wall clock by seconds.\nfunc Shift(seconds int64) { shift = seconds }\n\nfunc Now() Time {\n\tsec, nsec, mono := runtimeNow()\n\tsec += shift\n",
		},
	)
}

// pretendedSync lets a scenario say whether the kernel holds its clock for
// synchronised, and which boot this is.
func pretendedSync() []change {
	return []change{
		{
			file: "gateway/clock/clock.go", old: "func synced() bool {\n",
			replacement: "// Pretend is what the file of the scenario says.\nvar Pretend *bool\n\nfunc synced() bool {\n\tif Pretend != nil {\n\t\treturn *Pretend\n\t}\n",
		},
		{
			file: "gateway/clock/clock.go", old: "	return &System{boot: strings.TrimSpace(string(b))}, nil\n",
			replacement: "	if id := os.Getenv(\"NABAT_FAULTS_BOOT\"); id != \"\" {\n\t\tb = []byte(id)\n\t}\n	return &System{boot: strings.TrimSpace(string(b))}, nil\n",
		},
		{file: "cmd/nabat/shift.go", replacement: shifter},
	}
}

// hookWall connects the two; its name makes it begin first.
const hookWall = `package main

import "time"

func init() { shiftWall = time.Shift }
`

const shifter = `package main

import (
	"fmt"
	"os"
	"time"

	"nabat/gateway/clock"
)

var shiftWall = func(int64) {}

func init() {
	path := os.Getenv("NABAT_FAULTS_CLOCK")
	if path == "" {
		return
	}
	read := func() {
		b, _ := os.ReadFile(path)
		var seconds int64
		var synced bool
		if n, _ := fmt.Sscan(string(b), &seconds, &synced); n == 2 {
			shiftWall(seconds)
			clock.Pretend = &synced
		}
	}
	read()
	go func() {
		for range time.Tick(20 * time.Millisecond) {
			read()
		}
	}()
}
`

// setClock moves the gateway's wall clock away from the true time, and says
// whether its kernel holds it for synchronised.
func (g *gateway) setClock(shift time.Duration, synced bool) error {
	path := filepath.Join(g.dir, "clock")
	g.env = []string{"NABAT_FAULTS_CLOCK=" + path, "NABAT_FAULTS_BOOT=" + g.boot}
	text := fmt.Sprintf("%d %v\n", int64(shift/time.Second), synced)
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		return fmt.Errorf("set the clock: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("set the clock: %w", err)
	}
	return nil
}

// clockIs waits until the running gateway has seen its new clock.
func (g *gateway) clockIs(ctx context.Context, shift time.Duration, synced bool) error {
	return g.w.until(ctx, "the gateway sees its new clock", func() (bool, error) {
		s, err := g.client.Status(ctx)
		if err != nil {
			return false, err
		}
		off := s.Clock.Now.Sub(time.Now().Add(shift))
		return s.Clock.Synced == synced && off.Abs() < time.Minute, nil
	})
}

// since1970 is how far a clock is behind that begins at 1970 when it boots.
func since1970() time.Duration { return -time.Since(time.Unix(0, 0)) }
