package powercut

import (
	"errors"
	"fmt"
	"strings"
)

// Promises are what a program under test said on its console: which records
// it called durable, and which it found after a start. It reads the lines
// "ACK run n", "FOUND run n" (1 to n are there), "VERIFIED" and "DAMAGED why".
type Promises struct {
	// Acked holds the highest acknowledged record of each run.
	Acked map[string]int
	// Found holds the highest record of each run that the last verification found.
	Found map[string]int
	// Verified counts verifications that ended well.
	Verified int
	// Faults are damages that the program reported and promises that it broke.
	Faults []error
}

// NewPromises returns promises with nothing said yet.
func NewPromises() *Promises {
	return &Promises{Acked: make(map[string]int), Found: make(map[string]int)}
}

// ErrBroken is wrapped by every fault: a record that was promised is not there,
// or what is there is not whole.
var ErrBroken = errors.New("the journal broke its promise")

// Line reads one line of the console. It returns the number of an
// acknowledgement, and 0 for every other line.
func (p *Promises) Line(text string) (acked int) {
	var run string
	var n int
	if _, err := fmt.Sscanf(text, "ACK %s %d", &run, &n); err == nil {
		p.Acked[run] = max(p.Acked[run], n)
		return n
	}
	if _, err := fmt.Sscanf(text, "FOUND %s %d", &run, &n); err == nil {
		p.Found[run] = n
		return 0
	}
	switch word, rest, _ := strings.Cut(text, " "); word {
	case "VERIFIED":
		p.Verified++
		for run, n := range p.Acked {
			if p.Found[run] < n {
				p.fault("run %s: %d was acknowledged, %d is the last one there", run, n, p.Found[run])
			}
		}
	case "DAMAGED":
		p.fault("%s", rest)
	}
	return 0
}

func (p *Promises) fault(format string, args ...any) {
	p.Faults = append(p.Faults, fmt.Errorf("%w: "+format, append([]any{ErrBroken}, args...)...))
}
