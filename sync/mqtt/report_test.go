package mqtt

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"nabat/gateway/health"
	"nabat/gateway/journal"
	"nabat/sync/cursor"
	"nabat/sync/cursor/cursortest"
	"nabat/sync/link"
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
		r := newReporter(h, slog.New(slog.NewTextHandler(&out, nil)), link.NewLedger("mqtt", nil, nil, time.Second))
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
