package alsa

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"
)

// What aplay can mean; it has no other way to say so than its words.
var (
	errNoDevice = errors.New("no such device")
	errBusy     = errors.New("device busy")
	errShape    = errors.New("rate or channels refused")
	errDenied   = errors.New("permission denied")
	errOther    = errors.New("failed")
)

// lineBytes bounds a line that is kept, and a line that never ends.
const lineBytes = 200

// notes reads what aplay says: it notices that the device was opened, counts
// underruns, and keeps the first complaint. It is written by one goroutine and
// read by any.
type notes struct {
	underruns *atomic.Uint64
	opened    chan struct{} // closed at the first sign of an open device

	mu      sync.Mutex
	line    []byte // the unfinished line, bounded
	isOpen  bool
	library string // the first complaint of the ALSA library
	program string // the first complaint of aplay itself
	meaning error
}

func newNotes(underruns *atomic.Uint64) *notes {
	return &notes{underruns: underruns, opened: make(chan struct{})}
}

// Write takes what aplay says.
func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	size := len(p)
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		part := p
		if end >= 0 {
			part, p = p[:end], p[end+1:]
		} else {
			p = nil
		}
		n.line = append(n.line, part[:min(len(part), lineBytes-len(n.line))]...)
		if end >= 0 {
			n.take(string(n.line))
			n.line = n.line[:0]
		}
	}
	return size, nil
}

// take notes one line. The caller holds mu.
func (n *notes) take(line string) {
	line = strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(line, " ")))
	switch {
	case line == "":
	case strings.HasPrefix(line, "Playing raw data"):
		if !n.isOpen {
			n.isOpen = true
			close(n.opened)
		}
	case strings.Contains(line, "underrun!!!"):
		n.underruns.Add(1)
	case strings.HasPrefix(line, "ALSA lib"):
		if n.library == "" {
			n.library = line
		}
	case strings.Contains(line, "rror") || strings.Contains(line, "aplay:"):
		if n.program == "" {
			n.program, n.meaning = line, meaning(line)
		}
	}
}

func meaning(line string) error {
	for _, sign := range []struct {
		words string
		means error
	}{
		{"No such file or directory", errNoDevice},
		{"No such device", errNoDevice},
		// What the kernel answers about a card that was unplugged under its player.
		{"File descriptor in bad state", errNoDevice},
		{"Unknown PCM", errNoDevice},
		{"Device or resource busy", errBusy},
		{"non available", errShape},
		{"not available", errShape},
		{"Permission denied", errDenied},
		{"Operation not permitted", errDenied},
	} {
		if strings.Contains(line, sign.words) {
			return sign.means
		}
	}
	return errOther
}

// why is what the complaint means; nil when there was none.
func (n *notes) why() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.meaning
}

// or is the complaint: of aplay if it had one, else of the library.
func (n *notes) or(none string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.program == "" && n.library == "" && len(n.line) > 0 {
		n.take(string(n.line))
	}
	switch {
	case n.program != "":
		return n.program
	case n.library != "":
		return n.library
	}
	return none
}
