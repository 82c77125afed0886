package central

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"nabat/gateway/alert"
	"nabat/sync/cursor"
	"nabat/sync/link"
)

// trouble is why there is no session, as far as a person's next step goes.
type trouble uint8

const (
	troubleNone    trouble = iota
	troubleDown            // the network, the service or a file
	troubleRefused         // the service knows us and says no
	troubleDates           // a certificate is not valid now
	troubleTrust           // a certificate is not to be trusted
	troubleForeign         // somebody else answers
)

// diagnose names the trouble and says in words what to do. now may be nil. It
// never quotes a token or a key.
func diagnose(err error, now func() alert.Stamp) (trouble, string) {
	t, detail := classify(err)
	if (t == troubleDates || t == troubleTrust) && now != nil {
		if at := now(); !at.Synced {
			// A wrong clock looks like this too, and mends itself.
			return troubleDates, fmt.Sprintf("%s. This gateway's clock is not synchronised and says %s", detail, at.Wall.UTC().Format(time.DateTime))
		}
	}
	return t, detail
}

func classify(err error) (trouble, string) {
	var said *problem
	var busy *busyError
	var invalid x509.CertificateInvalidError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var record tls.RecordHeaderError
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case err == nil:
		return troubleNone, ""
	case errors.As(err, &said):
		return said.trouble, said.detail
	case errors.As(err, &busy):
		return troubleDown, busy.Error()
	case errors.Is(err, link.ErrDates):
		return troubleDates, err.Error()
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return troubleDates, fmt.Sprintf("the service's certificate %s: %v", link.WrongDates(invalid.Cert, time.Now()), link.ErrDates)
	case errors.As(err, &authority):
		return troubleTrust, "the service's certificate is not signed by a trusted authority; check the CA file"
	case errors.As(err, &host):
		return troubleTrust, "the service's certificate is for another name; check the url or set the server name"
	case errors.As(err, &invalid):
		return troubleTrust, fmt.Sprintf("the service's certificate is not usable: %v", invalid)
	case errors.As(err, &record):
		return troubleForeign, "what answers at the service's address does not speak TLS: probably the log-in page of this network, or a wrong port"
	case errors.As(err, &op) && op.Op == "remote error":
		// crypto/tls gives the other side's alert this form and no type.
		return troubleRefused, fmt.Sprintf("the service refuses the gateway's certificate (%v); check certificate and key file", op.Err)
	case errors.Is(err, link.ErrFile):
		return troubleDown, err.Error()
	case errors.As(err, &dns):
		return troubleDown, fmt.Sprintf("the service's name %s is not found; check network, name server and url", dns.Name)
	case errors.As(err, &op) && op.Op == "dial":
		return troubleDown, fmt.Sprintf("cannot reach the service (%v); check network and service", op.Err)
	case timedOut(err):
		return troubleDown, "the service does not answer; check network and service"
	}
	return troubleDown, fmt.Sprintf("connection to the service lost or not made: %v", err)
}

// slow marks what trying again soon will not mend.
func slow(t trouble, err error) error {
	switch t {
	case troubleRefused, troubleTrust:
		return fmt.Errorf("%w: %w", cursor.ErrRefused, err)
	case troubleNone, troubleDown, troubleDates, troubleForeign:
		return err
	}
	return err
}

// timedOut reports whether something took longer than it may.
func timedOut(err error) bool {
	var late net.Error
	return errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &late) && late.Timeout())
}

// hungUp reports whether the other end closed the connection, in contrast to a
// network that swallowed it.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		// net/http keeps this error to itself.
		strings.Contains(err.Error(), "server closed idle connection") || errors.Is(err, http.ErrServerClosed)
}
