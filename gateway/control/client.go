package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"
	"time"
)

// Bounds of the wait for an answer.
const (
	// answerLimit is how long a gateway in good health takes at the very most.
	answerLimit = 5 * time.Second
	// pressLimit is how long a press takes beyond its hold: the gateway tries to
	// save it first.
	pressLimit = 15 * time.Second
)

// Client asks the gateway on this machine. It may be used from any goroutine.
type Client struct {
	path string
	http *http.Client
}

// NewClient returns a client of the socket at path. It connects with each call.
func NewClient(path string) *Client {
	return &Client{path: path, http: &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
	}}}
}

// Status asks what a person on site should know. The error wraps
// ErrNotRunning when no gateway answers.
func (c *Client) Status(ctx context.Context) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	b, err := c.do(ctx, http.MethodGet, "/v1/status", nil)
	if err != nil {
		return Status{}, fmt.Errorf("ask for the status: %w", err)
	}
	var s Status
	if err := json.Unmarshal(b, &s); err != nil {
		return Status{}, fmt.Errorf("ask for the status: the answer is not understood (are gateway and command of one version?): %w", err)
	}
	return s, nil
}

// Press presses a simulated button and returns when it is released. A hold of
// 0 is a tap. The error wraps ErrRealBoard, ErrUnknownPoint, ErrNotSaved or
// ErrNotRunning where one of them is the reason.
func (c *Client) Press(ctx context.Context, point string, hold time.Duration) error {
	p := pressRequest{Point: point, HoldMS: hold.Milliseconds()}
	if err := p.check(); err != nil {
		return fmt.Errorf("press %q: %w", point, err)
	}
	b, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("press %q: %w", point, err)
	}
	ctx, cancel := context.WithTimeout(ctx, hold+pressLimit)
	defer cancel()
	if _, err := c.do(ctx, http.MethodPost, "/v1/press", b); err != nil {
		return fmt.Errorf("press %q: %w", point, err)
	}
	return nil
}

func (c *Client) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://nabat"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%w at %s: is it running, and is this its data_dir?", ErrNotRunning, c.path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("you may not use %s: call the command with sudo, or join the group of the socket: %w", c.path, err)
	case err != nil:
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if err != nil {
		return nil, fmt.Errorf("read the gateway's answer: %w", err)
	}
	if len(b) > maxResponse {
		return nil, fmt.Errorf("the gateway's answer is longer than %d bytes", maxResponse)
	}
	if resp.StatusCode/100 == 2 {
		return b, nil
	}
	var f failure
	if err := json.Unmarshal(b, &f); err != nil || f.Error == "" {
		f.Error = resp.Status
	}
	return nil, f.err()
}
