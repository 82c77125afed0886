package pulse

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"

	"github.com/jfreymuth/pulse/proto"

	"nabat/hw/audio"
)

// TestWhatIsNoSoundServerIsToldSo has a part of our own at the far end: no real
// server talks like this, and what does is found at a wrong address.
func TestWhatIsNoSoundServerIsToldSo(t *testing.T) {
	length := func(n uint32) []byte {
		head := make([]byte, headerBytes)
		binary.BigEndian.PutUint32(head, n)
		binary.BigEndian.PutUint32(head[4:], control)
		return head
	}
	for name, says := range map[string][]byte{
		"hangs up":                       nil,
		"speaks HTTP":                    []byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
		"announces four gigabytes":       length(0xFFFFFFFF),
		"announces nothing":              length(0),
		"ends in the middle":             length(100),
		"answers what nobody asked":      frame(proto.OpReply, 77, nil),
		"answers with a foreign value":   frame(proto.OpReply, 0, []byte{'t', 'x', 0}),
		"answers with too little":        frame(proto.OpReply, 0, []byte{'L', 0}),
		"names its error by no number":   frame(proto.OpError, 0, []byte{'t', 0, 0, 0, 0}),
		"asks for samples by no numbers": frame(proto.OpRequest, 0xFFFFFFFF, []byte{'P', 'N'}),
	} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "s")
			listener, err := net.Listen("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				if _, err := conn.Read(make([]byte, 1024)); err == nil {
					_, _ = conn.Write(says)
				}
			}()
			d := New(Options{Server: "unix:" + socket})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err = d.Check(within(t))
			runtime.ReadMemStats(&after)
			if taken := after.TotalAlloc - before.TotalAlloc; taken > 16<<20 {
				t.Errorf("%d MiB were taken for what it said", taken>>20)
			}
			if err == nil || errors.Is(err, audio.ErrAbsent) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v; want an error about what answers there", err)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			listener.Close()
			<-ended
		})
	}
}

// frame is a control frame.
func frame(operation, tag uint32, values []byte) []byte {
	p := make([]byte, headerBytes, headerBytes+prefixBytes+len(values))
	binary.BigEndian.PutUint32(p, uint32(prefixBytes+len(values)))
	binary.BigEndian.PutUint32(p[4:], control)
	p = append(p, 'L')
	p = binary.BigEndian.AppendUint32(p, operation)
	p = append(p, 'L')
	p = binary.BigEndian.AppendUint32(p, tag)
	return append(p, values...)
}

// least encodes the smallest values that a struct of the library has.
func least(shape reflect.Type) []byte {
	var p []byte
	for i := range shape.NumField() {
		field := shape.Field(i)
		if !present(string(field.Tag), 32) {
			continue
		}
		switch field.Type {
		case reflect.TypeFor[proto.Volume]():
			p = append(p, 'V', 0, 1, 0, 0)
		case reflect.TypeFor[proto.Microseconds]():
			p = append(p, 'U', 0, 0, 0, 0, 0, 0, 1, 0)
		case reflect.TypeFor[proto.Time]():
			p = append(p, 'T', 0, 0, 0, 1, 0, 0, 0, 2)
		case reflect.TypeFor[proto.SampleSpec]():
			p = append(p, 'a', 3, 1, 0, 0, 0x5d, 0xc0)
		case reflect.TypeFor[proto.FormatInfo]():
			p = append(p, 'f', 'B', 1, 'P', 'N')
		case reflect.TypeFor[[]proto.FormatInfo]():
			p = append(p, 'B', 1, 'f', 'B', 1, 'P', 't', 'k', 0, 'L', 0, 0, 0, 1, 'x', 0, 0, 0, 1, 'v', 'N')
		case reflect.TypeFor[proto.ChannelVolumes]():
			p = append(p, 'v', 1, 0, 1, 0, 0)
		case reflect.TypeFor[proto.PropList]():
			p = append(p, 'P', 'N')
		default:
			kind := field.Type.Kind()
			if kind == reflect.Slice && field.Type.Elem().Kind() == reflect.Uint8 {
				p = append(p, 'm', 1, 0)
				continue
			}
			if kind == reflect.Slice {
				p = append(p, 'L', 0, 0, 0, 1)
				p = append(p, least(field.Type.Elem())...)
				continue
			}
			p = append(p, map[reflect.Kind][]byte{
				reflect.String: {'t', 'a', 0},
				reflect.Uint32: {'L', 0, 0, 0, 1},
				reflect.Int64:  {'r', 0, 0, 0, 0, 0, 0, 0, 1},
				reflect.Uint64: {'R', 0, 0, 0, 0, 0, 0, 0, 1},
				reflect.Uint8:  {'B', 1},
				reflect.Bool:   {'0'},
			}[kind]...)
		}
	}
	return p
}

func TestTheLeastThatAServerMaySayPasses(t *testing.T) {
	for kind := range uint8(5) {
		_, reply := asked(kind)
		shape := reflect.TypeOf(reply).Elem()
		r := &reader{p: least(shape)}
		if r.values(shape, 32); r.bad || r.at != len(r.p) {
			t.Errorf("%v: %d of %d bytes are read", shape, r.at, len(r.p))
		}
	}
}

// asked are the requests whose answers have values, by the number of the fuzzer.
func asked(kind uint8) (proto.RequestArgs, proto.Reply) {
	switch kind % 5 {
	case 0:
		return &proto.Auth{Version: 32, Cookie: make([]byte, cookieBytes)}, &proto.AuthReply{}
	case 1:
		return &proto.SetClientName{Props: proto.PropList{}}, &proto.SetClientNameReply{}
	case 2:
		return &proto.GetSinkInfo{SinkName: "x"}, &proto.GetSinkInfoReply{}
	case 3:
		return &proto.CreatePlaybackStream{Properties: proto.PropList{}}, &proto.CreatePlaybackStreamReply{}
	default:
		return &proto.GetPlaybackLatency{}, &proto.GetPlaybackLatencyReply{}
	}
}

// FuzzServer is what a server may say after a request: the library's reader must
// survive it, which it would not alone.
func FuzzServer(f *testing.F) {
	for kind := range uint8(5) {
		_, reply := asked(kind)
		f.Add(kind, uint32(proto.OpReply), uint32(0), least(reflect.TypeOf(reply).Elem()))
		f.Add(kind, uint32(proto.OpReply), uint32(0), []byte{})
	}
	for _, operation := range []uint32{proto.OpRequest, proto.OpUnderflow, proto.OpPlaybackStreamKilled, proto.OpPlaybackStreamSuspended, proto.OpPlaybackStreamMoved} {
		f.Add(uint8(2), operation, uint32(0xFFFFFFFF), least(news(operation)))
	}
	f.Add(uint8(2), uint32(proto.OpError), uint32(0), []byte{'L', 0, 0, 0, 5})
	f.Add(uint8(2), uint32(103), uint32(0), []byte{'L', 0, 0, 0, 5})
	f.Fuzz(func(t *testing.T, kind uint8, operation, tag uint32, values []byte) {
		ours, theirs := net.Pipe()
		l := &link{server: "fuzz", conn: ours, lost: make(chan struct{}), flows: map[uint32]*flow{}}
		l.client.Callback = l.event
		l.client.SetTimeout(never)
		l.client.Open(newWire(l))
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			defer theirs.Close()
			var head [headerBytes]byte
			if _, err := io.ReadFull(theirs, head[:]); err != nil {
				return
			}
			if _, err := io.CopyN(io.Discard, theirs, int64(binary.BigEndian.Uint32(head[:]))); err != nil {
				return
			}
			_, _ = theirs.Write(frame(operation, tag, values))
		}()
		request, reply := asked(kind)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		_ = l.ask(ctx, request, reply)
		<-ended
		l.end(errClosed)
		l.join()
	})
}
