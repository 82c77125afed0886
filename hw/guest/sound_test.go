//go:build guest

package guest

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// configOfALSA is what alsa-lib reads before it opens a device.
const configOfALSA = "/usr/share/alsa"

// recorder returns aplay and arecord, with all that they need.
func recorder(t *testing.T) []Entry {
	t.Helper()
	files, err := WithLibraries(t.Context(), "aplay")
	if err != nil {
		t.Fatal(err)
	}
	arecord, err := Find("arecord")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, Program(arecord, "arecord"), Entry{Path: configOfALSA + "/alsa.conf", Source: configOfALSA + "/alsa.conf"})
	// Not alsa.conf.d: what is there belongs to plugins that the guest does not have.
	for _, dir := range []string{"cards", "ctl", "pcm"} {
		err := filepath.WalkDir(filepath.Join(configOfALSA, dir), func(file string, e fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(file, ".conf") {
				files = append(files, Entry{Path: file, Source: file})
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// TestSoundOverTheKernelsCard runs the driver of sound cards, and the real
// gateway with a loudspeaker and an amplifier's relay, in a guest whose kernel
// has a sound card that can be listened to.
func TestSoundOverTheKernelsCard(t *testing.T) {
	kit, err := Prepare(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	nabat, tests := filepath.Join(dir, "nabat"), filepath.Join(dir, "sound")
	if err := (Target{}).Build(t.Context(), nabat, "./cmd/nabat"); err != nil {
		t.Fatal(err)
	}
	if err := (Target{}).BuildTest(t.Context(), tests, "./hw/guest/sound", "inguest"); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
	defer stop()
	passed := 0
	err = kit.Boot(ctx, Job{
		Modules:   []string{"gpio_sim", "snd_aloop"},
		Files:     append(recorder(t), Program(nabat, "nabat"), Program(tests, "sound"), Text("/etc/group", "root:x:0:\naudio:x:29:\n")), // alsa-lib's mixer looks its group up
		MemoryMiB: 512,
		Script:    "sound -test.v -test.timeout 20m " + os.Getenv("NABAT_SOUND_ARGS"),
		// The guest's clock is its own work, and stands still while this machine does
		// something else: a sound that runs dry here is our fault and nobody else's.
		QEMU: []string{"-icount", "shift=2,sleep=off"},
	}, func(line string) {
		t.Log(line)
		if strings.HasPrefix(line, "--- PASS: ") {
			passed++
		}
	})
	if err != nil {
		t.Error(err)
	}
	if passed != 11 && os.Getenv("NABAT_SOUND_ARGS") == "" {
		t.Errorf("%d tests passed in the guest, want 11", passed)
	}
}
