package central

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"nabat/sync/link"
)

const (
	// maxAnswer bounds the bytes that are read of any answer but a configuration.
	maxAnswer = 1 << 20
	// retries is how often one request is tried again at once; the journal does
	// the long retry.
	retries = 2
	// idle is how long an unused connection is kept, a few heartbeats.
	idle = 90 * time.Second
)

// caller is the connections of one session, with what they need.
type caller struct {
	target    target
	token     string
	transport *http.Transport
	timing    Timing
	ours      atomic.Pointer[error] // a complaint about our own certificate
}

// answer is a response that was read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// call is one request.
type call struct {
	method, path string
	query        url.Values
	kind         string // content type of the body
	body         []byte
	gzipped      bool
	most         int64 // bytes of the answer
}

func (c *Client) newCaller() (*caller, error) {
	token, err := c.token()
	if err != nil {
		return nil, err
	}
	k := &caller{target: c.target, token: token, timing: c.t}
	dialer := link.Dialer(c.t.Dial, c.t.Unacked)
	files := link.Certificates{CA: c.o.CAFile, Cert: c.o.CertFile, Key: c.o.KeyFile, Name: c.target.name}
	k.transport = &http.Transport{
		DialContext: dialer.DialContext,
		// One request a connection at a time: over a shared HTTP/2 connection an
		// alarm would stand behind the bytes of a routine batch.
		Protocols:           new(http.Protocols),
		MaxIdleConnsPerHost: 4, IdleConnTimeout: idle, DisableCompression: true,
		MaxResponseHeaderBytes: 64 << 10,
		DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return k.dialTLS(ctx, dialer, files, network, addr)
		},
	}
	k.transport.Protocols.SetHTTP1(true)
	return k, nil
}

func (c *Client) token() (string, error) {
	token, err := link.FirstLine(c.o.TokenFile)
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	token = strings.TrimSpace(token)
	if c.o.TokenFile != "" && token == "" {
		return "", fmt.Errorf("token file %s has an empty first line: %w", c.o.TokenFile, link.ErrFile)
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("token file %s holds characters that no token has: %w", c.o.TokenFile, link.ErrFile)
	}
	return token, nil
}

func (k *caller) dialTLS(ctx context.Context, dialer net.Dialer, files link.Certificates, network, addr string) (net.Conn, error) {
	config, ours, err := files.Config()
	if err != nil {
		return nil, err
	}
	if ours != nil {
		k.ours.Store(&ours)
	} else {
		k.ours.Store(nil)
	}
	raw, err := dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, k.timing.Dial)
	defer cancel()
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("TLS with %s: %w", k.target.name, err)
	}
	return conn, nil
}

// client returns a client for one purpose. busy caps what the service may ask
// for by Retry-After between two tries.
func (k *caller) client(timeout time.Duration, tries int, busy time.Duration) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport: k.transport, Timeout: timeout,
			// The token must not travel to where an answer points.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryWaitMin: 200 * time.Millisecond, RetryWaitMax: 2 * time.Second, RetryMax: tries,
		CheckRetry: again,
		Backoff: func(least, most time.Duration, attempt int, resp *http.Response) time.Duration {
			if resp != nil {
				if wait, ok := retryAfter(resp.Header, time.Now()); ok {
					return spread(min(wait, busy))
				}
			}
			return time.Duration(rand.Float64() * float64(min(least<<min(attempt, 10), most)))
		},
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

// spread makes a wait up to a tenth longer, so that a thousand gateways that
// were told the same do not come back at the same moment.
func spread(d time.Duration) time.Duration {
	return d + time.Duration(rand.Float64()*float64(d)/10)
}

// again says whether a request is tried again at once: when the service is
// busy, and when a connection broke that was there. Who cannot be reached, does
// not answer or shows a wrong certificate is left to the journal's retry.
func again(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err == nil {
		return resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable, nil
	}
	return !timedOut(err) && hungUp(err), nil
}

// do sends one request and reads the whole answer.
func (k *caller) do(ctx context.Context, client *retryablehttp.Client, c call) (answer, error) {
	address := k.target.base + c.path
	if len(c.query) > 0 {
		address += "?" + c.query.Encode()
	}
	var body any
	if c.body != nil {
		body = c.body
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, c.method, address, body)
	if err != nil {
		return answer{}, fmt.Errorf("make a request: %w", err)
	}
	if k.token != "" {
		req.Header.Set("Authorization", "Bearer "+k.token)
	}
	req.Header.Set("User-Agent", "nabat")
	if c.kind != "" {
		req.Header.Set("Content-Type", c.kind)
	}
	if c.gzipped {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := client.Do(req)
	if err != nil {
		// No connection is kept that may be dead.
		k.transport.CloseIdleConnections()
		var named *url.Error
		if errors.As(err, &named) {
			err = named.Err // without the address, which a person knows
		}
		if ours := k.ours.Load(); ours != nil {
			err = fmt.Errorf("%w (%w)", *ours, err)
		}
		return answer{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	most := c.most
	if most == 0 {
		most = maxAnswer
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil {
		return answer{}, fmt.Errorf("read the answer: %w", err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: b}
	if int64(len(b)) > most {
		return answer{}, &problem{trouble: troubleForeign, detail: fmt.Sprintf("the service answers with more than %d bytes", most)}
	}
	return a, nil
}
