package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"nabat/gateway/alert"
)

// Errors that a caller may act on.
var (
	// ErrRealBoard says that a real board cannot be pressed from a keyboard:
	// who wants to test it has to walk to the button.
	ErrRealBoard = errors.New("the buttons of this gateway are real: press them by hand (only a simulated board can be pressed by command)")
	// ErrUnknownPoint is wrapped by a Presser that has no such button.
	ErrUnknownPoint = errors.New("no such button")
	// ErrNotSaved says that the gateway acts on a press, but could not save it in
	// time: the disk is slow, full or broken. It goes on trying.
	ErrNotSaved = errors.New("the gateway acts on the press, but has not saved it yet: look at `nabat status`")
	// ErrNotRunning says that no gateway answers at the socket.
	ErrNotRunning = errors.New("no gateway answers")
	// ErrRunning says that another gateway answers at the socket already.
	ErrRunning = errors.New("another gateway is running")

	errRequest = errors.New("bad request")
	errBusy    = errors.New("too many presses at once; try again")
)

// LongestHold bounds a press by command; a button that is held longer counts
// as stuck.
const LongestHold = 60 * time.Second

// Bounds of what one side reads from the other.
const (
	maxRequest  = 4 << 10
	maxResponse = 8 << 20
	maxPoint    = 128
)

// pressRequest asks for one press. HoldMS is in milliseconds; 0 is a tap.
type pressRequest struct {
	Point  string `json:"point"`
	HoldMS int64  `json:"hold_ms"`
}

func (p pressRequest) hold() time.Duration { return time.Duration(p.HoldMS) * time.Millisecond }

// decodePress reads one request and nothing after it.
func decodePress(r io.Reader) (pressRequest, error) {
	var p pressRequest
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, fmt.Errorf("%w: want {\"point\":\"button-204\",\"hold_ms\":3000}: %w", errRequest, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return p, fmt.Errorf("%w: something follows the request", errRequest)
	}
	return p, p.check()
}

func (p pressRequest) check() error {
	if p.Point == "" || len(p.Point) > maxPoint {
		return fmt.Errorf("%w: point needs the id of a button", errRequest)
	}
	if p.HoldMS < 0 || p.HoldMS > LongestHold.Milliseconds() {
		return fmt.Errorf("%w: a hold lasts from 0 to %v", errRequest, LongestHold)
	}
	return nil
}

// failure is the body of every answer that is not 2xx.
type failure struct {
	// Code is stable, Error is for people.
	Code  string `json:"code"`
	Error string `json:"error"`
}

// Codes of failures.
const (
	codeRealBoard    = "real-board"
	codeUnknownPoint = "unknown-point"
	codeNotSaved     = "not-saved"
	codeRequest      = "bad-request"
	codeBusy         = "busy"
	codeNoNotice     = "no-announcement"
	codeFailed       = "failed"
)

// remoteError is a failure as the client returns it: the gateway's words, and
// the sentinel that its code stands for.
type remoteError struct {
	text     string
	sentinel error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.sentinel }

func (f failure) err() error {
	text := "the gateway says: " + clean(f.Error)
	switch f.Code {
	case codeRealBoard:
		return &remoteError{text, ErrRealBoard}
	case codeUnknownPoint:
		return &remoteError{text, ErrUnknownPoint}
	case codeNotSaved:
		return &remoteError{text, ErrNotSaved}
	case codeNoNotice:
		return &remoteError{text, alert.ErrNoNotice}
	case codeBusy:
		return &remoteError{text, errBusy}
	case codeRequest:
		return &remoteError{text, errRequest}
	}
	return &remoteError{text, nil}
}
