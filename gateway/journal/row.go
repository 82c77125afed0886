package journal

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"time"

	"nabat/gateway/alert"
)

// Lane is one of the two ways out of the journal. Each has its own table and
// its own cursors, so that an alarm never waits behind a backlog.
type Lane uint8

const (
	// Alarm carries what people wait for.
	Alarm Lane = iota
	// Routine carries everything else.
	Routine
)

// lanes is how many lanes there are.
const lanes = 2

// Lanes returns both lanes, the urgent one first.
func Lanes() []Lane { return []Lane{Alarm, Routine} }

// LaneOf returns the lane that events of type t travel in.
func LaneOf(t alert.Type) Lane {
	if t.Urgent() {
		return Alarm
	}
	return Routine
}

// String returns the lane's name, which is also its table's.
func (l Lane) String() string {
	switch l {
	case Alarm:
		return "alarm"
	case Routine:
		return "routine"
	}
	return fmt.Sprintf("lane(%d)", uint8(l))
}

// MarshalText writes the lane's name.
func (l Lane) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Row is one committed event as it stands in the journal. It is a value; Data
// is shared and must not be changed.
type Row struct {
	Lane Lane
	// Pos is the place in the lane. It orders the rows of one database and
	// says nothing outside of it.
	Pos int64
	// Ref is the identity of the event for ever.
	Ref     alert.Ref
	Type    alert.Type
	Subject string
	At      alert.Stamp
	// Data is the JSON of the alert.Event.
	Data []byte

	book uint32 // the database that Pos belongs to
}

// Event decodes the row into the event that was appended.
func (r Row) Event() (alert.Event, error) {
	var e alert.Event
	if err := json.Unmarshal(r.Data, &e); err != nil {
		return alert.Event{}, fmt.Errorf("decode journal row %s-%d: %w", r.Ref.Epoch, r.Ref.Seq, err)
	}
	e.Type, e.Subject, e.At = r.Type, r.Subject, r.At
	return e, nil
}

// newRow encodes an event. Pos and Ref are given at the commit.
func newRow(e alert.Event) (Row, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return Row{}, fmt.Errorf("encode %s event: %w", e.Type, err)
	}
	if len(data) > maxData {
		return Row{}, fmt.Errorf("%s event of %d bytes, the limit is %d: %w", e.Type, len(data), maxData, ErrTooLarge)
	}
	return Row{Lane: LaneOf(e.Type), Type: e.Type, Subject: e.Subject, At: e.At, Data: data}, nil
}

// maxData bounds the data of one row, in bytes. A real event has about 600.
const maxData = 256 << 10

// checksum covers every field, each with its length, so that neither a
// flipped bit nor a row in the wrong place goes unseen.
func (r Row) checksum() uint32 {
	var a [192]byte
	b := a[:0]
	b = binary.BigEndian.AppendUint64(b, uint64(r.Pos))
	b = append(b, byte(r.Lane))
	b = appendText(b, r.Ref.Epoch)
	b = binary.BigEndian.AppendUint64(b, r.Ref.Seq)
	b = appendText(b, string(r.Type))
	b = appendText(b, r.Subject)
	b = binary.BigEndian.AppendUint64(b, uint64(wallNanos(r.At.Wall)))
	b = appendText(b, r.At.Boot)
	b = binary.BigEndian.AppendUint64(b, uint64(r.At.Mono))
	b = append(b, byte(bit(r.At.Synced)))
	return crc32.Update(crc32c(b), crc32.MakeTable(crc32.Castagnoli), r.Data)
}

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func crc32c(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// wallNanos and wallTime carry a time through an integer column; zero stays zero.
func wallNanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func wallTime(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// columns is what every query for rows selects, in the order of raw.
const columns = "pos, epoch, seq, type, subject, wall_ns, boot, mono_ns, synced, data, crc"

// raw is a row as the columns hold it, before anything was believed.
type raw struct {
	pos, seq, wall, mono, synced, crc int64
	epoch, kind, subject, boot        string
	data                              []byte
}

// scanner is what *sql.Row and *sql.Rows share.
type scanner interface{ Scan(dest ...any) error }

func (w *raw) scan(s scanner) error {
	return s.Scan(&w.pos, &w.epoch, &w.seq, &w.kind, &w.subject, &w.wall, &w.boot, &w.mono, &w.synced, &w.data, &w.crc)
}

// scanLoose takes what it can from a row whose columns have wrong types.
func (w *raw) scanLoose(s scanner) error {
	var v [11]any
	if err := s.Scan(&v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7], &v[8], &v[9], &v[10]); err != nil {
		return err
	}
	number := func(x any) int64 { n, _ := x.(int64); return n }
	text := func(x any) string { t, _ := x.(string); return t }
	*w = raw{pos: number(v[0]), epoch: text(v[1]), seq: number(v[2]), kind: text(v[3]), subject: text(v[4]), crc: -1}
	w.data, _ = v[9].([]byte)
	return nil
}

// row checks the checksum and makes a Row of the columns.
func (w *raw) row(l Lane) (Row, error) {
	r := Row{
		Lane: l, Pos: w.pos, Ref: alert.Ref{Epoch: w.epoch, Seq: uint64(w.seq)},
		Type: alert.Type(w.kind), Subject: w.subject,
		At:   alert.Stamp{Wall: wallTime(w.wall), Boot: w.boot, Mono: time.Duration(w.mono), Synced: w.synced == 1},
		Data: w.data,
	}
	if sum := r.checksum(); w.synced&^1 != 0 || int64(sum) != w.crc {
		return r, fmt.Errorf("%s row %d: checksum is %08x, stored %08x: %w", l, w.pos, sum, w.crc, errBadRow)
	}
	return r, nil
}
