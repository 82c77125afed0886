package sip

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"nabat/hw/audio/g711"
)

// maxSDP bounds the description that a device may send; usual ones have 300 bytes.
const maxSDP = 16 << 10

// offer describes where we would hear and what we speak: one law, or both.
// Neither "sendonly" nor anything else is said of a direction: telephones take
// that for a call on hold.
func offer(from netip.AddrPort, session, version uint64, laws ...g711.Law) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "v=0\r\no=nabat %d %d IN IP4 %s\r\ns=announcement\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP",
		session, version, from.Addr(), from.Addr(), from.Port())
	for _, l := range laws {
		fmt.Fprintf(&b, " %d", l)
	}
	b.WriteString("\r\n")
	for _, l := range laws {
		name := "PCMU"
		if l == g711.ALaw {
			name = "PCMA"
		}
		fmt.Fprintf(&b, "a=rtpmap:%d %s/8000\r\n", l, name)
	}
	b.WriteString("a=ptime:20\r\na=sendrecv\r\n")
	return []byte(b.String())
}

// media is what a device said of where and how it wants to hear.
type media struct {
	to     netip.AddrPort
	law    g711.Law
	packet time.Duration
	// held says that it does not want to hear at present.
	held bool
}

// parse reads a description (RFC 8866) as far as it is about our one stream:
// the first audio line that is not refused.
func parse(b []byte) (media, error) {
	if len(b) > maxSDP {
		return media{}, fmt.Errorf("the device's description has %d bytes, which is too much", len(b))
	}
	m := media{packet: 20 * time.Millisecond}
	var session, here, at string // addresses
	var port uint16
	first, inside := true, false // before all media lines; behind ours
	for line := range strings.SplitSeq(string(b), "\n") {
		line = strings.TrimRight(line, "\r")
		if len(line) < 2 || line[1] != '=' {
			continue
		}
		value := line[2:]
		switch line[0] {
		case 'm':
			first, inside = false, false
			if port != 0 || !strings.HasPrefix(value, "audio ") {
				continue
			}
			var err error
			if port, m.law, err = audioLine(value); err != nil {
				return media{}, err
			}
			inside = port != 0
		case 'c':
			if addr, ok := strings.CutPrefix(value, "IN IP4 "); ok && inside {
				here = addr
			} else if ok && first {
				session = addr
			}
		case 'a':
			if inside || first {
				m.attribute(value)
			}
		}
	}
	if port == 0 {
		return media{}, errors.New("the device takes no sound in this call: look for its audio or paging settings")
	}
	if at = here; at == "" {
		at = session
	}
	addr, err := netip.ParseAddr(strings.TrimSpace(at))
	switch {
	case err != nil || !addr.Is4():
		return media{}, fmt.Errorf("the device wants its sound at %.60q, which is no IPv4 address", at)
	case addr.IsUnspecified():
		m.held = true // the old way to say so
	case addr.IsMulticast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return media{}, fmt.Errorf("the device wants its sound at %s, which is not itself", addr)
	}
	m.to = netip.AddrPortFrom(addr, port)
	return m, nil
}

// audioLine reads "audio 4000 RTP/AVP 0 8": the port, 0 for a refused stream, and
// the first law in it.
func audioLine(value string) (uint16, g711.Law, error) {
	f := strings.Fields(value)
	if len(f) < 4 {
		return 0, 0, fmt.Errorf("the device's description is damaged at %.60q", "m="+value)
	}
	number, _, _ := strings.Cut(f[1], "/")
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return 0, 0, fmt.Errorf("the device's description is damaged at %.60q", "m="+value)
	}
	if port == 0 {
		return 0, 0, nil
	}
	if f[2] != "RTP/AVP" && f[2] != "RTP/AVPF" {
		return 0, 0, fmt.Errorf("the device wants its sound as %.40q: switch encryption of sound (SRTP) off for this call", f[2])
	}
	for _, number := range f[3:] {
		switch number {
		case "0":
			return uint16(port), g711.MuLaw, nil
		case "8":
			return uint16(port), g711.ALaw, nil
		}
	}
	return 0, 0, errors.New("the device takes neither PCMU nor PCMA: enable G.711 in its settings")
}

func (m *media) attribute(value string) {
	switch name, arg, _ := strings.Cut(value, ":"); name {
	case "ptime":
		if n, err := strconv.Atoi(strings.TrimSpace(arg)); err == nil && n >= 10 && n <= 60 {
			m.packet = time.Duration(n) * time.Millisecond
		}
	case "inactive", "sendonly":
		m.held = true
	case "sendrecv", "recvonly":
		m.held = false
	}
}
