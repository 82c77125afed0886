package powercut

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// stream is a connection whose client has said all that it will say.
type stream struct {
	io.Reader
	io.Writer
}

func hello(option uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, flagFixed|flagNoZeroes)
	b = binary.BigEndian.AppendUint64(b, nbdOptionMagic)
	b = binary.BigEndian.AppendUint32(b, option)
	return binary.BigEndian.AppendUint32(b, 0)
}

func ask(kind, flags uint16, off uint64, length uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, requestMagic)
	b = binary.BigEndian.AppendUint16(b, flags)
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint64(b, 77)
	b = binary.BigEndian.AppendUint64(b, off)
	return binary.BigEndian.AppendUint32(b, length)
}

func TestServerKeepsAWholeWriteAndForgetsAHalfOne(t *testing.T) {
	disk := NewDisk(make([]byte, 8*sector))
	said := append(hello(optGo), ask(cmdWrite, 0, 0, 4)...)
	said = append(said, "abcd"...)
	said = append(said, ask(cmdWrite, 0, 0, 4)...)
	said = append(said, "xy"...)
	err := disk.serve(stream{bytes.NewReader(said), io.Discard})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("got %v", err)
	}
	got := make([]byte, 4)
	if err := disk.ReadAt(got, 0); err != nil || string(got) != "abcd" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestServerRefusesBytesOutsideOfTheDisk(t *testing.T) {
	disk := NewDisk(make([]byte, 8*sector))
	var answers bytes.Buffer
	said := append(hello(optExportName), ask(cmdRead, 0, 1<<62, 512)...)
	said = append(said, ask(cmdDisc, 0, 0, 0)...)
	if err := disk.serve(stream{bytes.NewReader(said), &answers}); !errors.Is(err, io.EOF) {
		t.Fatalf("got %v", err)
	}
	tail := answers.Bytes()[answers.Len()-16:]
	if binary.BigEndian.Uint32(tail) != simpleMagic || binary.BigEndian.Uint32(tail[4:]) != einval {
		t.Fatalf("got % x", tail)
	}
}

func TestServeOneEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	if err := NewDisk(make([]byte, sector)).ServeOne(ctx, l); err != nil {
		t.Fatal(err)
	}
}

func FuzzServe(f *testing.F) {
	f.Add(append(hello(optGo), ask(cmdRead, 0, 0, 512)...))
	f.Add(append(hello(optExportName), ask(cmdFlush, 0, 0, 0)...))
	f.Add(append(hello(optInfo), hello(optAbort)[4:]...))
	f.Fuzz(func(t *testing.T, said []byte) {
		disk := NewDisk(make([]byte, 8*sector))
		if err := disk.serve(stream{bytes.NewReader(said), io.Discard}); err == nil {
			t.Fatal("a client that said all it had to say was served on")
		}
	})
}
