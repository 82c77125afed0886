package sip

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"nabat/hw/audio"
	"nabat/hw/audio/rtp"
)

// agent is our end of the signalling, for one call or one question: a socket of
// its own, so that nothing of one call can come to another. close ends it and
// what sipgo runs for it.
type agent struct {
	ua        *sipgo.UserAgent
	transport string
	local     netip.Addr
	to        string // the device's host:port, resolved

	mu sync.Mutex
	// own is our port, known after the first request; conns is what requests went
	// out on. mu guards them.
	own   int
	conns []sip.Connection
}

// newAgent finds the device and our own address as the device sees it. serve
// gets the device's requests, from goroutines of sipgo.
func (d *Driver) newAgent(ctx context.Context, serve func(*sip.Request, *sip.ServerTx)) (*agent, error) {
	port := d.uri.Port
	if port == 0 {
		port = sip.DefaultPort(d.transport)
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", d.uri.Host)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w: write its address instead of its name, or repair the DNS (%w)", d.uri.Host, err, audio.ErrAbsent)
	}
	to := netip.AddrPortFrom(ips[0].Unmap(), uint16(port))
	local, err := d.localFor(ctx, to)
	if err != nil {
		return nil, err
	}
	quiet := slog.New(slog.DiscardHandler) // what comes in from outside is not for our log
	a := &agent{transport: d.transport, local: local, to: to.String()}
	config := &tls.Config{}
	if d.o.TLS != nil {
		config = d.o.TLS.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = d.uri.Host // sipgo would take the address that it was resolved to
	}
	a.ua, err = sipgo.NewUA(
		sipgo.WithUserAgenTLSConfig(config),
		sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(quiet)),
		sipgo.WithUserAgentTransactionLayerOptions(
			sip.WithTransactionLayerLogger(quiet),
			sip.WithTransactionLayerTerminateOnConnClose(),
			sip.WithTransactionLayerUnhandledResponseHandler(func(*sip.Response) {}),
		),
	)
	if err != nil {
		return nil, fmt.Errorf("make a SIP agent: %w", err)
	}
	a.ua.TransactionLayer().OnRequest(func(req *sip.Request, tx *sip.ServerTx) {
		serve(req, tx)
		tx.TerminateGracefully()
	})
	return a, nil
}

// localFor returns the address that packets to the device leave from.
func (d *Driver) localFor(ctx context.Context, to netip.AddrPort) (netip.Addr, error) {
	if d.o.Interface != "" {
		ifi, err := rtp.Interface(d.o.Interface)
		if err != nil {
			return netip.Addr{}, err
		}
		ip, err := rtp.IPv4(ifi)
		if err != nil {
			return netip.Addr{}, err
		}
		addr, _ := netip.AddrFromSlice(ip)
		return addr.Unmap(), nil
	}
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "udp4", to.String()) // it sends nothing
	if err != nil {
		return netip.Addr{}, unreachable(err)
	}
	local := c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	return local, c.Close()
}

// start sends a request. The caller terminates the transaction.
func (a *agent) start(ctx context.Context, req *sip.Request) (*sip.ClientTx, error) {
	tx, err := a.ua.TransactionLayer().NewClientTransaction(ctx, req)
	if err != nil {
		return nil, err
	}
	// Only now is our port known.
	port := req.Via().Port
	a.mu.Lock()
	a.own = port
	if !slices.Contains(a.conns, tx.Connection()) {
		a.conns = append(a.conns, tx.Connection())
	}
	a.mu.Unlock()
	if c := req.Contact(); c != nil && c.Address.Port == 0 {
		c.Address.Port = port
	}
	if err := tx.Init(); err != nil {
		tx.Terminate()
		return nil, err
	}
	return tx, nil
}

func (a *agent) port() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.own
}

// via returns the header that brings the answer back to us.
func (a *agent) via() *sip.ViaHeader {
	v := &sip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: a.transport, Host: a.local.String(), Port: a.port()}
	v.Params = sip.NewParams()
	v.Params.Add("branch", sip.GenerateBranch())
	v.Params.Add("rport", "")
	return v
}

// contact returns where we are to be found during the call.
func (a *agent) contact() *sip.ContactHeader {
	u := sip.Uri{Scheme: "sip", User: "nabat", Host: a.local.String(), Port: a.port()}
	if a.transport != "UDP" {
		u.UriParams = sip.NewParams()
		u.UriParams.Add("transport", sip.NetworkToLower(a.transport))
	}
	return &sip.ContactHeader{Address: u}
}

// bind makes a request leave from our address, and go to that host:port.
func (a *agent) bind(req *sip.Request, to string) {
	req.SetTransport(a.transport)
	req.SetDestination(to)
	req.Laddr = sip.Addr{IP: a.local.AsSlice(), Port: a.port()}
}

// close ends all transactions and closes the sockets. It does so below sipgo's
// own Close, which counts a reference too few for each socket and complains of
// that in the log of the whole program.
func (a *agent) close() {
	a.ua.TransactionLayer().Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.conns {
		switch c := c.(type) {
		case *sip.UDPConnection:
			_ = c.PacketConn.Close()
		case *sip.TCPConnection:
			_ = c.Conn.Close()
		default:
			_ = c.Close()
		}
	}
}

// unreachable is an error of a connection that could not be made.
func unreachable(err error) error {
	return fmt.Errorf("it cannot be reached: %w: is it switched on, and is its address right? (%w)", err, audio.ErrAbsent)
}

// silent is an error of a device that says nothing.
func silent(err error) error {
	if err == nil {
		err = errors.New("no answer")
	}
	return fmt.Errorf("it does not answer: %w: is it switched on, and are its address and transport right? (%w)", err, audio.ErrAbsent)
}

// intervalTooSmall is a status of RFC 4028.
const intervalTooSmall = 422

// refused is an error of a device that said no.
func refused(status int) error {
	what := "it refuses the call"
	switch status {
	case sip.StatusUnauthorized, sip.StatusProxyAuthRequired, sip.StatusForbidden:
		what = "it refuses our user name or password: correct username and the password file"
	case sip.StatusNotFound, sip.StatusGone, sip.StatusAddressIncomplete, sip.StatusGlobalDoesNotExistAnywhere:
		what = "nobody of that number is there: correct the uri"
	case sip.StatusBusyHere, sip.StatusGlobalBusyEverywhere:
		what = "it is busy: allow paging to interrupt a call in its settings"
	case sip.StatusTemporarilyUnavailable, sip.StatusRequestTimeout:
		what = "it is not available: is it registered at its exchange, and is do-not-disturb off?"
	case sip.StatusNotAcceptableHere, sip.StatusGlobalNotAcceptable, sip.StatusUnsupportedMediaType:
		what = "it takes neither PCMU nor PCMA: enable G.711 in its settings"
	case sip.StatusBadExtension, sip.StatusExtensionRequired, intervalTooSmall:
		what = "it insists on an extension, such as session timers: switch that off in its settings"
	case sip.StatusMovedPermanently, sip.StatusMovedTemporarily, sip.StatusUseProxy:
		what = "it sends the call elsewhere: switch call forwarding off"
	}
	return fmt.Errorf("%s (SIP %d)", what, status)
}
