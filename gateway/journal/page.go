package journal

import (
	"encoding/binary"
	"math"
)

// This file reads rows out of raw database pages, for files whose trees are
// broken. It believes nothing but a row's own checksum. The format is SQLite's
// published file format, sections 1.5 (pages), 1.6 (overflow), 2.1 (records).

// leafTable marks a page that holds rows of a table.
const leafTable = 0x0d

// pageRows calls found for every row on the page that its checksum confirms.
// head is how many bytes of the page precede its header (100 on page 1).
// overflow returns another page by its number, or nil.
func pageRows(page []byte, head int, overflow func(uint32) []byte, found func(Row)) {
	if len(page) < 512 || head+8 > len(page) || page[head] != leafTable {
		return
	}
	cells := int(binary.BigEndian.Uint16(page[head+3:]))
	for i := range cells {
		at := head + 8 + 2*i
		if at+2 > len(page) {
			return
		}
		start := int(binary.BigEndian.Uint16(page[at:]))
		if start < at || start >= len(page) {
			continue
		}
		payload, rowid, ok := cell(page, start, overflow)
		if !ok {
			continue
		}
		w, ok := record(payload)
		if !ok {
			continue
		}
		w.pos = rowid
		for _, l := range Lanes() {
			if r, err := w.row(l); err == nil {
				found(r)
			}
		}
	}
}

// cell returns the payload of the cell that starts at start.
func cell(page []byte, start int, overflow func(uint32) []byte) (payload []byte, rowid int64, ok bool) {
	b := page[start:]
	size, n := varint(b)
	if n == 0 || size > maxData+4096 {
		return nil, 0, false
	}
	id, m := varint(b[n:])
	if m == 0 {
		return nil, 0, false
	}
	b = b[n+m:]
	usable := len(page)
	local := int(size)
	if limit := usable - 35; local > limit {
		least := (usable-12)*32/255 - 23
		local = least + (int(size)-least)%(usable-4)
		if local > limit {
			local = least
		}
		if local+4 > len(b) {
			return nil, 0, false
		}
		payload = append(make([]byte, 0, size), b[:local]...)
		next := binary.BigEndian.Uint32(b[local:])
		for len(payload) < int(size) {
			p := overflow(next)
			if len(p) != len(page) {
				return nil, 0, false
			}
			next = binary.BigEndian.Uint32(p)
			payload = append(payload, p[4:min(len(p), 4+int(size)-len(payload))]...)
		}
		return payload, int64(id), true
	}
	if local > len(b) {
		return nil, 0, false
	}
	return b[:local], int64(id), true
}

// record decodes a payload of the columns of a lane. The first column is the
// row's key, which the record leaves empty.
func record(b []byte) (w raw, ok bool) {
	size, n := varint(b)
	if n == 0 || size > uint64(len(b)) {
		return w, false
	}
	types, body := b[n:max(int(size), n)], b[size:]
	var ints [11]int64
	var bytes [11][]byte
	for i := range 11 {
		t, n := varint(types)
		if n == 0 {
			return w, false
		}
		types = types[n:]
		width, isInt := serialWidth(t)
		if width > len(body) {
			return w, false
		}
		switch {
		case isInt && t == 9:
			ints[i] = 1
		case isInt:
			ints[i] = bigEndian(body[:width])
		default:
			bytes[i] = body[:width]
		}
		body = body[width:]
	}
	w = raw{
		epoch: string(bytes[1]), seq: ints[2], kind: string(bytes[3]), subject: string(bytes[4]), wall: ints[5],
		boot: string(bytes[6]), mono: ints[7], synced: ints[8], data: append([]byte{}, bytes[9]...), crc: ints[10],
	}
	return w, len(types) == 0
}

// serialWidth returns how many bytes a value takes, and whether it is an
// integer. Floating point and reserved types do not occur in a lane; their
// width makes the record fail.
func serialWidth(t uint64) (width int, isInt bool) {
	switch {
	case t == 0 || t == 8 || t == 9:
		return 0, true
	case t <= 4:
		return int(t), true
	case t == 5:
		return 6, true
	case t == 6:
		return 8, true
	case t < 12 || t > 2*maxData+13+8192:
		return math.MaxInt, false
	default:
		return int((t - 12) / 2), false
	}
}

// bigEndian reads a signed integer of up to eight bytes.
func bigEndian(b []byte) int64 {
	var v int64
	for i, x := range b {
		if i == 0 {
			v = int64(int8(x))
			continue
		}
		v = v<<8 | int64(x)
	}
	return v
}

// varint reads SQLite's variable-length integer; n is 0 when b ends too early.
func varint(b []byte) (v uint64, n int) {
	for i, x := range b[:min(len(b), 9)] {
		if i == 8 {
			return v<<8 | uint64(x), 9
		}
		v = v<<7 | uint64(x&0x7f)
		if x < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}
