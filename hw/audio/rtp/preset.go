package rtp

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Preset names the convention of a maker of IP loudspeakers. All take the same
// packets; they differ in which groups there are and how one passes over another.
type Preset string

// Presets.
const (
	// Generic is any receiver of G.711 in RTP.
	Generic Preset = ""
	// Algo's nine zones are the ports 50000 to 50008 of 224.0.2.60, as they leave
	// the factory. The ports follow each other, so that no RTCP may be sent: it
	// would go to the next zone. Zones of other addresses are Generic.
	Algo Preset = "algo"
	// CyberData's loudspeakers have ten groups of priority 0 to 9, on even ports
	// from 2000 on; 9 is for emergencies and is played at full volume.
	CyberData Preset = "cyberdata"
	// Snom's telephones and paging adapters have up to ten groups with a priority
	// of 0 to 10 each, 10 the highest, 5 where nothing is set.
	Snom Preset = "snom"
	// Yealink's telephones have 10 to 31 groups, the first of highest priority.
	Yealink Preset = "yealink"
)

// convention is what a preset means.
type convention struct {
	host      string // where the options name none
	port      int
	low, high int // of the port
	even      bool
	unicast   bool // may the host be one device?
	goodbye   bool // is there room for RTCP on the next port?
	tail      time.Duration
}

// tail is how long receivers keep sound back to even the network out; it is
// waited for, in silence, before a stream ends, or the last syllable would be
// cut off.
const tail = 200 * time.Millisecond

func (p Preset) convention() (convention, error) {
	c := convention{low: 1024, high: 65535, tail: tail}
	switch p {
	case Generic:
		c.unicast = true
	case Algo:
		c.host, c.port, c.low, c.high = "224.0.2.60", 50000, 50000, 50008
	case CyberData:
		c.low, c.even, c.goodbye = 2000, true, true
	case Snom, Yealink:
	default:
		return c, fmt.Errorf("preset %q is not known: use %q, %q, %q, %q or leave it out", string(p), Algo, CyberData, Snom, Yealink)
	}
	return c, nil
}

// resolve checks a group as it was written and fills in what is the preset's.
func (c convention) resolve(p Preset, group string) (netip.AddrPort, error) {
	host, port := group, ""
	if i := strings.LastIndexByte(group, ':'); i >= 0 {
		host, port = group[:i], group[i+1:]
	}
	if host == "" {
		host = c.host
	}
	if host == "" {
		return netip.AddrPort{}, fmt.Errorf("group %q: an address is needed, as 239.0.0.1:5004: it is in the loudspeaker's own settings", group)
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || !addr.Is4() {
		return netip.AddrPort{}, fmt.Errorf("group %q: %q is no IPv4 address", group, host)
	}
	if !addr.IsMulticast() && (!c.unicast || addr.IsUnspecified() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255})) {
		return netip.AddrPort{}, fmt.Errorf("group %q: %s is no multicast address: use one of 224.0.1.0 to 239.255.255.255", group, addr)
	}
	if four := addr.As4(); four[0] == 224 && four[1] == 0 && four[2] == 0 {
		return netip.AddrPort{}, fmt.Errorf("group %q: 224.0.0.x belongs to the routers: use an address from 239.0.0.0 on", group)
	}
	n := c.port
	if port != "" || n == 0 {
		if n, err = strconv.Atoi(port); err != nil {
			return netip.AddrPort{}, fmt.Errorf("group %q: a port is needed, as %s:5004: it is in the loudspeaker's own settings", group, addr)
		}
	}
	switch {
	case n < c.low || n > c.high:
		err = fmt.Errorf("the port must be %d to %d", c.low, c.high)
		if p != Generic {
			err = fmt.Errorf("%w by the convention of %s: leave the preset out if the loudspeakers have other ones", err, p)
		}
	case c.even && n%2 != 0:
		err = errors.New("the port must be even: loudspeakers of this maker take no odd one")
	}
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("group %q: %w", group, err)
	}
	return netip.AddrPortFrom(addr, uint16(n)), nil
}
