package event

import (
	"encoding/json"
	"fmt"
	"time"

	"nabat/gateway/health"
)

// MaxStatusBytes is the size above which DecodeStatus refuses unread.
const MaxStatusBytes = 64 << 10

const (
	maxConditions = 64
	maxDetail     = 300
)

// Status is the retained document about a gateway: its birth, its heartbeat
// and, with Online false, its will. The far end decides by Online and by the
// age of the last one.
type Status struct {
	Online bool `json:"online"`
	// Session is new for every connection.
	Session string `json:"session"`
	// Epoch and LastSeq are the journal's; LastSeq is the highest committed.
	Epoch   string `json:"epoch,omitempty"`
	LastSeq uint64 `json:"last_seq,omitempty"`
	// QueueDepth counts the events that wait for this link.
	QueueDepth uint64 `json:"queue_depth"`
	// OldestAgeSeconds is the age of the oldest of them; zero when none waits.
	OldestAgeSeconds int64              `json:"oldest_age_seconds"`
	Conditions       []health.Condition `json:"conditions"`
	Clock            Clock              `json:"clock,omitzero"`
	// Counter is the highest counter of a command that the gateway has taken
	// or seen; dispatch goes on above it.
	Counter uint64 `json:"command_counter,omitempty"`
	// Challenge is the gateway's fresh word that a command may answer in place
	// of an expiry time, while the gateway's clock is not synchronised.
	Challenge string `json:"challenge,omitempty"`
}

// Clock is what the gateway knows about time.
type Clock struct {
	Wall   time.Time `json:"wall,omitzero"`
	Synced bool      `json:"synced"`
	Boot   string    `json:"boot,omitempty"`
	// Mono is CLOCK_MONOTONIC in nanoseconds since boot, at the same moment as
	// Wall.
	Mono time.Duration `json:"monotonic_ns,omitempty"`
}

// Will returns the document that the broker publishes when the session ends
// without a farewell. It is fixed when the connection begins, so it says
// nothing that could be stale.
func (s Status) Will() Status {
	return Status{Session: s.Session, Epoch: s.Epoch}
}

// Encode returns the wire form. Long lists and details are cut to bounds, so
// that a gateway with many faults can still say that it lives.
func (s Status) Encode() ([]byte, error) {
	list := make([]health.Condition, 0, min(len(s.Conditions), maxConditions))
	for _, c := range s.Conditions[:min(len(s.Conditions), maxConditions)] {
		if r := []rune(c.Detail); len(r) > maxDetail {
			c.Detail = string(r[:maxDetail]) + "…"
		}
		list = append(list, c)
	}
	s.Conditions = list
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode status: %w", err)
	}
	return b, nil
}

// DecodeStatus reads a status document. Members that it does not know are
// allowed, so that an older far end reads a newer gateway.
func DecodeStatus(b []byte) (Status, error) {
	if len(b) > MaxStatusBytes {
		return Status{}, fmt.Errorf("status of %d bytes, at most %d are allowed: %w", len(b), MaxStatusBytes, ErrMalformed)
	}
	var s Status
	if err := json.Unmarshal(b, &s); err != nil {
		return Status{}, fmt.Errorf("status: %w: %w", err, ErrMalformed)
	}
	return s, nil
}
