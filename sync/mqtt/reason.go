package mqtt

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"nabat/sync/cursor"
	"nabat/sync/link"
)

// errStolen: the broker hangs up on every session soon after it began.
var errStolen = errors.New("the broker ends every connection soon after it began; another device probably uses the same client id (a cloned SD card?), or the broker refuses what we send")

// trouble is why there is no connection, as far as a person's next step goes.
type trouble uint8

const (
	troubleNone    trouble = iota
	troubleDown            // the network, the broker or a file
	troubleRefused         // the broker knows us and says no
	troubleDates           // a certificate is not valid now
	troubleTrust           // a certificate is not to be trusted
	troubleStolen          // somebody has our client id
)

// diagnose names the trouble and says in words what to do. It never quotes a
// user, a password or a key.
func diagnose(err error, now time.Time) (trouble, string) {
	var invalid x509.CertificateInvalidError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var op *net.OpError
	switch {
	case err == nil:
		return troubleNone, ""
	case errors.Is(err, errStolen):
		return troubleStolen, errStolen.Error()
	case errors.Is(err, link.ErrDates):
		return troubleDates, err.Error()
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return troubleDates, fmt.Sprintf("the broker's certificate %s: %v", link.WrongDates(invalid.Cert, now), link.ErrDates)
	case errors.As(err, &authority):
		return troubleTrust, "the broker's certificate is not signed by a trusted authority; check the CA file"
	case errors.As(err, &host):
		return troubleTrust, "the broker's certificate is for another name; check the broker's address or set the server name"
	case errors.As(err, &invalid):
		return troubleTrust, fmt.Sprintf("the broker's certificate is not usable: %v", invalid)
	case errors.As(err, &op) && op.Op == "remote error":
		// crypto/tls gives the other side's alert this form and no type.
		return troubleRefused, fmt.Sprintf("the broker refuses the gateway's certificate (%v); check certificate and key file", op.Err)
	case errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword), errors.Is(err, packets.ErrorRefusedNotAuthorised):
		return troubleRefused, "the broker refuses user or password; check both, and the broker's access list"
	case errors.Is(err, packets.ErrorRefusedIDRejected):
		return troubleRefused, "the broker refuses the client id"
	case errors.Is(err, packets.ErrorRefusedBadProtocolVersion):
		return troubleRefused, "the broker does not speak MQTT 3.1.1"
	case errors.Is(err, packets.ErrorRefusedServerUnavailable):
		return troubleDown, "the broker says that it is not available"
	case errors.Is(err, link.ErrFile):
		return troubleDown, err.Error()
	case errors.As(err, &op) && op.Op == "dial":
		return troubleDown, fmt.Sprintf("cannot reach the broker (%v); check network and broker", op.Err)
	}
	return troubleDown, fmt.Sprintf("connection to the broker lost or not made: %v", err)
}

// slow marks what trying again soon will not mend.
func slow(t trouble, err error) error {
	switch t {
	case troubleRefused, troubleTrust, troubleStolen:
		return fmt.Errorf("%w: %w", cursor.ErrRefused, err)
	case troubleNone, troubleDown, troubleDates:
		// Dates mend themselves as soon as the clock is set.
		return err
	}
	return err
}

// hungUp reports whether the other end closed the connection, in contrast to
// a network that swallowed it.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
