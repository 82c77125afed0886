package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"nabat/sync/dispatch/store"
)

// maxAnswer is how much of an answer is read; nobody needs it.
const maxAnswer = 64 << 10

// newClient returns a client that calls the one address and goes nowhere else:
// no proxy of the environment, no redirect.
func newClient(o Options) *http.Client {
	d := &net.Dialer{Timeout: o.Timeout}
	if !o.AllowPrivate {
		d.Control = publicOnly
	}
	return &http.Client{
		Timeout: o.Timeout,
		Transport: &http.Transport{
			DialContext: d.DialContext, TLSClientConfig: o.TLS, TLSHandshakeTimeout: o.Timeout, ResponseHeaderTimeout: o.Timeout,
			MaxResponseHeaderBytes: 32 << 10, MaxIdleConns: atOnce, MaxIdleConnsPerHost: atOnce, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

var errPrivate = errors.New("the address is of this machine or of a private network; allow_private = true permits it")

// publicOnly looks at the address itself, after the name was resolved: a name
// that led elsewhere when it was checked is of no use.
func publicOnly(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address %s: %w", address, err)
	}
	if !public(at.Addr().Unmap()) {
		return fmt.Errorf("%s: %w", at.Addr(), errPrivate)
	}
	return nil
}

func public(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4", // of nobody, of carriers, of tests
		"64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", // another address inside this one
	} {
		if netip.MustParsePrefix(p).Contains(a) {
			return false
		}
	}
	return true
}

func ofThisMachine(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}

// post sends one message. refused says that the receiver took it for wrong;
// after is how long it wants not to be called.
func (w *Webhook) post(ctx context.Context, out store.Outgoing) (after time.Duration, refused bool, err error) {
	body, err := w.body(out)
	if err != nil {
		return 0, true, err
	}
	ctx, cancel := context.WithTimeout(ctx, w.o.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.o.URL, bytes.NewReader(body))
	if err != nil {
		return 0, true, fmt.Errorf("make the request: %w", err)
	}
	id, at := strconv.FormatInt(out.ID, 10), strconv.FormatInt(w.o.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "nabat-dispatch")
	req.Header.Set("Nabat-Id", id)
	req.Header.Set("Nabat-Timestamp", at)
	req.Header.Set("Nabat-Signature", Sign(w.o.Secret, id, at, body))
	resp, err := w.client.Do(req)
	if err != nil {
		return 0, false, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)) // the status says it all
	_ = resp.Body.Close()
	if resp.StatusCode/100 == 2 {
		return 0, false, nil
	}
	if s, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 31); err == nil {
		after = min(time.Duration(s)*time.Second, lastPause)
	}
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusUnauthorized, http.StatusForbidden:
	default:
		refused = resp.StatusCode/100 == 4
	}
	return after, refused, fmt.Errorf("the receiver answers %s", resp.Status)
}
