package pulse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jfreymuth/pulse/proto"

	"nabat/hw/audio"
)

// maxName is the longest name that a server gives to a sink. The library encodes
// into 1024 bytes and looks at no bound, so that ours must hold.
const maxName = 127

// never is the library's own bound on an answer: ours are contexts. (Its usual
// second would cut every Drain.)
const never = 24 * time.Hour

// link is a connection to a server. It ends once, for a reason that is kept; by
// its end every request that waits on it returns.
type link struct {
	server string
	conn   net.Conn
	client proto.Client
	lost   chan struct{} // closed by end

	waiting sync.WaitGroup // requests under way

	mu     sync.Mutex
	cause  error            // why it ended; guarded by mu
	flows  map[uint32]*flow // by stream; guarded by mu
	serial uint32           // of streams; guarded by mu
}

var errClosed = errors.New("the stream is closed")

// dial connects to the first address that takes us, and authenticates.
func dial(ctx context.Context, o Options) (*link, error) {
	addresses, err := parse(o.Server, environment())
	if err != nil {
		return nil, err
	}
	secret, err := cookie(o.Cookie, environment())
	if err != nil {
		return nil, err
	}
	var failed error
	for _, a := range addresses {
		l, err := connect(ctx, a, secret, o.Name)
		if err == nil {
			return l, nil
		}
		if failed = err; ctx.Err() != nil {
			break
		}
	}
	return nil, failed
}

func connect(ctx context.Context, a address, secret []byte, name string) (*link, error) {
	conn, err := call(ctx, a)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			<-ctx.Done() // the dialer looks at the same moment, and may be there a little earlier
		}
		if ctx.Err() != nil {
			return nil, frozen(ctx, a.place)
		}
		return nil, fmt.Errorf("%w: no sound server at %s: start it (systemctl --user start pulseaudio, or pipewire-pulse): %w", audio.ErrAbsent, a.place, err)
	}
	l := &link{server: a.place, conn: conn, lost: make(chan struct{}), flows: map[uint32]*flow{}}
	// Before Open: its reader would call a nil callback when the server hangs up.
	l.client.Callback = l.event
	l.client.SetTimeout(never)
	l.client.Open(newWire(l))
	if err := l.greet(ctx, secret, name); err != nil {
		l.end(err)
		l.join()
		return nil, err
	}
	return l, nil
}

// call connects. A socket whose queue is full of earlier calls belongs to a
// server that hangs; it may come back while there is time.
func call(ctx context.Context, a address) (net.Conn, error) {
	var dialer net.Dialer
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := dialer.DialContext(ctx, a.network, a.place)
		if !errors.Is(err, syscall.EAGAIN) {
			return conn, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (l *link) greet(ctx context.Context, secret []byte, name string) error {
	var welcome proto.AuthReply
	err := l.ask(ctx, &proto.Auth{Version: l.client.Version(), Cookie: secret}, &welcome)
	if errors.Is(err, proto.ErrAccessDenied) {
		return fmt.Errorf("the sound server %s does not let us in: run it as the gateway's user, or copy its cookie (~/.config/pulse/cookie) and name the copy: %w", l.server, err)
	}
	if err != nil {
		return fmt.Errorf("greet the sound server %s: %w", l.server, err)
	}
	l.client.SetVersion(welcome.Version)
	var known proto.SetClientNameReply
	return l.ask(ctx, &proto.SetClientName{Props: proto.PropList{
		"application.name":       proto.PropListString(name),
		"application.process.id": proto.PropListString(strconv.Itoa(os.Getpid())),
	}}, &known)
}

// ask sends a request and waits for the answer. When ctx ends first the
// connection is ended too: a server that does not answer one request answers
// none, and the answer would come to somebody who has left.
func (l *link) ask(ctx context.Context, request proto.RequestArgs, reply proto.Reply) error {
	err := l.wait(ctx, nil, request, reply)
	if ctx.Err() != nil && err != nil {
		l.end(err)
	}
	return err
}

// wait is ask that leaves the connection alone, and gives up on closed too. The
// reply must not be read when there is an error: it may still be written.
func (l *link) wait(ctx context.Context, closed <-chan struct{}, request proto.RequestArgs, reply proto.Reply) error {
	l.mu.Lock()
	if l.cause != nil {
		defer l.mu.Unlock()
		return l.cause
	}
	l.waiting.Add(1)
	l.mu.Unlock()
	answer := make(chan error, 1)
	go func() {
		defer l.waiting.Done()
		answer <- l.client.Request(request, reply)
	}()
	select {
	case err := <-answer:
		if err != nil && l.isLost() {
			return l.why()
		}
		return err
	case <-closed:
		return errClosed
	case <-ctx.Done():
		return frozen(ctx, l.server)
	}
}

func frozen(ctx context.Context, server string) error {
	return fmt.Errorf("the sound server %s does not answer: restart it (systemctl --user restart pulseaudio, or pipewire pipewire-pulse): %w", cmp.Or(server, "of this user"), ctx.Err())
}

// end ends the connection; the first reason is kept.
func (l *link) end(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause != nil {
		return
	}
	l.cause = cause
	close(l.lost)
	l.conn.Close()
}

// join waits, after end, for the requests that were under way.
func (l *link) join() { l.waiting.Wait() }

func (l *link) isLost() bool {
	select {
	case <-l.lost:
		return true
	default:
		return false
	}
}

func (l *link) why() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}

// flow returns what is known of a stream. It is made by whoever comes first: the
// server may ask for samples before we have read its answer that made the stream.
func (l *link) flow(index uint32) *flow {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.flows[index]
	if f == nil {
		f = newFlow()
		l.flows[index] = f
	}
	return f
}

// forget drops what is known of all streams but one.
func (l *link) forget(but uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for index := range l.flows {
		if index != but {
			delete(l.flows, index)
		}
	}
}

// event takes what the server says of itself. It runs in the library's reader
// and must not wait.
func (l *link) event(message any) {
	switch m := message.(type) {
	case *proto.Request:
		l.flow(m.StreamIndex).grant(int(m.Length))
	case *proto.Underflow:
		l.flow(m.StreamIndex).starve()
	case *proto.PlaybackStreamKilled:
		l.flow(m.StreamIndex).kill(errors.New("the sound server ended the stream: its sink was unloaded, unplugged or suspended (`pactl list short sinks`)"))
	case *proto.PlaybackStreamSuspended:
		if m.Suspended {
			l.flow(m.StreamIndex).kill(errors.New("the sink was suspended: `pactl suspend-sink SINK 0` wakes it"))
		}
	case *proto.PlaybackStreamMoved:
		l.flow(m.StreamIndex).kill(fmt.Errorf("the stream was moved to another sink, %q, which is not the one of this loudspeaker", m.DestName))
	}
}
