package central

import (
	"bytes"
	"context"
	"fmt"
	"mime"
	"net/http"
)

// maxConfig bounds a configuration, in bytes.
const maxConfig = 1 << 20

// Fetch asks the service for the configuration that dispatch last assigned to
// this gateway and returns its text, which nobody has checked yet; nil means
// that none is assigned. It uses a connection of its own and may be called from
// any goroutine, whether Run lasts or not.
func (c *Client) Fetch(ctx context.Context) ([]byte, error) {
	caller, err := c.newCaller()
	if err != nil {
		return nil, fmt.Errorf("fetch the configuration: %w", err)
	}
	defer caller.transport.CloseIdleConnections()
	a, err := caller.do(ctx, caller.client(c.t.Request, retries, c.t.BusyUrgent),
		call{method: http.MethodGet, path: "/config", most: maxConfig})
	if err != nil {
		_, detail := diagnose(err, c.o.Now)
		return nil, fmt.Errorf("fetch the configuration: %s: %w", detail, err)
	}
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	switch {
	case a.status == http.StatusNoContent:
		return nil, nil
	case a.status != http.StatusOK:
		return nil, fmt.Errorf("fetch the configuration: %w", c.check(a))
	case kind == "text/html" || bytes.HasPrefix(bytes.TrimSpace(a.body), []byte("<")):
		return nil, fmt.Errorf("fetch the configuration: %w", c.foreign(a))
	}
	return a.body, nil
}
