//go:build inguest

package sound

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	periph "periph.io/x/conn/v3/gpio"

	"nabat/hw/gpio"
	"nabat/hw/guest/gpiosim"
)

// holdsLine says in which way this program is to be one that holds a line high
// until it is killed, empty when it is not: alone, or with an heir, a child that
// inherits the line.
func holdsLine() string { return os.Getenv("NABAT_TEST_LINE") }

func hold(how string) error {
	if _, err := gpio.OpenOutput(gpio.LineID{Chip: "lines", Offset: 0}, periph.High, "test"); err != nil {
		return err
	}
	child := 0
	if how == "heir" {
		files, err := filepath.Glob("/proc/self/fd/*")
		if err != nil {
			return err
		}
		for _, f := range files {
			if to, _ := os.Readlink(f); strings.Contains(to, "gpio-line") {
				var fd int
				if _, err := fmt.Sscan(filepath.Base(f), &fd); err != nil {
					return err
				}
				if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
					return err
				}
			}
		}
		cmd := exec.Command("sleep", "1000")
		if err := cmd.Start(); err != nil {
			return err
		}
		child = cmd.Process.Pid
	}
	fmt.Println(child)
	_, err := os.Stdin.Read(make([]byte, 1))
	return err
}

// TestALineIsGivenBackByTheKernel shows what a released line does, and that its
// level is what the tests of the relay think it is: it goes where it is pulled,
// and stays keyed while anybody holds it.
func TestALineIsGivenBackByTheKernel(t *testing.T) {
	for _, c := range []struct {
		name, how string
		pulledUp  bool
		stays     bool // it stays high when the program that drove it is dead
	}{
		{"a pull to the released level drops the relay", "alone", false, false},
		{"without one the relay stays", "alone", true, true},
		{"a child that inherited the line keeps it", "heir", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			chip, err := gpiosim.New("lines", 1)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := chip.Delete(); err != nil {
					t.Error(err)
				}
			}()
			if err := chip.Pull(0, c.pulledUp); err != nil {
				t.Fatal(err)
			}
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), "NABAT_TEST_LINE="+c.how)
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			said, err := bufio.NewReader(out).ReadString('\n')
			if high, err := chip.Value(0); err != nil || !high {
				t.Errorf("the line is not driven: %v; %s", err, said)
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
			_ = cmd.Wait() // it was killed
			var child int
			if _, e := fmt.Sscan(said, &child); err != nil || e != nil {
				t.Fatalf("the program said %q: %v", said, err)
			}
			if child > 0 {
				defer func() { _ = syscall.Kill(child, syscall.SIGKILL) }()
			}
			if high, err := chip.Value(0); err != nil || high != c.stays {
				t.Errorf("after kill -9 the line is high: %v, want %v; %v", high, c.stays, err)
			}
			if child == 0 {
				return
			}
			if err := syscall.Kill(child, syscall.SIGKILL); err != nil {
				t.Error(err)
			}
			await(t, "the line to drop with the last who held it", func() bool {
				high, err := chip.Value(0)
				return err == nil && !high
			})
		})
	}
}
