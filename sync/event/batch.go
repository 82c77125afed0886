package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
)

// Media types of the central service.
const (
	// BatchType is CloudEvents' own name for a JSON array of events.
	BatchType = "application/cloudevents-batch+json"
	// JSONType is everything else that is not an event.
	JSONType = "application/json"
)

// Bounds of one batch.
const (
	// MaxBatchBytes is the size above which DecodeBatch refuses unread; of a
	// compressed request it is the size after decompression.
	MaxBatchBytes = 8 << 20
	// MaxBatch is how many events one batch may hold.
	MaxBatch = 2000
)

// AppendBatch appends rows as one batch to dst and returns the extended slice.
// Each event has the same bytes as on every other link.
func AppendBatch(dst []byte, source string, rows []journal.Row) []byte {
	dst = append(dst, '[')
	for i, row := range rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = Append(dst, source, row)
	}
	return append(dst, ']')
}

// DecodeBatch cuts a batch into its events, which Decode then reads one by one,
// so that one bad event does not spoil the others.
func DecodeBatch(b []byte) ([]json.RawMessage, error) {
	if len(b) > MaxBatchBytes {
		return nil, fmt.Errorf("batch of %d bytes, at most %d are allowed: %w", len(b), MaxBatchBytes, ErrMalformed)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return nil, fmt.Errorf("batch of %d bytes is not a JSON array: %w", len(b), ErrMalformed)
	}
	var list []json.RawMessage
	for dec.More() {
		if len(list) == MaxBatch {
			return nil, fmt.Errorf("more than %d events in a batch: %w", MaxBatch, ErrMalformed)
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, fmt.Errorf("event %d of a batch: %w: %w", len(list)+1, err, ErrMalformed)
		}
		list = append(list, raw)
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("end of a batch: %w: %w", err, ErrMalformed)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("more after the batch: %w", ErrMalformed)
	}
	return list, nil
}

// Reply is the central service's answer to a batch: what it has stored for good
// of the batch's epoch, and which events it will never take.
type Reply struct {
	Epoch string `json:"epoch"`
	// Received is the high-water mark: every event up to it is stored.
	Received uint64 `json:"received"`
	// Above lists single events beyond the mark that are stored, ascending. It
	// holds at least those of the batch.
	Above []uint64 `json:"above,omitempty"`
	// Rejected are the events of the batch that were not stored and never will
	// be. It is never null on the wire.
	Rejected []Rejection `json:"rejected"`
}

// Rejection is one event that the central service refuses for good.
type Rejection struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// Has reports whether the reply says that ref is stored.
func (r Reply) Has(ref alert.Ref) bool {
	if ref.Epoch != r.Epoch {
		return false
	}
	if ref.Seq <= r.Received {
		return true
	}
	for _, n := range r.Above {
		if n == ref.Seq {
			return true
		}
	}
	return false
}

// maxReplyBytes is the size above which ParseReply refuses unread.
const maxReplyBytes = 1 << 20

// ParseReply reads a reply strictly, like ParseReceipt: whatever answers 200
// without being the central service (the log-in page of a foreign network) must
// not count as delivery.
func ParseReply(b []byte) (Reply, error) {
	r, err := parseReply(b)
	if err != nil {
		return Reply{}, fmt.Errorf("reply of %d bytes: %w: %w", len(b), err, ErrMalformed)
	}
	return r, nil
}

func parseReply(b []byte) (Reply, error) {
	if len(b) > maxReplyBytes {
		return Reply{}, fmt.Errorf("larger than %d bytes", maxReplyBytes)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var w struct {
		Epoch    *string     `json:"epoch"`
		Received *uint64     `json:"received"`
		Above    []uint64    `json:"above"`
		Rejected []Rejection `json:"rejected"`
	}
	if err := dec.Decode(&w); err != nil {
		return Reply{}, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Reply{}, errors.New("more after the reply")
	}
	if w.Epoch == nil || w.Received == nil || w.Rejected == nil {
		return Reply{}, errors.New("epoch, received and rejected are needed")
	}
	if err := CheckID(*w.Epoch); err != nil {
		return Reply{}, fmt.Errorf("epoch: %w", err)
	}
	last := *w.Received
	for _, n := range w.Above {
		if n <= last {
			return Reply{}, errors.New("numbers above the mark must ascend from it")
		}
		last = n
	}
	return Reply{Epoch: *w.Epoch, Received: *w.Received, Above: w.Above, Rejected: w.Rejected}, nil
}
