package guest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestArchiveIsReadByTheSameToolsAsDebiansOwn(t *testing.T) {
	source := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(source, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	err := writeArchive(&b, []Entry{Program(source, "program"), Text("/etc/deep/file", "abc"), Text("/etc/deep/empty", "")})
	if err != nil {
		t.Fatal(err)
	}
	bb, err := Find(busybox)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bb, "cpio", "-t", "-v")
	cmd.Stdin = &b
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"bin/program", "etc/deep/file", "etc/deep/empty", "dev/console"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the archive lacks %s:\n%s", want, out)
		}
	}
}

func TestArchiveNamesTheFileThatIsMissing(t *testing.T) {
	err := writeArchive(&bytes.Buffer{}, []Entry{Program("/nowhere/tool", "tool")})
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "/bin/tool") {
		t.Fatalf("got %v", err)
	}
}

func TestModulesLoadAfterWhatTheyNeed(t *testing.T) {
	k := &Kit{needs: parseNeeds([]byte("configfs: \ngpio_sim: configfs\next4: jbd2 crc16\njbd2:\ncrc16:\n"))}
	got, err := k.loadOrder([]string{"ext4", "gpio_sim", "jbd2"})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"jbd2", "crc16", "ext4", "configfs", "gpio_sim"}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	if _, err := k.loadOrder([]string{"snd_aloop"}); err == nil || !strings.Contains(err.Error(), "snd_aloop") {
		t.Fatalf("an unknown module gave %v", err)
	}
	k = &Kit{needs: parseNeeds([]byte("a: b\nb: a\n"))}
	if _, err := k.loadOrder([]string{"a"}); err == nil {
		t.Fatal("modules that need each other were accepted")
	}
}

func TestExitStatusIsReadBehindKernelMessages(t *testing.T) {
	for text, want := range map[string]int{
		"NABAT-GUEST-EXIT 0": 0, "[    3.1] clocksource: x NABAT-GUEST-EXIT 7": 7,
		"NABAT-GUEST-EXIT": -1, "NABAT-GUEST-EXIT x": -1, "ordinary words": -1,
	} {
		got, ok := exitStatus(text)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}

func TestMissingProgramSaysHowToInstallIt(t *testing.T) {
	_, err := Find("qemu-nowhere-static")
	if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "apt-get install") {
		t.Fatalf("got %v", err)
	}
}

func FuzzParseLDD(f *testing.F) {
	f.Add("\tlinux-vdso.so.1 (0x1)\n\tlibc.so.6 => /lib/libc.so.6 (0x2)\n\t/lib64/ld-linux-x86-64.so.2 (0x3)\n")
	f.Add("\tlibgone.so => not found\n")
	f.Fuzz(func(t *testing.T, out string) {
		files, err := parseLDD(out)
		if err != nil && len(files) > 0 {
			t.Fatal("an error and a result at once")
		}
		for _, file := range files {
			if !strings.HasPrefix(file, "/") || strings.Contains(file, " ") {
				t.Fatalf("not a file: %q", file)
			}
		}
	})
}

func TestLDDOutput(t *testing.T) {
	got, err := parseLDD("\tlinux-vdso.so.1 (0x1)\n\tlibc.so.6 => /lib/libc.so.6 (0x2)\n\t/lib64/ld-linux-x86-64.so.2 (0x3)\n")
	if want := []string{"/lib/libc.so.6", "/lib64/ld-linux-x86-64.so.2"}; err != nil || !slices.Equal(got, want) {
		t.Fatalf("got %v, %v", got, err)
	}
	if _, err := parseLDD("\tlibgone.so => not found\n"); !errors.Is(err, ErrMissing) {
		t.Fatalf("a missing library gave %v", err)
	}
}
