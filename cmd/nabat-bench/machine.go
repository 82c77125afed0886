package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// machine is what the figures were measured on. It names no host and no
// person.
type machine struct {
	cpu, memory, kernel, golang, disk, broker, browser string
	cores                                              int
	loadAtStart, loadAtEnd                             string
}

func thisMachine(dir string) machine {
	m := machine{
		cpu: field("/proc/cpuinfo", "model name"), cores: runtime.NumCPU(),
		golang: strings.TrimPrefix(runtime.Version(), "go") + " " + runtime.GOOS + "/" + runtime.GOARCH,
		disk:   diskOf(dir), loadAtStart: load(),
		broker: firstLine("mosquitto", "-h"), browser: firstLine("chromium", "--version"),
	}
	if m.cpu == "" {
		m.cpu = field("/proc/cpuinfo", "Model") // boards say it there
	}
	if kb, err := strconv.Atoi(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB")); err == nil {
		m.memory = fmt.Sprintf("%.1f GiB", float64(kb)/(1<<20))
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
	}
	return m
}

// field returns the value of the first "name : value" line of a file in /proc.
func field(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for l := range strings.SplitSeq(string(text), "\n") {
		if k, v, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

// firstLine asks a program what it is. Some answer and fail; a missing one is
// named by the figure that needs it.
func firstLine(program, arg string) string {
	out, _ := exec.Command(program, arg).Output() //nolint:noctx // both print and end
	l, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(l)
}

// diskOf says what lies below a folder: file system, device, and whether the
// device says that its cache is write-back, in which case a sync is what costs.
func diskOf(dir string) string {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "unknown"
	}
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "unknown"
	}
	best, found := "", []string(nil)
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		f := strings.Fields(s.Text())
		if len(f) < 10 || !within(dir, f[4]) || len(f[4]) < len(best) {
			continue
		}
		best, found = f[4], f
	}
	if found == nil {
		return "unknown"
	}
	fs := "unknown"
	for i, w := range found {
		if w == "-" && i+2 < len(found) {
			fs = fmt.Sprintf("%s on %s (%s)", found[i+1], found[i+2], found[5])
		}
	}
	block := "/sys/dev/block/" + found[2]
	for _, q := range []string{block + "/queue/", block + "/../queue/"} {
		if cache, err := os.ReadFile(q + "write_cache"); err == nil {
			fs += ", cache: " + strings.TrimSpace(string(cache))
			break
		}
	}
	return fs
}

func within(dir, mount string) bool {
	rel, err := filepath.Rel(mount, dir)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}
