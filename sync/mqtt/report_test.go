package mqtt

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/gateway/journal"
	"nabat/sync/cursor"
	"nabat/sync/cursor/cursortest"
)

func TestNewRefuses(t *testing.T) {
	good := func() Options {
		return Options{
			Site: "s", Gateway: "g", Broker: "tls://broker.example:8883",
			Alarm: cursortest.NewMemory(journal.Alarm).Lane(), Routine: cursortest.NewMemory(journal.Routine).Lane(),
		}
	}
	for name, change := range map[string]func(*Options){
		"a plain link to another machine": func(o *Options) { o.Broker = "tcp://192.0.2.1:1883" },
		"a plain link to a name":          func(o *Options) { o.Broker = "mqtt://broker" },
		"a password in the address":       func(o *Options) { o.Broker = "tls://u:hunter2@broker" },
		"an unreadable address":           func(o *Options) { o.Broker = "tls://u:hunter2@%zz" },
		"an unknown scheme":               func(o *Options) { o.Broker = "ws://127.0.0.1" },
		"no host":                         func(o *Options) { o.Broker = "tls://" },
		"a path":                          func(o *Options) { o.Broker = "tls://b/x" },
		"a site of two levels":            func(o *Options) { o.Site = "a/b" },
		"a gateway with a wildcard":       func(o *Options) { o.Gateway = "#" },
		"a certificate without its key":   func(o *Options) { o.CertFile = "x" },
		"a password without a user":       func(o *Options) { o.PasswordFile = "x" },
		"no lanes":                        func(o *Options) { o.Alarm = cursor.Lane{} },
		"an event without bound":          func(o *Options) { o.MaxEvent = 1 << 30 },
	} {
		o := good()
		change(&o)
		_, err := New(o)
		if !errors.Is(err, ErrOptions) {
			t.Errorf("%s: got %v, want ErrOptions", name, err)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error holds the password: %v", name, err)
		}
	}
	for _, broker := range []string{"tls://b", "mqtts://b:1", "tcp://127.0.0.1:1883", "tcp://[::1]:1", "mqtt://localhost"} {
		o := good()
		o.Broker = broker
		if _, err := New(o); err != nil {
			t.Errorf("%s: %v", broker, err)
		}
	}
	o := good()
	o.Broker, o.AllowPlaintext = "tcp://192.0.2.1:1883", true
	if _, err := New(o); err != nil {
		t.Errorf("plaintext that was allowed: %v", err)
	}
}

func TestWeeksOfRetriesDoNotFloodTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		h := new(health.Registry)
		r := newReporter(h, slog.New(slog.NewTextHandler(&out, nil)), newLedger(nil, nil, time.Second))
		// A week of the same trouble, whatever the error's text.
		for i := range 10080 {
			r.down(errors.Join(io.EOF, errors.New(strings.Repeat("x", i%7))))
			tick(time.Minute)
		}
		if n := strings.Count(out.String(), "\n"); n != 1 {
			t.Errorf("%d lines for one state", n)
		}
		// A day of flapping every two seconds.
		for range 43200 {
			r.up()
			r.down(packets.ErrorRefusedNotAuthorised)
			tick(2 * time.Second)
		}
		if n := strings.Count(out.String(), "\n"); n > 1+10+288 {
			t.Errorf("%d lines for a day of flapping", n)
		}
		if !strings.Contains(out.String(), "changes_not_logged") {
			t.Error("the log does not say that it left something out")
		}
	})
}

func tick(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

type memoryRecorder struct {
	mu     sync.Mutex
	events []alert.Event
}

func (m *memoryRecorder) Append(e alert.Event, _ func(alert.Ref, error)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, e)
}

func (m *memoryRecorder) list() []alert.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.events)
}

func TestAFlappingLinkDoesNotFillTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := new(memoryRecorder)
		l := newLedger(rec, func() alert.Stamp { return alert.Stamp{Wall: time.Now()} }, 10*time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); l.run(ctx) }()
		l.set(true, "")
		tick(time.Minute)
		l.set(false, "cannot reach the broker")
		tick(time.Minute)
		got := rec.list()
		if len(got) != 2 || got[0].Type != alert.LinkUp || got[1].Type != alert.LinkDown || got[1].Detail != "cannot reach the broker" {
			t.Fatalf("got %+v", got)
		}
		for range 4320 { // six hours, faster than it settles
			l.set(true, "")
			tick(2 * time.Second)
			l.set(false, "x")
			tick(3 * time.Second)
		}
		tick(time.Minute)
		if n := len(rec.list()); n != 2 {
			t.Errorf("%d events for what never lasted", n-2)
		}
		for range 1440 { // a day, each state lasting long enough
			l.set(true, "")
			tick(30 * time.Second)
			l.set(false, "x")
			tick(30 * time.Second)
		}
		if n := len(rec.list()); n > 2+6+145 {
			t.Errorf("%d events for a day of flapping", n)
		}
		l.set(true, "")
		tick(time.Hour)
		if last := rec.list()[len(rec.list())-1]; last.Type != alert.LinkUp || last.Count < 2 {
			t.Errorf("the last event is %+v, want up with the number of changes", last)
		}
		cancel()
		<-done
	})
}

func TestDiagnose(t *testing.T) {
	now := time.Date(1970, 1, 1, 0, 1, 0, 0, time.UTC)
	future := x509.CertificateInvalidError{
		Cert: &x509.Certificate{NotBefore: now.AddDate(50, 0, 0), NotAfter: now.AddDate(60, 0, 0)}, Reason: x509.Expired,
	}
	for name, c := range map[string]struct {
		err  error
		want trouble
		slow bool
		says string
	}{
		"a clock at 1970":       {err: future, want: troubleDates, says: "the clock is probably wrong"},
		"an unknown authority":  {err: x509.UnknownAuthorityError{}, want: troubleTrust, slow: true, says: "CA file"},
		"another name":          {err: x509.HostnameError{Certificate: new(x509.Certificate)}, want: troubleTrust, slow: true, says: "server name"},
		"a wrong password":      {err: packets.ErrorRefusedNotAuthorised, want: troubleRefused, slow: true, says: "password"},
		"a busy broker":         {err: packets.ErrorRefusedServerUnavailable, want: troubleDown, says: "not available"},
		"an end without reason": {err: io.EOF, want: troubleDown, says: "lost"},
		"a stolen identity":     {err: errStolen, want: troubleStolen, slow: true, says: "SD card"},
	} {
		got, detail := diagnose(c.err, now)
		if got != c.want || !strings.Contains(detail, c.says) {
			t.Errorf("%s: got %d %q", name, got, detail)
		}
		if errors.Is(slow(got, c.err), cursor.ErrRefused) != c.slow {
			t.Errorf("%s: tried slowly: %v, want %v", name, !c.slow, c.slow)
		}
	}
}
