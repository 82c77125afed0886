package pulse

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"sync"
	"time"

	"github.com/jfreymuth/pulse/proto"
)

const (
	headerBytes = 20
	// frameBytes bounds what a server may say at once; a sink with many ports
	// and properties takes a few thousand.
	frameBytes = 256 << 10
	// writeTime bounds one write. A server that reads nothing for so long has
	// filled a socket of 200 KiB with our 10 KiB a second before that.
	writeTime = 2 * time.Second
	// control is the channel of requests and answers.
	control = 0xFFFFFFFF
	// prefixBytes are the operation and the tag before the values of a frame.
	prefixBytes = 10
)

var errMalformed = errors.New("this is no answer of a sound server")

// wire stands between the connection and the library's reader. The library
// trusts what it reads, and panics in a goroutine of its own on what no server
// should say; so only frames that it can read are handed to it, each cut to what
// it reads of it. What the gateway has no use for is dropped.
type wire struct {
	link *link

	// Of the library's reader.
	frame []byte // what is left of the frame being handed over
	input []byte

	mu     sync.Mutex
	head   []byte                  // of the frame being written; guarded by mu
	expect map[uint32]reflect.Type // the answer to each tag; guarded by mu
}

func newWire(l *link) *wire {
	return &wire{link: l, expect: map[uint32]reflect.Type{}}
}

// Write joins the library's header to its payload and sends both. The library
// does not look at the error; the link ends with it.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.head) < headerBytes {
		w.head = append(w.head, p...)
		return len(p), nil
	}
	if binary.BigEndian.Uint32(w.head[4:]) == control && len(p) >= prefixBytes {
		w.expect[binary.BigEndian.Uint32(p[6:])] = answerTo(binary.BigEndian.Uint32(p[1:]))
	}
	w.head = append(w.head, p...)
	err := w.link.conn.SetWriteDeadline(time.Now().Add(writeTime))
	if err == nil {
		_, err = w.link.conn.Write(w.head)
	}
	w.head = w.head[:0]
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			w.link.end(fmt.Errorf("the sound server %s takes nothing: restart it (systemctl --user restart pulseaudio, or pipewire pipewire-pulse): %w", w.link.server, err))
		} else {
			w.link.end(gone(w.link.server, err))
		}
		return 0, err
	}
	return len(p), nil
}

// Read hands over the next frames that the library can read.
func (w *wire) Read(p []byte) (int, error) {
	for len(w.frame) == 0 {
		frame, err := w.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("it ended the connection: %w", err)
			}
			w.link.end(gone(w.link.server, err))
			return 0, err
		}
		w.frame = frame
	}
	n := copy(p, w.frame)
	w.frame = w.frame[n:]
	return n, nil
}

func gone(server string, err error) error {
	return fmt.Errorf("the sound server %s is gone: start it again (systemctl --user restart pulseaudio, or pipewire pipewire-pulse): %w", server, err)
}

// next reads one frame; an empty one is to be dropped.
func (w *wire) next() ([]byte, error) {
	var head [headerBytes]byte
	if _, err := io.ReadFull(w.link.conn, head[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(head[0:])
	if length > frameBytes || length < prefixBytes || binary.BigEndian.Uint32(head[4:]) != control {
		return nil, errMalformed
	}
	w.input = append(w.input[:0], head[:]...)
	w.input = append(w.input, make([]byte, length)...)
	if _, err := io.ReadFull(w.link.conn, w.input[headerBytes:]); err != nil {
		return nil, err
	}
	keep, err := w.judge(w.input[headerBytes:])
	if err != nil || keep == 0 {
		return nil, err
	}
	frame := w.input[:headerBytes+keep]
	binary.BigEndian.PutUint32(frame, uint32(keep))
	return frame, nil
}

// judge says how many bytes of a control frame the library will read.
func (w *wire) judge(p []byte) (keep int, err error) {
	if p[0] != 'L' || p[5] != 'L' {
		return 0, errMalformed
	}
	operation, tag := binary.BigEndian.Uint32(p[1:]), binary.BigEndian.Uint32(p[6:])
	rest := &reader{p: p[prefixBytes:]}
	switch operation {
	case proto.OpError:
		w.answered(tag)
		if rest.tag() != 'L' {
			return 0, errMalformed
		}
		rest.skip(4)
	case proto.OpReply:
		shape, asked := w.answered(tag)
		if !asked {
			return 0, errMalformed
		}
		if shape != nil {
			rest.values(shape, w.link.client.Version().Version())
		}
	default:
		shape := news(operation)
		if shape == nil {
			return 0, nil
		}
		rest.values(shape, w.link.client.Version().Version())
	}
	if rest.bad {
		return 0, errMalformed
	}
	return prefixBytes + rest.at, nil
}

// answered takes the tag off the list: the second answer to one is none.
func (w *wire) answered(tag uint32) (reflect.Type, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	shape, asked := w.expect[tag]
	delete(w.expect, tag)
	return shape, asked
}

// answerTo is the shape of the answer to an operation; nil is an answer without
// values.
func answerTo(operation uint32) reflect.Type {
	for _, reply := range []proto.Reply{
		&proto.AuthReply{}, &proto.SetClientNameReply{}, &proto.GetSinkInfoReply{},
		&proto.CreatePlaybackStreamReply{}, &proto.GetPlaybackLatencyReply{},
	} {
		if reply.IsReplyTo() == operation {
			return reflect.TypeOf(reply).Elem()
		}
	}
	return nil
}

// news is the shape of what a server says unasked; nil is of no use to us.
func news(operation uint32) reflect.Type {
	switch operation {
	case proto.OpRequest:
		return reflect.TypeFor[proto.Request]()
	case proto.OpUnderflow:
		return reflect.TypeFor[proto.Underflow]()
	case proto.OpPlaybackStreamKilled:
		return reflect.TypeFor[proto.PlaybackStreamKilled]()
	case proto.OpPlaybackStreamSuspended:
		return reflect.TypeFor[proto.PlaybackStreamSuspended]()
	case proto.OpPlaybackStreamMoved:
		return reflect.TypeFor[proto.PlaybackStreamMoved]()
	}
	return nil
}
