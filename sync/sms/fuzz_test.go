package sms

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/warthog618/modem/at"
	"github.com/warthog618/modem/gsm"

	"nabat/gateway/alert"
)

// FuzzAnswer: whatever a modem says, nothing panics, and only a clear word
// counts as being in the network.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{"+CREG: 0,1", "+CREG: 2,5,\"4E2A\",\"00C7B21F\",7", "+CREG: 0,99999999999999999999", "+CSQ: 99,99", "+CREG:", "\x00\xff,1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		text, err := answer([]string{line}, "+CREG")
		if err != nil && !errors.Is(err, errNonsense) {
			t.Fatal(err)
		}
		if registered(text) && denied(text) {
			t.Fatalf("%q is registered and denied", text)
		}
		_ = weak(text)
		for _, err := range []error{at.CMSError(line), at.CMEError(line)} {
			if judge(err) == notRefused {
				t.Fatalf("%v is a refusal", err)
			}
		}
	})
}

// noisy is a line on which a modem says always the same.
type noisy struct {
	text io.Reader
	ends chan struct{}
}

func (n noisy) Read(b []byte) (int, error) {
	k, err := n.text.Read(b)
	if err != nil {
		<-n.ends
	}
	return k, err
}

func (n noisy) Write(b []byte) (int, error) { return len(b), nil }

// FuzzModem: bytes from the line never make a message count as sent unless
// there is an "OK" among them.
func FuzzModem(f *testing.F) {
	f.Add([]byte("\r\n> \r\n+CMGS: 1\r\n\r\nOK\r\n"))
	f.Add([]byte("> +CMS ERROR: 38\r\n"))
	f.Add([]byte("\xff\xfe\x00>\n>\n>\n+CMTI: \"SM\",1\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		line := noisy{strings.NewReader(string(b)), make(chan struct{})}
		a := at.New(line, at.WithTimeout(5*time.Millisecond))
		_, err := gsm.New(a, gsm.WithNumericErrors).SendPDU([]byte{1})
		close(line.ends)
		<-a.Closed()
		if (err == nil || errors.Is(err, gsm.ErrMalformedResponse)) && !strings.Contains(string(b), "OK") {
			t.Fatalf("%q counts as sent: %v", b, err)
		}
	})
}

// FuzzText: whatever the names are, a message is one line of valid text, short
// enough for three parts, and can be encoded.
func FuzzText(f *testing.F) {
	f.Add("Кабинет 204", "№ 12 мектеп", "intruder", int64(3))
	f.Add("\x1a\x1b\r\nAT+CMGS", "\xff\xfe", "", int64(-1))
	f.Add(strings.Repeat("ұ", 500), "😀", "x", int64(1<<40))
	f.Fuzz(func(t *testing.T, place, siteName, kind string, n int64) {
		site := &alert.Site{ID: "s", Name: alert.Text{RU: siteName}, Places: map[string]alert.Place{"p": {ID: "p", Path: []alert.Text{{RU: place}}}}}
		for _, l := range alert.Languages() {
			w := newWriter(site, l)
			e := alert.Event{Kind: alert.Kind(kind), Place: &alert.Location{ID: "p"}, Status: alert.Exercise, Level: alert.LevelHelp}
			at := alert.Stamp{Wall: time.Unix(n%(1<<33), 0)}
			for _, text := range []string{w.ask(e, at), w.clear(e, at), w.summary(missed{stale: 2}, []alert.Alert{{Key: alert.Key{Kind: e.Kind}, Place: *e.Place}})} {
				if !utf8.ValidString(text) || strings.ContainsAny(text, "\r\n\x1a\x1b") || utf8.RuneCountInString(text) > longest {
					t.Fatalf("bad text %q", text)
				}
				if _, err := encode("+77010000001", text, int(n)); err != nil {
					t.Fatalf("%q: %v", text, err)
				}
			}
		}
	})
}
