package command

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// maxDone is how many commands that were carried out are remembered, and
// maxDetail how many bytes of why one could not be.
const (
	maxDone   = 256
	maxDetail = 120
	maxState  = 256 << 10
)

// errDamaged is wrapped by every error about what a state file says.
var errDamaged = errors.New("damaged")

// state is what the gate must not forget. It is replaced, never edited.
type state struct {
	Version int `json:"version"`
	// Counter is the highest that was used up.
	Counter uint64 `json:"counter"`
	// Doubt says that higher counters may have been used up: until a command
	// that is surely new has raised it, the counter proves nothing.
	Doubt bool `json:"doubt,omitempty"`
	Ring  ring `json:"ring"`
	// Done holds the newest commands that were carried out, the newest last.
	Done []done `json:"done,omitempty"`
}

type done struct {
	ID      string  `json:"id"`
	Outcome Outcome `json:"outcome,omitzero"`
}

const stateVersion = 1

// before returns how a command ended.
func (s state) before(id string) *Outcome {
	for _, d := range slices.Backward(s.Done) {
		if d.ID == id {
			return &d.Outcome
		}
	}
	return nil
}

func (s state) withDone(id string, o Outcome) state {
	if len(o.Detail) > maxDetail {
		o.Detail = string(bytes.ToValidUTF8([]byte(o.Detail[:maxDetail]), nil)) + "…"
	}
	list := append(slices.Clone(s.Done), done{ID: id, Outcome: o})
	s.Done = list[max(0, len(list)-maxDone):]
	return s
}

// encode puts a checksum in front: a card that flips a bit must not lower the
// counter or trust another key.
func (s state) encode() ([]byte, error) {
	s.Version = stateVersion
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode the state of commands: %w", err)
	}
	sum := sha256.Sum256(b)
	return append(append([]byte(hex.EncodeToString(sum[:])), '\n'), append(b, '\n')...), nil
}

func decodeState(b []byte) (state, error) {
	head, body, ok := bytes.Cut(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
	sum := sha256.Sum256(body)
	if !ok || string(head) != hex.EncodeToString(sum[:]) {
		return state{}, fmt.Errorf("the checksum is wrong: %w", errDamaged)
	}
	var s state
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return state{}, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if err := s.Ring.check(); err != nil {
		return state{}, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if s.Version != stateVersion || s.Counter > MaxCounter || len(s.Done) > maxDone {
		return state{}, fmt.Errorf("version %d, counter %d, %d commands: %w", s.Version, s.Counter, len(s.Done), errDamaged)
	}
	return s, nil
}
