// Package gpiosim operates the kernel's simulated GPIO chips (gpio-sim) from
// the side of the wall: it pulls lines up and down as contacts do, sees what
// outputs drive, and removes and re-creates chips. It runs inside a guest, as
// root, with configfs mounted.
package gpiosim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

const configfs = "/sys/kernel/config/gpio-sim"

// Chip is one simulated chip. It may be used from any goroutine.
type Chip struct {
	label string

	mu     sync.Mutex
	device string // "gpiochip0", and "" while the chip is removed
	sysfs  string
	pulls  map[int]*os.File
}

// New makes a chip with the given label and puts it into the machine. All
// lines are pulled down.
func New(label string, lines int) (*Chip, error) {
	if _, err := os.Stat(configfs); err != nil {
		return nil, fmt.Errorf("gpio-sim is not there (add gpio_sim to the guest's modules): %w", err)
	}
	c := &Chip{label: label}
	bank := c.config("bank0")
	if err := os.MkdirAll(bank, 0o755); err != nil {
		return nil, fmt.Errorf("make simulated chip %s: %w", label, err)
	}
	if err := write(filepath.Join(bank, "num_lines"), strconv.Itoa(lines)); err != nil {
		return nil, err
	}
	if err := write(filepath.Join(bank, "label"), label); err != nil {
		return nil, err
	}
	return c, c.Insert()
}

// Label is the chip's label, by which programs find it.
func (c *Chip) Label() string { return c.label }

// Present says whether the chip is in the machine.
func (c *Chip) Present() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.device != ""
}

// Insert puts the chip into the machine; inserting one that is there is an
// error of the kernel. Its number may differ from the last time, and all lines
// are pulled down again.
func (c *Chip) Insert() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := write(c.config("live"), "1"); err != nil {
		return err
	}
	platform, err := read(c.config("dev_name"))
	if err != nil {
		return err
	}
	device, err := read(c.config("bank0", "chip_name"))
	if err != nil {
		return err
	}
	c.device = device
	c.sysfs = filepath.Join("/sys/devices/platform", platform, device)
	c.pulls = make(map[int]*os.File)
	return nil
}

// Remove takes the chip out of the machine while programs hold its lines.
func (c *Chip) Remove() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget()
	return write(c.config("live"), "0")
}

// Delete removes the chip, if it is there, and its configuration.
func (c *Chip) Delete() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget()
	// Refused with EPERM when the chip was removed already, which is as good.
	_ = write(c.config("live"), "0")
	return errors.Join(os.Remove(c.config("bank0")), os.Remove(c.config()))
}

func (c *Chip) forget() {
	for _, f := range c.pulls {
		_ = f.Close() // its chip is about to go
	}
	c.pulls, c.device, c.sysfs = nil, "", ""
}

// Pull pulls the line up or down, as a contact between the line and its
// supply does. The kernel has stamped the edge when Pull returns.
func (c *Chip) Pull(offset int, up bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, ok := c.pulls[offset]
	if !ok {
		if c.pulls == nil {
			return fmt.Errorf("pull line %d of simulated chip %s: %w", offset, c.label, os.ErrNotExist)
		}
		var err error
		f, err = os.OpenFile(c.line(offset, "pull"), os.O_WRONLY, 0)
		if err != nil {
			return fmt.Errorf("pull line %d of simulated chip %s: %w", offset, c.label, err)
		}
		c.pulls[offset] = f
	}
	word := "pull-down"
	if up {
		word = "pull-up"
	}
	if _, err := f.WriteAt([]byte(word), 0); err != nil {
		return fmt.Errorf("pull line %d of simulated chip %s: %w", offset, c.label, err)
	}
	return nil
}

// Value reads the level that is on the line, whoever drives it.
func (c *Chip) Value(offset int) (high bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.device == "" {
		return false, fmt.Errorf("read line %d of simulated chip %s: %w", offset, c.label, os.ErrNotExist)
	}
	text, err := read(c.line(offset, "value"))
	return text == "1", err
}

func (c *Chip) config(parts ...string) string {
	return filepath.Join(append([]string{configfs, c.label}, parts...)...)
}

func (c *Chip) line(offset int, name string) string {
	return filepath.Join(c.sysfs, "sim_gpio"+strconv.Itoa(offset), name)
}

func write(file, text string) error {
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return fmt.Errorf("configure gpio-sim: %w", err)
	}
	return nil
}

func read(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("ask gpio-sim: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
