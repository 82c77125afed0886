package gate

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

// mishap is a request that cannot be read, with the status to answer.
type mishap struct {
	status int
	why    string
}

func (m mishap) Error() string { return m.why }

// body reads a request's body of the one media type that the resource takes,
// of at most limit bytes on the wire and, where it is compressed, after it. It
// never holds more than that: a small body that would grow without end is given
// up at the limit.
func (g *Gate) body(w http.ResponseWriter, r *http.Request, media string, limit int64, compressed bool) ([]byte, error) {
	given, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset, there := params["charset"]; err != nil || given != media || (there && !strings.EqualFold(charset, "utf-8")) {
		return nil, mishap{http.StatusUnsupportedMediaType, "the content type must be " + media}
	}
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(g.l.Arrival)) // a recorder in a test has none
	in := io.Reader(http.MaxBytesReader(w, r.Body, limit))
	switch coding := r.Header.Get("Content-Encoding"); {
	case coding == "" || strings.EqualFold(coding, "identity"):
	case compressed && strings.EqualFold(coding, "gzip"):
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, unreadable(err, limit)
		}
		defer func() { _ = z.Close() }() // it was only read
		in = z
	default:
		return nil, mishap{http.StatusUnsupportedMediaType, "the content encoding must be gzip or none"}
	}
	b, err := io.ReadAll(io.LimitReader(in, limit+1))
	switch {
	case err != nil:
		return nil, unreadable(err, limit)
	case int64(len(b)) > limit:
		return nil, tooLarge(limit)
	}
	return b, nil
}

func tooLarge(limit int64) error {
	return mishap{http.StatusRequestEntityTooLarge, fmt.Sprintf("more than %d bytes; send less at a time", limit)}
}

func unreadable(err error, limit int64) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return tooLarge(limit)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return mishap{http.StatusBadRequest, "the body is not gzip"}
	}
	// A body that was cut is the link's fault, not the content's: the gateway
	// must not take it for a refusal of its events.
	return mishap{http.StatusRequestTimeout, "the body did not arrive whole"}
}

// turnAway answers for a body that cannot be read.
func turnAway(w http.ResponseWriter, err error) {
	var m mishap
	if !errors.As(err, &m) {
		m = mishap{http.StatusBadRequest, err.Error()}
	}
	if m.status == http.StatusRequestTimeout || m.status == http.StatusRequestEntityTooLarge {
		w.Header().Set("Connection", "close")
	}
	refuse(w, m.status, m.why)
}
