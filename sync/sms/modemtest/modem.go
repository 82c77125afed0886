// Package modemtest is a GSM modem on a pseudo terminal, for tests: it speaks
// the AT commands that messages need, in PDU mode, and misbehaves when asked.
package modemtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"
)

// Reply is what the modem does with one part of a message that it was given.
// The zero Reply takes it.
type Reply struct {
	// Code refuses it with "+CMS ERROR: Code".
	Code int
	// Silent takes it and never answers.
	Silent bool
	// Garbage takes it and answers with noise around the "OK".
	Garbage bool
	// Unplug takes it, and the cable is pulled before the answer.
	Unplug bool
}

// Settings are what a test may change while the modem runs.
type Settings struct {
	// Deaf makes the modem swallow every command.
	Deaf bool
	// NoSIM, PIN and PUK are the state of the card: missing, locked by that PIN,
	// or locked for good.
	NoSIM, PUK bool
	PIN        string
	// Network is the state of +CREG: 1 at home, 2 searching, 3 denied.
	Network int
	// LTE is the state of +CEREG; 0 makes the modem not know the command.
	LTE int
	// Signal is the value of +CSQ.
	Signal int
	// NoPrompt keeps back the prompt for a message.
	NoPrompt bool
	// Submit, where it is set, decides about each part, and may block.
	Submit func(part Part) Reply
}

// Part is one part of a message as the network would get it.
type Part struct {
	Number string
	// Of is how many parts the message has, Index is this one's place from 1, and
	// Ref is what they have in common.
	Of, Index, Ref int
	PDU            string
}

// Message is a message whose parts have all come.
type Message struct {
	Number, Text string
	Parts        int
}

// Modem is a modem and its cable. Its methods may be called from any goroutine.
type Modem struct {
	t      testing.TB
	link   string
	served sync.WaitGroup

	mu       sync.Mutex // guards the fields below
	settings Settings
	master   *os.File
	slave    *os.File
	pins     []string
	taken    []taken
	commands []string
	changed  chan struct{}
}

// New returns a modem that is plugged in and registered. It is unplugged when
// the test ends.
func New(t testing.TB) *Modem {
	t.Helper()
	m := &Modem{
		t: t, link: filepath.Join(t.TempDir(), "modem"),
		settings: Settings{Network: 1, Signal: 20}, changed: make(chan struct{}),
	}
	m.Plug()
	t.Cleanup(func() {
		m.Unplug()
		m.served.Wait()
	})
	return m
}

// Device is the modem's path, the same after it was plugged in anew.
func (m *Modem) Device() string { return m.link }

// Set changes the settings.
func (m *Modem) Set(change func(*Settings)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.settings)
}

// Plug puts the cable in.
func (m *Modem) Plug() {
	m.t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		m.t.Fatal(err)
	}
	m.mu.Lock()
	m.master, m.slave = master, slave
	m.mu.Unlock()
	if err := os.Symlink(slave.Name(), m.link); err != nil {
		m.t.Fatal(err)
	}
	m.served.Go(func() { m.serve(master) })
}

// Unplug pulls the cable out.
func (m *Modem) Unplug() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unplugLocked()
}

func (m *Modem) unplugLocked() {
	if m.master == nil {
		return
	}
	err := errors.Join(os.Remove(m.link), m.slave.Close(), m.master.Close())
	if err != nil {
		m.t.Error(err)
	}
	m.master, m.slave = nil, nil
	m.wakeLocked()
}

// PINs returns every PIN that was tried.
func (m *Modem) PINs() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.pins...)
}

// Commands returns every command line that came.
func (m *Modem) Commands() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.commands...)
}

// Changed returns a channel that is closed at the next command or message.
func (m *Modem) Changed() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

func (m *Modem) wakeLocked() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// serve answers until the cable is pulled.
func (m *Modem) serve(line *os.File) {
	in := bufio.NewReader(line)
	for {
		text, err := in.ReadString('\r')
		if err != nil {
			return
		}
		text = strings.Trim(text, "\x00\x1b\r\n ")
		if text == "" {
			continue
		}
		m.mu.Lock()
		m.commands = append(m.commands, text)
		s := m.settings
		m.wakeLocked()
		m.mu.Unlock()
		command, ok := strings.CutPrefix(text, "AT")
		if !ok || s.Deaf {
			continue
		}
		if size, ok := strings.CutPrefix(command, "+CMGS="); ok {
			if !m.submit(line, in, s, size) {
				return
			}
			continue
		}
		if _, err := io.WriteString(line, "\r\n"+m.answer(command, s)+"\r\n"); err != nil {
			return
		}
	}
}

// answer answers a command other than a message.
func (m *Modem) answer(command string, s Settings) string {
	if pin, ok := strings.CutPrefix(command, "+CPIN="); ok {
		return m.tryPIN(strings.Trim(pin, `"`))
	}
	switch command {
	case "Z", "E0", "+CMEE=1", "+CMGF=0":
		return "OK"
	case "+CPIN?":
		switch {
		case s.NoSIM:
			return "+CME ERROR: 10"
		case s.PUK:
			return "+CPIN: SIM PUK\r\n\r\nOK"
		case s.PIN != "":
			return "+CPIN: SIM PIN\r\n\r\nOK"
		}
		return "+CPIN: READY\r\n\r\nOK"
	case "+CREG?":
		return fmt.Sprintf("+CREG: 0,%d\r\n\r\nOK", s.Network)
	case "+CEREG?":
		if s.LTE > 0 {
			return fmt.Sprintf("+CEREG: 0,%d\r\n\r\nOK", s.LTE)
		}
	case "+CSQ":
		return fmt.Sprintf("+CSQ: %d,0\r\n\r\nOK", s.Signal)
	}
	return "ERROR"
}

func (m *Modem) tryPIN(pin string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pins = append(m.pins, pin)
	if pin != m.settings.PIN {
		return "+CME ERROR: 16"
	}
	m.settings.PIN = ""
	return "OK"
}

// submit takes one part of a message; it returns false when the cable is out.
func (m *Modem) submit(line *os.File, in *bufio.Reader, s Settings, size string) bool {
	if s.NoPrompt {
		return true
	}
	if _, err := io.WriteString(line, "\r\n> "); err != nil {
		return false
	}
	text, err := in.ReadString(0x1a)
	if err != nil {
		return false
	}
	n, err := strconv.Atoi(size)
	if err != nil {
		m.t.Errorf("AT+CMGS=%s: %v", size, err)
	}
	part, tp, err := decode(strings.Trim(text, "\x1a\r\n "), n)
	if err != nil {
		m.t.Errorf("a part that no network would take: %v", err)
		return true
	}
	var r Reply
	if s.Submit != nil {
		r = s.Submit(part)
	}
	m.mu.Lock()
	if r.Code == 0 {
		m.taken = append(m.taken, taken{part, tp})
	}
	count := len(m.taken)
	if r.Unplug {
		m.unplugLocked()
	}
	m.wakeLocked()
	m.mu.Unlock()
	reply := fmt.Sprintf("\r\n+CMGS: %d\r\n\r\nOK\r\n", count%256)
	switch {
	case r.Unplug:
		return false
	case r.Silent:
		return true
	case r.Code != 0:
		reply = fmt.Sprintf("\r\n+CMS ERROR: %d\r\n", r.Code)
	case r.Garbage:
		reply = "\r\n\xff\xfe\x00+CMG\r\n^RSSI: 20\r\n+CMTI: \"SM\",3\r\n\r\nOK\r\n"
	}
	_, err = io.WriteString(line, reply)
	return err == nil
}
