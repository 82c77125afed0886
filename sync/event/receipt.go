package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// MaxReceiptBytes is the size above which ParseReceipt refuses unread.
const MaxReceiptBytes = 16 << 10

// maxAbove bounds the list of single events above the high-water mark.
const maxAbove = 512

// Receipt is what dispatch's application says that it has stored for good:
// every event of Epoch up to Through, and those listed in Above.
type Receipt struct {
	Epoch   string
	Through uint64
	// Above is in ascending order, without repetition, all above Through.
	Above []uint64
}

type wireReceipt struct {
	Epoch    *string  `json:"epoch"`
	Sequence *uint64  `json:"sequence"`
	Above    []uint64 `json:"above,omitempty"`
}

// ParseReceipt reads a receipt strictly: an unknown member, a missing one or a
// list out of order is an error, because a misread receipt would show a
// comfortable lie on the lamp.
func ParseReceipt(b []byte) (Receipt, error) {
	r, err := parseReceipt(b)
	if err != nil {
		return Receipt{}, fmt.Errorf("receipt of %d bytes: %w: %w", len(b), err, ErrMalformed)
	}
	return r, nil
}

func parseReceipt(b []byte) (Receipt, error) {
	if len(b) > MaxReceiptBytes {
		return Receipt{}, fmt.Errorf("larger than %d bytes", MaxReceiptBytes)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var w wireReceipt
	if err := dec.Decode(&w); err != nil {
		return Receipt{}, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Receipt{}, errors.New("more after the receipt")
	}
	if w.Epoch == nil || w.Sequence == nil {
		return Receipt{}, errors.New("epoch and sequence are needed")
	}
	if err := CheckID(*w.Epoch); err != nil {
		return Receipt{}, fmt.Errorf("epoch: %w", err)
	}
	if len(w.Above) > maxAbove {
		return Receipt{}, fmt.Errorf("%d numbers above the mark, at most %d are allowed", len(w.Above), maxAbove)
	}
	last := *w.Sequence
	for _, n := range w.Above {
		if n <= last {
			return Receipt{}, errors.New("numbers above the mark must ascend from it")
		}
		last = n
	}
	return Receipt{Epoch: *w.Epoch, Through: *w.Sequence, Above: w.Above}, nil
}

// Encode returns the wire form. Of a list that is too long for the other end
// the lowest numbers go out; the next receipt carries the rest.
func (r Receipt) Encode() []byte {
	above := r.Above
	if len(above) > maxAbove {
		above = above[:maxAbove]
	}
	// Strings and numbers cannot fail to marshal.
	b, _ := json.Marshal(wireReceipt{Epoch: &r.Epoch, Sequence: &r.Through, Above: above})
	return b
}

// Merge joins two receipts of the same epoch into one that says what both say.
func (r Receipt) Merge(o Receipt) Receipt {
	m := Receipt{Epoch: r.Epoch, Through: max(r.Through, o.Through)}
	all := append(slices.Clone(r.Above), o.Above...)
	slices.Sort(all)
	for _, n := range slices.Compact(all) {
		switch {
		case n <= m.Through:
		case n == m.Through+1:
			m.Through = n
		case len(m.Above) < maxAbove:
			m.Above = append(m.Above, n)
		}
	}
	return m
}
