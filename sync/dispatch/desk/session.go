package desk

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"

	"github.com/alexedwards/scs/v2"

	"nabat/gateway/alert"
	"nabat/sync/dispatch/store"
)

// What a session holds.
const (
	keyOperator = "operator"
	keyToken    = "csrf" // proves that a form is ours
	keyLanguage = "lang"
	keyFlash    = "flash" // a message for the next page
	keySeen     = "seen"  // when the person last did something, in seconds
	keyPassword = "since" // when the password was set that opened it
)

// visitor is who sent a request: an enabled operator with a session.
type visitor struct {
	Operator store.Operator
	Address  netip.Addr
	Token    string
}

// Admin reports whether the visitor may manage people and settings.
func (v visitor) Admin() bool { return v.Operator.Role == store.AdminRole }

func (s *Server) newSessions() *scs.SessionManager {
	// Not scs.New, which starts a goroutine for a store that is not ours.
	m := &scs.SessionManager{
		Store: s.opt.Store.Sessions(), Codec: scs.GobCodec{}, IdleTimeout: s.opt.Idle, Lifetime: s.opt.Lifetime,
		Cookie: scs.SessionCookie{
			Name: "__Host-nabat_dispatch", // a browser takes it from us alone
			Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode,
		},
	}
	if s.opt.Insecure {
		m.Cookie.Name, m.Cookie.Secure = "nabat_dispatch", false
	}
	m.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, err error) {
		s.log.Error("sessions cannot be read or written", "error", err)
		http.Error(w, "the dispatch database does not answer; try again", http.StatusServiceUnavailable)
	}
	return m
}

func (s *Server) withSession(next http.Handler) http.Handler { return s.sessions.LoadAndSave(next) }

// known lets only operators in. Browsers on this machine are the demo operator
// where there is one.
func (s *Server) known(next func(http.ResponseWriter, *http.Request, visitor)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		v, err := s.visitor(ctx, r)
		if errors.Is(err, errNobody) && s.demo(r) {
			if err = s.begin(ctx, s.opt.Demo); err == nil {
				v, err = s.visitor(ctx, r)
			}
		}
		switch {
		case errors.Is(err, errNobody) && r.Method == http.MethodGet && !wantsJSON(r):
			to := url.Values{"next": {r.URL.RequestURI()}}
			if l := r.URL.Query().Get("lang"); l != "" {
				to.Set("lang", l)
			}
			http.Redirect(w, r, "/dispatch/login?"+to.Encode(), http.StatusSeeOther)
			return
		case errors.Is(err, errNobody):
			s.refuse(w, r, http.StatusUnauthorized, "session")
			return
		case err != nil:
			s.sessions.ErrorFunc(w, r, err)
			return
		}
		if l := alert.Language(r.URL.Query().Get("lang")); slices.Contains(alert.Languages(), l) {
			s.sessions.Put(ctx, keyLanguage, string(l))
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead && !v.owns(r) {
			s.log.Warn("a form without its token was refused", "operator", v.Operator.ID, "path", r.URL.Path)
			s.refuse(w, r, http.StatusForbidden, "token")
			return
		}
		s.sessions.Put(ctx, keySeen, s.now().Unix())
		next(w, r, v)
	})
}

// onlyAdmin keeps pages for those who manage people and settings.
func (s *Server) onlyAdmin(next func(http.ResponseWriter, *http.Request, visitor)) func(http.ResponseWriter, *http.Request, visitor) {
	return func(w http.ResponseWriter, r *http.Request, v visitor) {
		if !v.Admin() {
			s.audited(r.Context(), v, "refused", r.URL.Path, "only an admin may do this")
			s.refuse(w, r, http.StatusForbidden, "admin")
			return
		}
		next(w, r, v)
	}
}

// owns reports whether the request carries the session's own token.
func (v visitor) owns(r *http.Request) bool {
	given := r.Header.Get("X-Nabat-Token")
	if given == "" {
		given = r.PostFormValue("token")
	}
	return v.Token != "" && subtle.ConstantTimeCompare([]byte(given), []byte(v.Token)) == 1
}

// errNobody means that a request has no session of an enabled operator.
var errNobody = errors.New("no session")

// visitor returns who has the session in ctx. The account is read anew each
// time, so that a disabled operator is out at once.
func (s *Server) visitor(ctx context.Context, r *http.Request) (visitor, error) {
	id := s.sessions.GetString(ctx, keyOperator)
	if id == "" {
		return visitor{}, errNobody
	}
	o, err := s.opt.Store.Operator(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return visitor{}, errNobody
	case err != nil:
		return visitor{}, fmt.Errorf("operator %s: %w", id, err)
	case !s.holds(ctx, o):
		return visitor{}, errNobody
	}
	return visitor{Operator: o, Address: address(r), Token: s.sessions.GetString(ctx, keyToken)}, nil
}

// holds reports whether the session in ctx still opens the account: it works,
// and its password is the one that opened the session.
func (s *Server) holds(ctx context.Context, o store.Operator) bool {
	return o.Disabled.IsZero() && s.sessions.GetInt64(ctx, keyPassword) == o.PasswordSet.UnixMicro()
}

// demo reports whether the caller sits at this machine and is let in for it.
// A name that is not loopback's could be another site's (DNS rebinding), and
// a forwarded request comes from somebody else.
func (s *Server) demo(r *http.Request) bool {
	if s.opt.Demo == "" || !address(r).IsLoopback() {
		return false
	}
	for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"} {
		if r.Header.Get(h) != "" {
			return false
		}
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	ip, err := netip.ParseAddr(host)
	return plainName(host) == "localhost" || (err == nil && ip.IsLoopback())
}

// begin starts a session. The token is renewed, so that a session that
// somebody else had prepared is worth nothing.
func (s *Server) begin(ctx context.Context, operator string) error {
	if err := s.sessions.RenewToken(ctx); err != nil {
		return fmt.Errorf("begin a session: %w", err)
	}
	var b [24]byte
	if _, err := rand.Read(b[:]); err != nil {
		return fmt.Errorf("read random token: %w", err)
	}
	o, err := s.opt.Store.Operator(ctx, operator)
	if err != nil {
		return fmt.Errorf("begin a session: %w", err)
	}
	s.sessions.Put(ctx, keyOperator, o.ID)
	s.sessions.Put(ctx, keySeen, s.now().Unix())
	s.sessions.Put(ctx, keyPassword, o.PasswordSet.UnixMicro())
	s.sessions.Put(ctx, keyToken, hex.EncodeToString(b[:]))
	return nil
}

// alive answers a page whose person has just moved: that puts the end of the
// session off.
func (s *Server) alive(w http.ResponseWriter, _ *http.Request, _ visitor) {
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request, v visitor) {
	s.audited(r.Context(), v, "logout", v.Operator.ID, "")
	if err := s.sessions.Destroy(r.Context()); err != nil {
		s.sessions.ErrorFunc(w, r, err)
		return
	}
	http.Redirect(w, r, "/dispatch/login?out=1", http.StatusSeeOther)
}
