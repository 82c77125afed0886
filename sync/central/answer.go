package central

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"nabat/sync/event"
)

// problem is an answer, or a lack of one, that leaves the rows for later.
type problem struct {
	trouble trouble
	detail  string // for a person; names the remedy
}

// Error implements error.
func (p *problem) Error() string { return p.detail }

// busyError is a service that asks to be left alone for a while.
type busyError struct {
	status int
	at     time.Time
	wait   time.Duration // not capped; zero when it did not say
}

// Error implements error.
func (b *busyError) Error() string {
	if b.wait == 0 {
		return fmt.Sprintf("the service is busy (%d)", b.status)
	}
	return fmt.Sprintf("the service is busy (%d) and asks to wait %v", b.status, b.wait.Round(time.Second))
}

// unfitError is a request that the service refuses because of what is in it.
type unfitError struct {
	status int
	reason string
}

// Error implements error.
func (u *unfitError) Error() string {
	if u.status == http.StatusRequestEntityTooLarge {
		return fmt.Sprintf("too large for the central service (%d) %s", u.status, u.reason)
	}
	return fmt.Sprintf("refused by the central service (%d): %s", u.status, u.reason)
}

// errPlain says that the service does not take compressed requests.
var errPlain = errors.New("the service does not take gzip")

// check returns nil for a 200 that holds JSON, and what is wrong otherwise.
func (c *Client) check(a answer) error {
	switch {
	case a.status == http.StatusOK:
		if !a.json() {
			return c.foreign(a)
		}
		return nil
	case a.status == http.StatusNetworkAuthenticationRequired:
		return c.foreign(a)
	case a.status >= 300 && a.status < 400:
		return &problem{trouble: troubleRefused, detail: "the service's address points elsewhere" + a.elsewhere() +
			"; the gateway does not follow, because its token must not travel. Write the final address into the configuration, or log the network in if it wants that"}
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		who := "certificate " + c.o.CertFile
		if c.o.TokenFile != "" {
			who = "token file " + c.o.TokenFile
		}
		return &problem{trouble: troubleRefused, detail: fmt.Sprintf("the service refuses this gateway (%d%s); check %s and the gateway's entry at dispatch", a.status, a.said(), who)}
	case a.status == http.StatusNotFound, a.status == http.StatusMethodNotAllowed, a.status == http.StatusGone:
		return &problem{trouble: troubleRefused, detail: fmt.Sprintf(
			"the service does not know this address (%d%s); check the url, and that site %q and gateway %q are entered at dispatch", a.status, a.said(), c.o.Site, c.o.Gateway)}
	case a.status == http.StatusTooManyRequests, a.status == http.StatusServiceUnavailable:
		wait, _ := retryAfter(a.header, time.Now())
		return &busyError{status: a.status, at: time.Now(), wait: spread(wait)}
	case a.status >= 200 && a.status < 300:
		return c.foreign(a)
	}
	return &problem{trouble: troubleDown, detail: fmt.Sprintf("the service answers %d%s", a.status, a.said())}
}

// foreign is an answer that the service would never give.
func (c *Client) foreign(a answer) error {
	kind := a.header.Get("Content-Type")
	return &problem{trouble: troubleForeign, detail: fmt.Sprintf(
		"something answers at %s that is not the central service (%d, %s): probably the log-in page of this network, or a wrong url. Log the gateway in to the network, or correct the url",
		c.target.host, a.status, short(kind, 60))}
}

func (a answer) json() bool {
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	return err == nil && kind == event.JSONType
}

// said returns the service's own words after a colon, or "".
func (a answer) said() string {
	if r := a.reason(); r != "" {
		return ": " + r
	}
	return ""
}

// reason returns what the service gives as its error, or "" when the answer is
// not in the service's form.
func (a answer) reason() string {
	var w struct {
		Error string `json:"error"`
	}
	if !a.json() || json.Unmarshal(a.body, &w) != nil {
		return ""
	}
	return short(w.Error, 200)
}

// elsewhere names the host that a redirection points to, without its path.
func (a answer) elsewhere() string {
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil || u.Host == "" {
		return ""
	}
	return fmt.Sprintf(" (to %s://%s)", short(u.Scheme, 10), short(u.Host, 80))
}

// short cuts a foreign text to n runes and makes it one printable line.
func short(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	if r := []rune(s); len(r) > n {
		s = string(r[:n]) + "…"
	}
	return strings.TrimSpace(s)
}

// maxRetryAfter is the most that a service can ask for.
const maxRetryAfter = 365 * 24 * time.Hour

// retryAfter reads how long the service wants to be left alone. A date is read
// by the service's own clock where the answer tells it, because ours may be in
// 1970. The result is not negative; who calls caps it.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		// A bound, so that no product overflows.
		return time.Duration(max(0, min(n, int64(maxRetryAfter/time.Second)))) * time.Second, true
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return max(0, min(until.Sub(now), maxRetryAfter)), true
}

// maxReceipts and the bounds below keep an absurd answer small.
const (
	maxReceipts    = 64
	maxCommands    = 256
	maxCommandSize = 16 << 10
)

var errForm = errors.New("not the answer of a central service")

// parseReceipts reads the answer to a status document.
func parseReceipts(b []byte) ([]event.Receipt, error) {
	var w map[string]json.RawMessage
	var raw []json.RawMessage
	if err := json.Unmarshal(b, &w); err != nil {
		return nil, fmt.Errorf("%w: %w", errForm, err)
	}
	list, ok := w["receipts"]
	if !ok {
		return nil, fmt.Errorf("%w: no receipts", errForm)
	}
	if err := json.Unmarshal(list, &raw); err != nil {
		return nil, fmt.Errorf("%w: %w", errForm, err)
	}
	receipts := make([]event.Receipt, 0, min(len(raw), maxReceipts))
	for _, one := range raw[:min(len(raw), maxReceipts)] {
		r, err := event.ParseReceipt(one)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errForm, err)
		}
		receipts = append(receipts, r)
	}
	return receipts, nil
}

// parseCommands reads the answer to the question for commands and returns them
// in the order of their counters.
func parseCommands(b []byte) ([]string, error) {
	type command struct {
		Counter uint64 `json:"counter"`
		JWS     string `json:"jws"`
	}
	var w map[string]json.RawMessage
	var list []command
	if err := json.Unmarshal(b, &w); err != nil {
		return nil, fmt.Errorf("%w: %w", errForm, err)
	}
	raw, ok := w["commands"]
	if !ok {
		return nil, fmt.Errorf("%w: no commands", errForm)
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("%w: %w", errForm, err)
	}
	slices.SortStableFunc(list, func(a, b command) int {
		switch {
		case a.Counter < b.Counter:
			return -1
		case a.Counter > b.Counter:
			return 1
		}
		return 0
	})
	texts := make([]string, 0, min(len(list), maxCommands))
	for _, c := range list {
		if c.JWS != "" && len(c.JWS) <= maxCommandSize && len(texts) < maxCommands {
			texts = append(texts, c.JWS)
		}
	}
	return texts, nil
}
