package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"nabat/gateway/alert"
)

// MaxBytes is the size above which Decode refuses an event unread.
const MaxBytes = 1 << 20

// maxText bounds every text attribute of an event, in bytes.
const maxText = 512

// ErrMalformed is wrapped by every error about bytes from the other end that
// are not what the contract says.
var ErrMalformed = errors.New("malformed message")

// Event is one event as the far end reads it.
type Event struct {
	Ref     alert.Ref
	Source  string
	Type    alert.Type
	Subject string
	At      alert.Stamp
	// Data is the event's data, valid JSON, or nil where there was none.
	Data json.RawMessage
}

// ID returns the CloudEvents id: epoch-sequence.
func (e Event) ID() string { return e.Ref.Epoch + "-" + strconv.FormatUint(e.Ref.Seq, 10) }

// Alert returns the event in the gateway's own words.
func (e Event) Alert() (alert.Event, error) {
	a := alert.Event{Type: e.Type, Subject: e.Subject, At: e.At}
	if e.Data == nil {
		return a, nil
	}
	if err := json.Unmarshal(e.Data, &a); err != nil {
		return alert.Event{}, fmt.Errorf("data of event %s: %w: %w", e.ID(), err, ErrMalformed)
	}
	return a, nil
}

// Decode reads one event and checks all that a receiver relies on: the
// version, the identity written twice in the same way, the lengths. Names are
// matched exactly and may occur once. Extension attributes that it does not
// know are allowed, as CloudEvents wants it, and dropped.
func Decode(b []byte) (Event, error) {
	e, err := decode(b)
	if err != nil {
		return Event{}, fmt.Errorf("decode event of %d bytes: %w: %w", len(b), err, ErrMalformed)
	}
	return e, nil
}

func decode(b []byte) (Event, error) {
	if len(b) > MaxBytes {
		return Event{}, fmt.Errorf("larger than %d bytes", MaxBytes)
	}
	if !utf8.Valid(b) {
		return Event{}, errors.New("not UTF-8")
	}
	var d draft
	if err := members(b, d.set); err != nil {
		return Event{}, err
	}
	return d.event()
}

// attribute is one of the text attributes that a receiver reads.
type attribute uint8

const (
	attrSpecVersion attribute = iota
	attrID
	attrSource
	attrType
	attrSubject
	attrTime
	attrContentType
	attrEpoch
	attrSequence
	attrBootID
	attrMonotonic
	attributes
)

// attributeOf returns the attribute of a name, or attributes for any other.
func attributeOf(name string) attribute {
	switch name {
	case "specversion":
		return attrSpecVersion
	case "id":
		return attrID
	case "source":
		return attrSource
	case "type":
		return attrType
	case "subject":
		return attrSubject
	case "time":
		return attrTime
	case "datacontenttype":
		return attrContentType
	case "epoch":
		return attrEpoch
	case "sequence":
		return attrSequence
	case "bootid":
		return attrBootID
	case "monotonic":
		return attrMonotonic
	}
	return attributes
}

// draft is an event whose attributes have been read one by one. An attribute
// that was not there is the empty text, which none may be.
type draft struct {
	text   [attributes]string
	seen   []string
	synced bool
	data   json.RawMessage
}

func (d *draft) set(name string, raw []byte) error {
	if d.seen == nil {
		d.seen = make([]string, 0, 16)
	}
	if slices.Contains(d.seen, name) {
		return errors.New("occurs twice")
	}
	if len(d.seen) >= 64 {
		return errors.New("too many attributes")
	}
	d.seen = append(d.seen, name)
	switch name {
	case "data":
		if string(raw) != "null" {
			d.data = bytes.Clone(raw)
		}
		return nil
	case "clocksynced":
		switch string(raw) {
		case "true":
			d.synced = true
		case "false":
		default:
			return errors.New("want true or false")
		}
		return nil
	}
	if a := attributeOf(name); a != attributes {
		if raw[0] != '"' {
			return errors.New("want a string")
		}
		s, err := text(raw)
		if err != nil {
			return err
		}
		if s == "" || len(s) > maxText {
			return fmt.Errorf("has %d bytes, want 1 to %d", len(s), maxText)
		}
		d.text[a] = s
		return nil
	}
	if !attributeName(name) {
		return errors.New("not a CloudEvents attribute name")
	}
	if raw[0] == '{' || raw[0] == '[' {
		return errors.New("an extension attribute must be a single value")
	}
	return nil
}

func attributeName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func (d *draft) event() (Event, error) {
	for _, name := range [...]string{"specversion", "id", "source", "type", "epoch", "sequence"} {
		if d.text[attributeOf(name)] == "" {
			return Event{}, fmt.Errorf("attribute %q is missing", name)
		}
	}
	if v := d.text[attrSpecVersion]; v != "1.0" {
		return Event{}, fmt.Errorf("specversion %.32q, want 1.0", v)
	}
	if ct := d.text[attrContentType]; ct != "" && ct != "application/json" {
		return Event{}, fmt.Errorf("datacontenttype %.64q, want application/json", ct)
	}
	e := Event{
		Source:  d.text[attrSource],
		Type:    alert.Type(d.text[attrType]),
		Subject: d.text[attrSubject],
		At:      alert.Stamp{Boot: d.text[attrBootID], Synced: d.synced},
		Data:    d.data,
	}
	if !strings.HasPrefix(string(e.Type), "nabat.") || CheckID(e.Type.Short()) != nil {
		return Event{}, fmt.Errorf("type %.64q is not one of Nabat's", e.Type)
	}
	seq := d.text[attrSequence]
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil || len(seq) != seqDigits {
		return Event{}, fmt.Errorf("sequence %.32q, want %d digits", seq, seqDigits)
	}
	e.Ref = alert.Ref{Epoch: d.text[attrEpoch], Seq: n}
	if err := CheckID(e.Ref.Epoch); err != nil {
		return Event{}, fmt.Errorf("epoch: %w", err)
	}
	if e.ID() != d.text[attrID] {
		return Event{}, fmt.Errorf("id %.64q does not agree with epoch and sequence", d.text[attrID])
	}
	if s := d.text[attrTime]; s != "" {
		if e.At.Wall, err = time.Parse(time.RFC3339Nano, s); err != nil {
			return Event{}, fmt.Errorf("time %.64q: %w", s, err)
		}
		e.At.Wall = e.At.Wall.UTC()
	}
	if s := d.text[attrMonotonic]; s != "" {
		ns, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return Event{}, fmt.Errorf("monotonic %.64q, want nanoseconds", s)
		}
		e.At.Mono = time.Duration(ns)
	}
	return e, nil
}
