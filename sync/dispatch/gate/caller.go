package gate

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"nabat/sync/dispatch/intake"
	"nabat/sync/dispatch/store"
)

// caller is the gateway that a request comes from, after it has proved it.
type caller struct{ store.Gateway }

func (c caller) name() string { return c.String() }

// known lets a request through whose proof fits the gateway in its address.
func (g *Gate) known(next func(http.ResponseWriter, *http.Request, caller)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := caller{store.Gateway{Site: r.PathValue("site"), ID: r.PathValue("gateway")}}
		if c.Check() != nil {
			refuse(w, http.StatusNotFound, "there is no such gateway")
			return
		}
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		// Wrong proofs are counted by where they come from: a guesser must not
		// lock the real gateway out.
		if g.crowd.guesses(host) {
			later(w, http.StatusTooManyRequests, time.Minute, "too many wrong tokens from this address")
			return
		}
		switch err := g.proof(r, c); {
		case errors.Is(err, errNoProof):
			w.Header().Set("WWW-Authenticate", `Bearer realm="nabat"`)
			refuse(w, http.StatusUnauthorized, err.Error())
			return
		case errors.Is(err, errOther):
			refuse(w, http.StatusForbidden, err.Error())
			return
		case errors.Is(err, store.ErrDenied):
			g.crowd.guessed(host)
			g.o.Log.Warn("a gateway was refused", "gateway", c.name(), "from", host)
			w.Header().Set("WWW-Authenticate", `Bearer realm="nabat", error="invalid_token"`)
			refuse(w, http.StatusUnauthorized, "the token is not that of this gateway, or the gateway is not registered")
			return
		case err != nil:
			g.failed(w, r, c, err)
			return
		}
		if wait := g.crowd.wait(c.name()); wait > 0 {
			later(w, http.StatusTooManyRequests, wait, "this gateway asks too often")
			return
		}
		next(w, r, c)
	}
}

var (
	errNoProof = errors.New("send the gateway's token as Authorization: Bearer TOKEN, or a client certificate")
	errOther   = errors.New("the client certificate names another gateway")
)

// proof checks who the caller is: by the token where there is one, else by the
// client certificate, which the TLS layer has verified.
func (g *Gate) proof(r *http.Request, c caller) error {
	if token, ok := bearer(r); ok {
		return g.o.Store.Authenticate(r.Context(), c.Gateway, token)
	}
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return errNoProof
	}
	// A certificate that stands for no gateway at all is worth what a wrong
	// token is; one that stands for another gateway is a mix-up.
	err := store.ErrDenied
	for _, name := range names(r.TLS.PeerCertificates[0]) {
		holder, why := g.o.Store.ByCertificate(r.Context(), name)
		switch {
		case why == nil && holder == c.Gateway:
			return nil
		case why == nil:
			err = errOther
		case !errors.Is(why, store.ErrDenied):
			return why
		}
	}
	return err
}

func bearer(r *http.Request) (string, bool) {
	list := r.Header.Values("Authorization")
	if len(list) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(list[0], " ")
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != "" && len(token) <= 512
}

// names returns what a certificate calls its holder: the common name, and what
// follows "nabat://" in its URIs.
func names(cert *x509.Certificate) []string {
	var list []string
	if cert.Subject.CommonName != "" {
		list = append(list, cert.Subject.CommonName)
	}
	for _, u := range cert.URIs {
		if u.Scheme == "nabat" && u.User == nil && u.RawQuery == "" && len(list) < 8 {
			list = append(list, u.Host+u.Path)
		}
	}
	return list
}

// failed answers for an error of the parts behind the gate. A gateway that went
// away gets nothing.
func (g *Gate) failed(w http.ResponseWriter, r *http.Request, c caller, err error) {
	switch {
	case r.Context().Err() != nil:
		return
	case errors.Is(err, intake.ErrBusy), errors.Is(err, intake.ErrClosed), errors.Is(err, context.DeadlineExceeded):
		g.o.Log.Debug("a gateway must wait", "gateway", c.name(), "error", err)
	default:
		g.o.Log.Error("a gateway could not be served", "gateway", c.name(), "error", err)
	}
	later(w, http.StatusServiceUnavailable, 2*time.Second, "dispatch cannot store at this moment; keep the rows and come again")
}
