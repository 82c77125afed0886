package event

import (
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"nabat/gateway/journal"
)

// Source returns the CloudEvents source of a gateway, a URI reference in which
// the ids are percent-encoded: "/sites/S/gateways/G".
func Source(site, gateway string) string {
	return "/sites/" + url.PathEscape(site) + "/gateways/" + url.PathEscape(gateway)
}

// seqDigits is the fixed width of the sequence attribute: as many digits as
// the highest 64-bit number has, so that text order is number order.
const seqDigits = 20

// Append appends the CloudEvents form of row to dst and returns the extended
// slice, as the append function does. The row's data goes out verbatim: the
// journal wrote it as JSON and guards it with a checksum. Append may be called
// from any goroutine; it keeps neither dst nor row.
func Append(dst []byte, source string, row journal.Row) []byte {
	dst = append(dst, `{"specversion":"1.0","id":"`...)
	dst = appendEscaped(dst, row.Ref.Epoch)
	dst = append(dst, '-')
	dst = strconv.AppendUint(dst, row.Ref.Seq, 10)
	dst = append(dst, `","source":"`...)
	dst = appendEscaped(dst, source)
	dst = append(dst, `","type":"`...)
	dst = appendEscaped(dst, string(row.Type))
	if row.Subject != "" {
		dst = append(dst, `","subject":"`...)
		dst = appendEscaped(dst, row.Subject)
	}
	if !row.At.Wall.IsZero() {
		dst = append(dst, `","time":"`...)
		dst = appendTime(dst, row.At.Wall)
	}
	dst = append(dst, `","datacontenttype":"application/json","epoch":"`...)
	dst = appendEscaped(dst, row.Ref.Epoch)
	dst = append(dst, `","sequence":"`...)
	dst = appendPadded(dst, row.Ref.Seq)
	dst = append(dst, `","clocksynced":`...)
	dst = strconv.AppendBool(dst, row.At.Synced)
	if row.At.Boot != "" {
		dst = append(dst, `,"bootid":"`...)
		dst = appendEscaped(dst, row.At.Boot)
		// A string, because a CloudEvents integer has 32 bits only.
		dst = append(dst, `","monotonic":"`...)
		dst = strconv.AppendInt(dst, int64(row.At.Mono), 10)
		dst = append(dst, '"')
	}
	if len(row.Data) > 0 {
		dst = append(dst, `,"data":`...)
		dst = append(dst, row.Data...)
	}
	return append(dst, '}')
}

// appendTime writes RFC 3339 in UTC. time.Time refuses years outside
// 0000-9999 only in MarshalJSON; a clock that is so wrong is clamped here so
// that the event still leaves.
func appendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	switch y := t.Year(); {
	case y < 0:
		t = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	case y > 9999:
		t = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	}
	return t.AppendFormat(dst, time.RFC3339Nano)
}

func appendPadded(dst []byte, n uint64) []byte {
	var digits [seqDigits]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = byte('0' + n%10)
		n /= 10
	}
	return append(dst, digits[:]...)
}

// appendEscaped appends s as the inside of a JSON string. Bytes that are no
// UTF-8 become U+FFFD, as encoding/json does it.
func appendEscaped(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			if c == '"' || c == '\\' {
				dst = append(dst, '\\', c)
			} else {
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\ufffd"...)
			i++
			start = i
			continue
		}
		i += size
	}
	return append(dst, s[start:]...)
}
