package mqtt

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/sync/cursor"
	"nabat/sync/event"
)

// ErrOptions is wrapped by every error of New.
var ErrOptions = errors.New("unusable MQTT options")

// Recorder writes down that the link went up or down; the journal is one.
type Recorder interface {
	Append(e alert.Event, done func(alert.Ref, error))
}

// Options says where to deliver what. Site, Gateway, Broker, Alarm and Routine
// are needed; a nil function or part is left out.
type Options struct {
	Site, Gateway string
	// Broker is "tls://host:8883" or "tcp://127.0.0.1:1883".
	Broker string
	// AllowPlaintext permits tcp:// to another machine. Events and password
	// then travel readable and changeable by anyone on the way.
	AllowPlaintext bool
	// ClientID must belong to this gateway alone: "nabat-SITE-GATEWAY".
	ClientID string
	// User and the first line of PasswordFile go to the broker. The file is
	// read anew for every connection.
	User, PasswordFile string
	// CAFile holds the certificates that may have signed the broker's; empty
	// means those of the system. CertFile and KeyFile are the gateway's own.
	// All are read anew for every connection, so that a renewal needs no restart.
	CAFile, CertFile, KeyFile string
	// ServerName is what the broker's certificate must name: the host.
	ServerName string
	// MaxEvent is the most bytes an event may have on the wire, at most and by
	// default 256 KiB. A larger one is parked.
	MaxEvent int

	Alarm, Routine cursor.Lane
	// Status returns what the status document says beyond Online and Session.
	Status func() event.Status
	// Now stamps link events.
	Now func() alert.Stamp
	// Sent is told each alarm event that the broker took, or that dispatch is
	// known to have. It must not block.
	Sent func(alert.Ref)
	// Received is told what dispatch's application has stored for good. It is
	// called from one goroutine of its own.
	Received func(epoch string, through uint64, above []uint64)
	// Receipts makes a row count as delivered when a receipt covers it; what the
	// broker alone has taken is sent again in the next session, or when receipts
	// show that dispatch lacks it. Without it the broker's word is enough, for
	// those whose consumer gives no receipts. It needs Trust.
	Receipts bool
	// Trust is asked about every receipt, before Received and before a cursor
	// moves; one that it refuses is as good as never come. It must refuse what
	// names events that the journal has not written, and from then on every
	// receipt of that epoch: dispatch then holds the events of another copy of
	// this journal under the same names. It must not block. nil trusts all.
	Trust func(event.Receipt) bool
	// Command is told every message of the command topic, in order, from one
	// goroutine of its own, which it may keep busy: what comes while 64 wait is
	// dropped, as is what has more than 16 KiB. Nothing is checked here. retained
	// says that the broker had kept the message from before this subscription.
	Command  func(payload []byte, retained bool)
	Recorder Recorder
	Health   *health.Registry
	// NetworkUp returns a channel that is closed when a network comes up.
	NetworkUp func() <-chan struct{}
	Log       *slog.Logger
	Timing    Timing
}

// Timing holds every duration of the link; zero means the default beside it.
type Timing struct {
	KeepAlive time.Duration // 15 s, whole seconds
	Timeout   time.Duration // 5 s: dial, handshakes, pings, one write
	Patience  time.Duration // 10 s: the oldest event without an answer
	Unacked   time.Duration // 10 s: TCP_USER_TIMEOUT
	Heartbeat time.Duration // 20 s
	Settle    time.Duration // 10 s: how long up or down lasts before it is recorded
	Steady    time.Duration // 60 s: a session this long was not stolen
	Hole      time.Duration // 10 s: how long receipts may lack a sent event before it is sent again
	Again     time.Duration // 5 min: the longest wait between two repetitions for the same event
	Silence   time.Duration // 60 s: how long nothing is confirmed before a condition says so
	Backoff   cursor.Backoff
}

const (
	window      = 16
	maxMaxEvent = 256 << 10
)

func (t Timing) withDefaults() Timing {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.KeepAlive, 15 * time.Second}, {&t.Timeout, 5 * time.Second},
		{&t.Patience, 10 * time.Second}, {&t.Unacked, 10 * time.Second},
		{&t.Heartbeat, 20 * time.Second}, {&t.Settle, 10 * time.Second}, {&t.Steady, time.Minute},
		{&t.Hole, 10 * time.Second}, {&t.Again, 5 * time.Minute}, {&t.Silence, time.Minute},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return t
}

// target is a checked broker address.
type target struct {
	host string // host:port
	name string // what a certificate must name
	tls  bool
}

func (o Options) target() (target, error) {
	u, err := url.Parse(o.Broker)
	if err != nil {
		// The error would quote the address with all that is in it.
		return target{}, errors.New("broker: not an address; write tls://host:8883")
	}
	if u.User != nil {
		return target{}, errors.New("broker: the address must not hold user or password; set user and password file")
	}
	if u.Hostname() == "" || (u.Path != "" && u.Path != "/") || u.RawQuery != "" {
		return target{}, fmt.Errorf("broker %q: want scheme, host and port only, as in tls://host:8883", o.Broker)
	}
	t := target{name: u.Hostname()}
	port := "8883"
	switch u.Scheme {
	case "tls", "ssl", "mqtts":
		t.tls = true
	case "tcp", "mqtt":
		port = "1883"
		if !o.AllowPlaintext && !loopback(u.Hostname()) {
			return target{}, fmt.Errorf("broker %q: without TLS everyone on the way reads and forges alarms; use tls://, or allow plaintext explicitly", o.Broker)
		}
	default:
		return target{}, fmt.Errorf("broker %q: scheme %q is unknown; use tls://", o.Broker, u.Scheme)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	t.host = net.JoinHostPort(u.Hostname(), port)
	if o.ServerName != "" {
		t.name = o.ServerName
	}
	return t, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func (o Options) check() error {
	switch {
	case o.Alarm.Source == nil || o.Routine.Source == nil || o.Alarm.Appended == nil || o.Routine.Appended == nil:
		return errors.New("both lanes are needed")
	case o.Receipts && o.Trust == nil:
		return errors.New("receipts need Trust, which knows what the journal has written")
	case (o.CertFile == "") != (o.KeyFile == ""):
		return errors.New("a certificate and its key belong together; set both files or none")
	case o.User == "" && o.PasswordFile != "":
		return errors.New("a password needs a user")
	case o.MaxEvent < 0 || o.MaxEvent > maxMaxEvent:
		return fmt.Errorf("at most %d bytes an event", maxMaxEvent)
	case len(o.ClientID) > 256:
		return errors.New("the client id has more than 256 bytes")
	}
	return nil
}
