package central

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/sync/cursor"
	"nabat/sync/event"
)

// ErrOptions is wrapped by every error of New.
var ErrOptions = errors.New("unusable options of the central service")

// Recorder writes down that the link went up or down; the journal is one.
type Recorder interface {
	Append(e alert.Event, done func(alert.Ref, error))
}

// Options says where to deliver what. Site, Gateway, URL, Alarm and Routine are
// needed; a nil function or part is left out.
type Options struct {
	Site, Gateway string
	// URL is where the service begins, "https://dispatch.example"; a path before
	// "/v1" is allowed. Plain http:// is allowed to this machine only.
	URL string
	// TokenFile holds in its first line the gateway's token. It is read anew for
	// every session. Empty means that the certificate alone says who calls.
	TokenFile string
	// CAFile holds the certificates that may have signed the service's; empty
	// means those of the system. CertFile and KeyFile are the gateway's own.
	// All are read anew for every connection, so that a renewal needs no restart.
	CAFile, CertFile, KeyFile string
	// ServerName is what the service's certificate must name: the host of URL.
	ServerName string

	// Alarm and Routine are lanes of a consumer of this link alone.
	Alarm, Routine cursor.Lane
	// Status returns what the status document says beyond Online and Session.
	Status func() event.Status
	// Now stamps link events and tells whether the clock can be trusted.
	Now func() alert.Stamp
	// Sent is told each alarm event that the service has. It must not block.
	Sent func(alert.Ref)
	// Received is told what the service has stored for good. It is called from
	// one goroutine of its own.
	Received func(epoch string, through uint64, above []uint64)
	// Trust is asked about everything that the service says to have, before a row
	// counts as delivered and before Received. It must refuse what names events
	// that the journal has not written: the service then holds the events of
	// another copy of this journal under the same names. Any goroutine may call
	// it; nil trusts all.
	Trust func(event.Receipt) bool
	// Command is told each signed command, at most once in a session, in the
	// order of the service's counters; retained is always false here. It is
	// called from one goroutine and trusts nothing: checking the signature is
	// its job. Without it no commands are asked for.
	Command func(compact []byte, retained bool)
	// After returns the counter above which commands are wanted, Challenge the
	// word that a command may answer, or "". Any goroutine may call them.
	After     func() uint64
	Challenge func() string
	Recorder  Recorder
	Health    *health.Registry
	// NetworkUp returns a channel that is closed when a network comes up.
	NetworkUp func() <-chan struct{}
	Log       *slog.Logger
	Timing    Timing
}

// Timing holds every duration of the link; zero means the default beside it.
type Timing struct {
	Dial      time.Duration // 5 s: TCP, and TLS
	Request   time.Duration // 20 s: one request with its answer
	Unacked   time.Duration // 10 s: TCP_USER_TIMEOUT
	Heartbeat time.Duration // 20 s
	Poll      time.Duration // 30 s: how long the service may hold the question for commands
	Settle    time.Duration // 10 s: how long up or down lasts before it is recorded
	Linger    time.Duration // 10 ms: how long a routine batch waits for company
	// Busy and BusyUrgent cap what the service may ask for by Retry-After: 60 s,
	// and 5 s while alarms wait.
	Busy, BusyUrgent time.Duration
	Backoff          cursor.Backoff
}

func (t Timing) withDefaults() Timing {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Dial, 5 * time.Second}, {&t.Request, 20 * time.Second}, {&t.Unacked, 10 * time.Second},
		{&t.Heartbeat, 20 * time.Second}, {&t.Poll, 30 * time.Second}, {&t.Settle, 10 * time.Second},
		{&t.Linger, 10 * time.Millisecond}, {&t.Busy, time.Minute}, {&t.BusyUrgent, 5 * time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if t.Backoff == (cursor.Backoff{}) {
		t.Backoff = cursor.DefaultBackoff()
	}
	return t
}

// target is a checked address of the service.
type target struct {
	base string // up to and with the gateway's own path, without a slash at the end
	host string // host:port, to name it
	name string // what a certificate must name
	tls  bool
}

func (o Options) target() (target, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		// The error would quote the address with all that is in it.
		return target{}, errors.New("url: not an address; write https://host")
	}
	if u.User != nil {
		return target{}, errors.New("url: the address must not hold user or password; set a token file")
	}
	if u.Hostname() == "" || u.Opaque != "" || u.RawQuery != "" || u.Fragment != "" {
		return target{}, fmt.Errorf("url %q: want scheme, host and at most a path, as in https://dispatch.example", o.URL)
	}
	t := target{host: u.Host, name: u.Hostname()}
	switch u.Scheme {
	case "https":
		t.tls = true
	case "http":
		if !loopback(u.Hostname()) {
			return target{}, fmt.Errorf("url %q: without TLS everyone on the way reads the token and forges receipts; use https://", o.URL)
		}
	default:
		return target{}, fmt.Errorf("url %q: scheme %q is unknown; use https://", o.URL, u.Scheme)
	}
	if o.ServerName != "" {
		t.name = o.ServerName
	}
	path := "/v1/sites/" + url.PathEscape(o.Site) + "/gateways/" + url.PathEscape(o.Gateway)
	t.base = u.Scheme + "://" + u.Host + strings.TrimRight(u.EscapedPath(), "/") + path
	return t, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || (ip != nil && ip.IsLoopback())
}

func (o Options) check() error {
	switch {
	case o.Alarm.Source == nil || o.Routine.Source == nil || o.Alarm.Appended == nil || o.Routine.Appended == nil:
		return errors.New("both lanes are needed")
	case (o.CertFile == "") != (o.KeyFile == ""):
		return errors.New("a certificate and its key belong together; set both files or none")
	}
	if err := event.CheckID(o.Site); err != nil {
		return fmt.Errorf("site id: %w", err)
	}
	if err := event.CheckID(o.Gateway); err != nil {
		return fmt.Errorf("gateway id: %w", err)
	}
	return nil
}
