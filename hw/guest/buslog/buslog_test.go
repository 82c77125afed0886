package buslog

import (
	"bytes"
	"reflect"
	"testing"
)

func TestTransfersAreReadOneAfterAnother(t *testing.T) {
	log := []byte{'i', 0xff, 0x3c, 0, 2, 0, 0, 0, 7, 8, 's', 1, 0, 0, 1, 0, 0, 0, 9, 's', 0, 1, 0, 5, 0}
	list, rest, err := Parse(log)
	want := []Sent{{Address: 0x3c, Bytes: []byte{7, 8}}, {SPI: true, Level: true, Bytes: []byte{9}}}
	if err != nil || !reflect.DeepEqual(list, want) || !bytes.Equal(rest, log[len(log)-6:]) {
		t.Errorf("%+v, rest %v, %v", list, rest, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{'i', 0xff, 0x3c, 0, 2, 0, 0, 0, 7, 8})
	f.Add([]byte{'s', 1, 0, 0, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, log []byte) {
		list, rest, err := Parse(log)
		n := len(rest)
		for _, s := range list {
			n += head + len(s.Bytes)
		}
		if err == nil && n != len(log) {
			t.Errorf("%d of %d bytes", n, len(log))
		}
	})
}
