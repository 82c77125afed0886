package sip

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"nabat/hw/audio/g711"
)

func TestOwnDescriptionIsUnderstood(t *testing.T) {
	from := netip.MustParseAddrPort("10.0.0.2:4000")
	m, err := parse(offer(from, 1, 2, laws()...))
	if err != nil || m.to != from || m.law != g711.MuLaw || m.packet != 20*time.Millisecond || m.held {
		t.Errorf("%+v %v", m, err)
	}
}

func TestDescriptions(t *testing.T) {
	for _, c := range []struct {
		name, sdp, want string // want: address, law and packet; "held"; or a part of the error
	}{
		{"address of the stream wins", "c=IN IP4 10.0.0.1\nm=audio 4000 RTP/AVP 8\nc=IN IP4 10.0.0.9\na=ptime:30\n", "10.0.0.9:4000 8 30ms"},
		{"first law wins", "c=IN IP4 10.0.0.1\r\nm=audio 4000 RTP/AVP 18 8 0\r\n", "10.0.0.1:4000 8 20ms"},
		{"video is passed over", "c=IN IP4 10.0.0.1\nm=video 5000 RTP/AVP 96\nc=IN IP4 10.0.0.3\nm=audio 4000 RTP/AVP 0\n", "10.0.0.1:4000 0 20ms"},
		{"a refused stream is passed over", "c=IN IP4 10.0.0.1\nm=audio 0 RTP/AVP 0\nm=audio 4002 RTP/AVP 0\n", "10.0.0.1:4002 0 20ms"},
		{"an absurd packet is none", "c=IN IP4 10.0.0.1\nm=audio 4000 RTP/AVP 0\na=ptime:4000\n", "10.0.0.1:4000 0 20ms"},
		{"on hold", "c=IN IP4 10.0.0.1\nm=audio 4000 RTP/AVP 0\na=inactive\n", "held"},
		{"on hold, and heard", "c=IN IP4 10.0.0.1\nm=audio 4000 RTP/AVP 0\na=sendonly\n", "held"},
		{"on hold, the old way", "c=IN IP4 0.0.0.0\nm=audio 4000 RTP/AVP 0\n", "held"},
		{"the stream's direction wins", "a=inactive\nc=IN IP4 10.0.0.1\nm=audio 4000 RTP/AVP 0\na=sendrecv\n", "10.0.0.1:4000 0 20ms"},
		{"encrypted", "c=IN IP4 10.0.0.1\nm=audio 4000 RTP/SAVP 0\n", "SRTP"},
		{"no address", "m=audio 4000 RTP/AVP 0\n", "no IPv4 address"},
		{"IPv6", "c=IN IP6 ::1\nm=audio 4000 RTP/AVP 0\n", "no IPv4 address"},
		{"a group", "c=IN IP4 239.0.0.1\nm=audio 4000 RTP/AVP 0\n", "not itself"},
		{"nothing", "", "takes no sound"},
		{"too much", strings.Repeat("a=x\n", 10000), "too much"},
		{"a port too high", "c=IN IP4 10.0.0.1\nm=audio 70000 RTP/AVP 0\n", "damaged"},
	} {
		m, err := parse([]byte(c.sdp))
		got := m.to.String() + " " + string('0'+rune(m.law)) + " " + m.packet.String()
		switch {
		case err != nil:
			got = err.Error()
		case m.held:
			got = "held"
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}

func FuzzDescription(f *testing.F) {
	f.Add([]byte("v=0\r\no=- 0 0 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\na=ptime:30\r\n"))
	f.Add([]byte("c=IN IP4 10.0.0.1\nm=video 1 RTP/AVP 9\nm=audio 4000/2 RTP/AVP 8\na=inactive"))
	f.Add([]byte("m=audio 0 x y\nm=audio"))
	f.Add([]byte("c=IN IP4 0.0.0.0\nm=audio 1 RTP/AVP 0\na=ptime:-1\na=sendonly"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parse(b)
		if err != nil {
			return
		}
		a := m.to.Addr()
		if !a.Is4() || a.IsMulticast() || a.IsUnspecified() && !m.held || m.to.Port() == 0 ||
			m.packet < 10*time.Millisecond || m.packet > 60*time.Millisecond || m.law != g711.MuLaw && m.law != g711.ALaw {
			t.Fatalf("%q became %+v", b, m)
		}
	})
}
