package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return Event{}, errors.New("not a JSON object")
	}
	var d draft
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return Event{}, err
		}
		name, ok := t.(string)
		if !ok {
			return Event{}, errors.New("an attribute without a name")
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return Event{}, fmt.Errorf("attribute %.32q: %w", name, err)
		}
		if err := d.set(name, raw); err != nil {
			return Event{}, fmt.Errorf("attribute %.32q: %w", name, err)
		}
	}
	if _, err := dec.Token(); err != nil {
		return Event{}, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Event{}, errors.New("more after the event")
	}
	return d.event()
}

// draft is an event whose attributes have been read one by one.
type draft struct {
	text   map[string]string
	seen   map[string]bool
	synced bool
	data   json.RawMessage
}

func (d *draft) set(name string, raw json.RawMessage) error {
	if d.text == nil {
		d.text = make(map[string]string, 12)
		d.seen = make(map[string]bool, 14)
	}
	if d.seen[name] {
		return errors.New("occurs twice")
	}
	if len(d.seen) >= 64 {
		return errors.New("too many attributes")
	}
	d.seen[name] = true
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
	case "specversion", "id", "source", "type", "subject", "time", "datacontenttype",
		"epoch", "sequence", "bootid", "monotonic":
		var s string
		if len(raw) == 0 || raw[0] != '"' {
			return errors.New("want a string")
		}
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		if s == "" || len(s) > maxText {
			return fmt.Errorf("has %d bytes, want 1 to %d", len(s), maxText)
		}
		d.text[name] = s
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
	for _, name := range []string{"specversion", "id", "source", "type", "epoch", "sequence"} {
		if _, ok := d.text[name]; !ok {
			return Event{}, fmt.Errorf("attribute %q is missing", name)
		}
	}
	if v := d.text["specversion"]; v != "1.0" {
		return Event{}, fmt.Errorf("specversion %.32q, want 1.0", v)
	}
	if ct, ok := d.text["datacontenttype"]; ok && ct != "application/json" {
		return Event{}, fmt.Errorf("datacontenttype %.64q, want application/json", ct)
	}
	e := Event{
		Source:  d.text["source"],
		Type:    alert.Type(d.text["type"]),
		Subject: d.text["subject"],
		At:      alert.Stamp{Boot: d.text["bootid"], Synced: d.synced},
		Data:    d.data,
	}
	if !strings.HasPrefix(string(e.Type), "nabat.") || CheckID(e.Type.Short()) != nil {
		return Event{}, fmt.Errorf("type %.64q is not one of Nabat's", e.Type)
	}
	seq := d.text["sequence"]
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil || len(seq) != seqDigits {
		return Event{}, fmt.Errorf("sequence %.32q, want %d digits", seq, seqDigits)
	}
	e.Ref = alert.Ref{Epoch: d.text["epoch"], Seq: n}
	if err := CheckID(e.Ref.Epoch); err != nil {
		return Event{}, fmt.Errorf("epoch: %w", err)
	}
	if e.ID() != d.text["id"] {
		return Event{}, fmt.Errorf("id %.64q does not agree with epoch and sequence", d.text["id"])
	}
	if s, ok := d.text["time"]; ok {
		if e.At.Wall, err = time.Parse(time.RFC3339Nano, s); err != nil {
			return Event{}, fmt.Errorf("time %.64q: %w", s, err)
		}
		e.At.Wall = e.At.Wall.UTC()
	}
	if s, ok := d.text["monotonic"]; ok {
		ns, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return Event{}, fmt.Errorf("monotonic %.64q, want nanoseconds", s)
		}
		e.At.Mono = time.Duration(ns)
	}
	return e, nil
}
