// Package rtptest is a loudspeaker for tests: it takes RTP on a socket, says
// what came and in which order, and measures what would be heard.
package rtptest

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"golang.org/x/sys/unix"

	"nabat/hw/audio/g711"
)

// Packet is one that came.
type Packet struct {
	rtp.Packet
	At       time.Time
	TTL, TOS int
}

// Receiver takes packets until the test ends.
type Receiver struct {
	conn *net.UDPConn

	mu sync.Mutex
	// packets are those that came; bad is the first that was no RTP. mu guards them.
	packets []Packet
	bad     error
	came    chan struct{}
}

// Listen opens a socket on addr, as "127.0.0.1:0"; for a multicast address it
// joins the group on the named interface.
func Listen(t *testing.T, addr, ifname string) *Receiver {
	t.Helper()
	to := netip.MustParseAddrPort(addr)
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	index := 0
	if ifname != "" {
		ifi, err := net.InterfaceByName(ifname)
		if err != nil {
			t.Fatal(err)
		}
		index = ifi.Index
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		for _, option := range []int{unix.IP_RECVTTL, unix.IP_RECVTOS} {
			if failed == nil {
				failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, option, 1)
			}
		}
		if to.Addr().IsMulticast() && failed == nil {
			failed = unix.SetsockoptIPMreqn(int(fd), unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP,
				&unix.IPMreqn{Multiaddr: to.Addr().As4(), Ifindex: int32(index)})
		}
	}); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	r := &Receiver{conn: conn, came: make(chan struct{}, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.read()
	}()
	t.Cleanup(func() {
		_ = r.conn.Close()
		<-done
	})
	return r
}

// Port returns the port that is listened to.
func (r *Receiver) Port() int { return r.conn.LocalAddr().(*net.UDPAddr).Port }

// Close closes the port, as a device that is switched off.
func (r *Receiver) Close() { _ = r.conn.Close() }

func (r *Receiver) read() {
	buf, oob := make([]byte, 2048), make([]byte, 256)
	for {
		n, m, _, _, err := r.conn.ReadMsgUDP(buf, oob)
		if err != nil {
			return
		}
		p := Packet{At: time.Now()}
		err = p.Unmarshal(append([]byte(nil), buf[:n]...))
		controls, _ := unix.ParseSocketControlMessage(oob[:m])
		for _, c := range controls {
			switch {
			case c.Header.Type == unix.IP_TTL && len(c.Data) >= 4:
				p.TTL = int(c.Data[0])
			case c.Header.Type == unix.IP_TOS && len(c.Data) >= 1:
				p.TOS = int(c.Data[0])
			}
		}
		r.mu.Lock()
		if err != nil && r.bad == nil {
			r.bad = err
		}
		r.packets = append(r.packets, p)
		r.mu.Unlock()
		select {
		case r.came <- struct{}{}:
		default:
		}
	}
}

// Packets returns what came until now.
func (r *Receiver) Packets(t *testing.T) []Packet {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bad != nil {
		t.Fatalf("what came is no RTP: %v", r.bad)
	}
	return append([]Packet(nil), r.packets...)
}

// Wait returns when n packets have come.
func (r *Receiver) Wait(t *testing.T, n int) []Packet {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		if p := r.Packets(t); len(p) >= n {
			return p
		}
		select {
		case <-r.came:
		case <-deadline:
			t.Fatalf("%d packets came, %d were expected", len(r.Packets(t)), n)
		}
	}
}

// Order returns an error when packets are not one stream without a gap: one
// source, sequence and time going up as they should, the marker on the first only.
func Order(packets []Packet) error {
	for i, p := range packets {
		if p.Version != 2 || len(p.Payload) == 0 {
			return fmt.Errorf("packet %d: version %d, %d bytes", i, p.Version, len(p.Payload))
		}
		if p.Marker != (i == 0) {
			return fmt.Errorf("packet %d: marker %v", i, p.Marker)
		}
		if i == 0 {
			continue
		}
		last := packets[i-1]
		if p.SSRC != last.SSRC || p.PayloadType != last.PayloadType ||
			p.SequenceNumber != last.SequenceNumber+1 || p.Timestamp != last.Timestamp+uint32(len(last.Payload)) {
			return fmt.Errorf("packet %d: source %#x type %d number %d time %d after %#x %d %d %d", i,
				p.SSRC, p.PayloadType, p.SequenceNumber, p.Timestamp, last.SSRC, last.PayloadType, last.SequenceNumber, last.Timestamp)
		}
	}
	return nil
}

// Sound returns the samples of packets, 8000 a second.
func Sound(packets []Packet) []int16 {
	var out []int16
	for _, p := range packets {
		for _, b := range p.Payload {
			out = append(out, g711.Law(p.PayloadType).Decode(b))
		}
	}
	return out
}

// Jitter returns how much later than 20 ms after the one before packets came, at
// the worst, and how long all took.
func Jitter(packets []Packet) (worst, all time.Duration) {
	for i := 1; i < len(packets); i++ {
		worst = max(worst, packets[i].At.Sub(packets[i-1].At)-20*time.Millisecond)
	}
	if len(packets) > 0 {
		all = packets[len(packets)-1].At.Sub(packets[0].At)
	}
	return worst, all
}
