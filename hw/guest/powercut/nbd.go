package powercut

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// The protocol's numbers, from the NBD project's doc/proto.md: fixed newstyle
// negotiation, simple replies.
const (
	nbdMagic        = 0x4e42444d41474943
	nbdOptionMagic  = 0x49484156454f5054
	nbdReplyMagic   = 0x0003e889045565a9
	requestMagic    = 0x25609513
	simpleMagic     = 0x67446698
	flagFixed       = 1 << 0
	flagNoZeroes    = 1 << 1
	exportHasFlags  = 1 << 0
	exportSendFlush = 1 << 2
	exportSendFUA   = 1 << 3
	exportFlags     = exportHasFlags | exportSendFlush | exportSendFUA

	optExportName = 1
	optAbort      = 2
	optInfo       = 6
	optGo         = 7

	repAck      = 1
	repInfo     = 3
	repErrUnsup = 1<<31 | 1

	cmdRead  = 0
	cmdWrite = 1
	cmdDisc  = 2
	cmdFlush = 3
	cmdFUA   = 1 << 0

	einval = 22

	maxOption  = 4096
	maxRequest = 32 << 20
)

// ErrProtocol is wrapped by errors about bytes that are not NBD.
var ErrProtocol = errors.New("not the NBD protocol")

// ServeOne serves the disk to the first client of l and returns when that
// client has gone, however it went; then every write that it sent has been
// applied. Ending ctx closes l and the connection.
func (d *Disk) ServeOne(ctx context.Context, l net.Listener) error {
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	conn, err := l.Accept()
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("wait for the guest's disk connection: %w", err)
	}
	defer conn.Close() //nolint:errcheck // the client is gone already
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	err = d.serve(conn)
	if ctx.Err() != nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	// A killed client resets the connection while a reply is under way.
	if _, reset := errors.AsType[*net.OpError](err); reset {
		return nil
	}
	return err
}

// session is one connection.
type session struct {
	r *bufio.Reader
	w *bufio.Writer
}

// serve speaks to one client until it disconnects or errs.
func (d *Disk) serve(c io.ReadWriter) error {
	s := session{r: bufio.NewReaderSize(c, 1<<18), w: bufio.NewWriterSize(c, 1<<18)}
	if err := s.negotiate(d.Size()); err != nil {
		return err
	}
	for {
		if err := s.request(d); err != nil {
			return err
		}
	}
}

// send writes the values and flushes them to the client.
func (s session) send(values ...any) error {
	for _, v := range values {
		if err := binary.Write(s.w, binary.BigEndian, v); err != nil {
			return err
		}
	}
	return s.w.Flush()
}

func (s session) receive(v any) error { return binary.Read(s.r, binary.BigEndian, v) }

// negotiate returns nil when the client has chosen the export.
func (s session) negotiate(size int64) error {
	if err := s.send(uint64(nbdMagic), uint64(nbdOptionMagic), uint16(flagFixed|flagNoZeroes)); err != nil {
		return err
	}
	var client uint32
	if err := s.receive(&client); err != nil {
		return err
	}
	for {
		var option struct {
			Magic  uint64
			Option uint32
			Length uint32
		}
		if err := s.receive(&option); err != nil {
			return err
		}
		if option.Magic != nbdOptionMagic || option.Length > maxOption {
			return fmt.Errorf("option %d of %d bytes: %w", option.Option, option.Length, ErrProtocol)
		}
		if _, err := s.r.Discard(int(option.Length)); err != nil {
			return err
		}
		reply := func(kind uint32, data []byte) error {
			return s.send(uint64(nbdReplyMagic), option.Option, kind, uint32(len(data)), data)
		}
		switch option.Option {
		case optExportName:
			zeroes := make([]byte, 124)
			if client&flagNoZeroes != 0 {
				zeroes = nil
			}
			return s.send(uint64(size), uint16(exportFlags), zeroes)
		case optInfo, optGo:
			info := binary.BigEndian.AppendUint16(nil, 0) // NBD_INFO_EXPORT
			info = binary.BigEndian.AppendUint64(info, uint64(size))
			info = binary.BigEndian.AppendUint16(info, exportFlags)
			if err := reply(repInfo, info); err != nil {
				return err
			}
			if err := reply(repAck, nil); err != nil {
				return err
			}
			if option.Option == optGo {
				return nil
			}
		case optAbort:
			if err := reply(repAck, nil); err != nil {
				return err
			}
			return io.EOF
		default:
			if err := reply(repErrUnsup, nil); err != nil {
				return err
			}
		}
	}
}

// request serves one command; io.EOF says that the client wants no more.
func (s session) request(d *Disk) error {
	var q struct {
		Magic  uint32
		Flags  uint16
		Type   uint16
		Cookie uint64
		Offset uint64
		Length uint32
	}
	if err := s.receive(&q); err != nil {
		return err
	}
	if q.Magic != requestMagic || q.Length > maxRequest {
		return fmt.Errorf("command %d of %d bytes: %w", q.Type, q.Length, ErrProtocol)
	}
	var failed uint32
	var answer []byte
	switch q.Type {
	case cmdRead:
		b := make([]byte, q.Length)
		if err := d.ReadAt(b, int64(q.Offset)); err != nil {
			failed = einval
		} else {
			answer = b
		}
	case cmdWrite:
		b := make([]byte, q.Length)
		if _, err := io.ReadFull(s.r, b); err != nil {
			return err // a write that was cut in half never happened
		}
		switch err := d.WriteAt(b, int64(q.Offset), q.Flags&cmdFUA != 0); {
		case errors.Is(err, ErrPower):
			return io.EOF
		case err != nil:
			failed = einval
		}
	case cmdFlush:
		if err := d.Flush(); err != nil {
			return io.EOF
		}
	case cmdDisc:
		return io.EOF
	default:
		failed = einval
	}
	return s.send(uint32(simpleMagic), failed, q.Cookie, answer)
}
