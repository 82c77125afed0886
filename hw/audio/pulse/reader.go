package pulse

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"strconv"

	"github.com/jfreymuth/pulse/proto"
)

// maxString is the longest string that the library reads.
const maxString = 1000

// reader walks over the values of a frame as the library does, to see whether
// they are what it expects. It keeps nothing of them.
type reader struct {
	p   []byte
	at  int
	bad bool
}

func (r *reader) skip(n int) {
	if n < 0 || n > len(r.p)-r.at {
		r.bad = true
		return
	}
	r.at += n
}

func (r *reader) tag() byte {
	if r.bad || r.at >= len(r.p) {
		r.bad = true
		return 0
	}
	r.at++
	return r.p[r.at-1]
}

func (r *reader) expect(tag byte) {
	if r.tag() != tag {
		r.bad = true
	}
}

func (r *reader) number() int {
	from := r.at
	if r.skip(4); r.bad {
		return 0
	}
	return int(binary.BigEndian.Uint32(r.p[from:]))
}

func (r *reader) text() {
	end := -1
	if !r.bad {
		end = bytes.IndexByte(r.p[r.at:], 0)
	}
	if end < 0 || end > maxString {
		r.bad = true
		return
	}
	r.at += end + 1
}

// values walks over the fields of a struct of the library that the version has.
func (r *reader) values(shape reflect.Type, version int) {
	for i := range shape.NumField() {
		field := shape.Field(i)
		if !present(string(field.Tag), version) {
			continue
		}
		if r.value(field.Type, version); r.bad {
			return
		}
	}
}

// present reads the library's tags: "13" is a field since that version, "<15"
// one before it.
func present(tag string, version int) bool {
	if before, ok := cutLess(tag); ok {
		return version < before
	}
	since, err := strconv.Atoi(tag)
	return err != nil || since <= version
}

func cutLess(tag string) (int, bool) {
	if tag == "" || tag[0] != '<' {
		return 0, false
	}
	before, err := strconv.Atoi(tag[1:])
	return before, err == nil
}

func (r *reader) value(shape reflect.Type, version int) {
	switch shape {
	case reflect.TypeFor[proto.Volume]():
		r.fixed('V', 4)
	case reflect.TypeFor[proto.Microseconds]():
		r.fixed('U', 8)
	case reflect.TypeFor[proto.Time]():
		r.fixed('T', 8)
	case reflect.TypeFor[proto.SampleSpec]():
		r.fixed('a', 6)
	case reflect.TypeFor[proto.FormatInfo]():
		r.expect('f')
		r.format()
	case reflect.TypeFor[[]proto.FormatInfo]():
		r.expect('B')
		for range r.tag() {
			r.expect('f')
			r.format()
		}
	case reflect.TypeFor[proto.ChannelVolumes]():
		r.expect('v')
		r.skip(4 * int(r.tag()))
	case reflect.TypeFor[proto.PropList]():
		r.expect('P')
		r.properties()
	default:
		r.plain(shape, version)
	}
}

// plain walks over a value that Go has a kind for.
func (r *reader) plain(shape reflect.Type, version int) {
	kind := shape.Kind()
	if kind == reflect.Slice {
		r.list(shape.Elem(), version)
		return
	}
	if kind == reflect.String {
		if t := r.tag(); t == 't' {
			r.text()
		} else if t != 'N' {
			r.bad = true
		}
		return
	}
	if kind == reflect.Bool {
		if t := r.tag(); t != '0' && t != '1' {
			r.bad = true
		}
		return
	}
	for _, number := range [...]struct {
		kind  reflect.Kind
		tag   byte
		bytes int
	}{{reflect.Uint32, 'L', 4}, {reflect.Uint8, 'B', 1}, {reflect.Uint64, 'R', 8}, {reflect.Int64, 'r', 8}} {
		if number.kind == kind {
			r.fixed(number.tag, number.bytes)
			return
		}
	}
	r.bad = true // the library's structs have no others
}

// list walks over a channel map, which is bytes, or over structs.
func (r *reader) list(element reflect.Type, version int) {
	if element.Kind() == reflect.Uint8 {
		r.expect('m')
		r.skip(int(r.tag()))
		return
	}
	r.expect('L')
	// An element has a byte at least, so that a count says nothing that the frame
	// has no room for.
	count := r.number()
	if count > len(r.p)-r.at {
		r.bad = true
	}
	for range count {
		if r.bad {
			return
		}
		r.values(element, version)
	}
}

func (r *reader) fixed(tag byte, bytes int) {
	r.expect(tag)
	r.skip(bytes)
}

func (r *reader) format() {
	r.fixed('B', 1)
	r.expect('P')
	r.properties()
}

func (r *reader) properties() {
	for !r.bad {
		switch r.tag() {
		case 'N':
			return
		case 't':
			r.text()
			r.expect('L')
			size := r.number()
			r.expect('x')
			if r.number() != size {
				r.bad = true
			}
			r.skip(size)
		default:
			r.bad = true
		}
	}
}
