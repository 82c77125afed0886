package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"nabat/gateway/health"
	"nabat/sync/event"
)

// GatewayInfo is one line of the registry.
type GatewayInfo struct {
	Gateway Gateway
	// Name is what people call it: the school.
	Name  string
	Added time.Time
	// Revoked is when its credentials were withdrawn; zero while they hold.
	Revoked time.Time
	// CertName is the name in its client certificate; empty means site/gateway.
	CertName string

	// Heard is when it last spoke, zero for never; Online says that it did so
	// within SilentAfter of now, on some link, and has not said farewell.
	Heard  time.Time
	Online bool
	Links  []LinkInfo
	// Status is its last status document.
	Status     event.Status
	Conditions []health.Condition
	// ClockError is how far its wall clock was from ours at its last live word
	// (positive: it is ahead).
	ClockError time.Duration
	// Forked is when two different events came under one id, as a copied disk
	// makes them; zero when never.
	Forked time.Time

	// Events and Refused count what was stored of it, Open its open alerts.
	Events, Refused uint64
	Open            int
	// Config is the digest of the configuration assigned to it, SHA-256 in
	// lower-case hex; empty when none is.
	Config string
}

// LinkInfo is what was last heard on one link.
type LinkInfo struct {
	Link    string
	Online  bool
	Session string
	Heard   time.Time
}

// AuthCache bounds how long a revoked credential may still work in a process
// that has not heard of the revocation.
const AuthCache = 5 * time.Second

// Gateways lists the registry, by site and id.
func (s *Store) Gateways(ctx context.Context) ([]GatewayInfo, error) { return s.gateways(ctx, nil) }

// AddGateway registers a gateway and returns its bearer token. Only a hash of
// it is stored: it cannot be shown again. A known gateway gives ErrExists.
func (s *Store) AddGateway(ctx context.Context, g Gateway, name, by string) (string, error) {
	if err := g.Check(); err != nil {
		return "", fmt.Errorf("add gateway: %w: %w", err, ErrInvalid)
	}
	token, hash := newToken()
	err := s.update(ctx, func(t tx) error {
		n, err := t.exec(ctx, "INSERT INTO gateway (site, id, name, added, token) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
			g.Site, g.ID, plain(name, maxReason), s.now(), hash[:])
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrExists
		}
		return s.chain(ctx, t, by, "gateway.add", g.String(), name)
	}, GatewaysChanged, AccessChanged)
	if err != nil {
		return "", fmt.Errorf("add gateway %s: %w", g, err)
	}
	return token, nil
}

// newToken returns 256 random bits as text, and the hash that is stored.
func newToken() (string, [sha256.Size]byte) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the process instead
	token := base64.RawURLEncoding.EncodeToString(b[:])
	return token, sha256.Sum256([]byte(token))
}

// change runs one UPDATE of a gateway's row ($1 is its key) and audits it.
func (s *Store) change(ctx context.Context, g Gateway, by, what, detail, text string, args ...any) error {
	key, err := s.key(ctx, g)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	err = s.update(ctx, func(t tx) error {
		if _, err := t.exec(ctx, text, append([]any{key}, args...)...); err != nil {
			return err
		}
		return s.chain(ctx, t, by, what, g.String(), detail)
	}, GatewaysChanged, AccessChanged)
	s.auth.forget()
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, g, err)
	}
	return nil
}

// RotateToken gives a gateway a new token; the old one ends at once. It also
// takes a revocation back.
func (s *Store) RotateToken(ctx context.Context, g Gateway, by string) (string, error) {
	token, hash := newToken()
	return token, s.change(ctx, g, by, "gateway.token", "", "UPDATE gateway SET token = $2, revoked = 0 WHERE key = $1", hash[:])
}

// Revoke withdraws a gateway's token and certificate. Its history stays.
func (s *Store) Revoke(ctx context.Context, g Gateway, by string) error {
	return s.change(ctx, g, by, "gateway.revoke", "", "UPDATE gateway SET revoked = $2 WHERE key = $1", s.now())
}

// MapCertificate lets a gateway come with a client certificate of another name
// than site/gateway; an empty name ends that.
func (s *Store) MapCertificate(ctx context.Context, g Gateway, name, by string) error {
	name = plain(name, maxName)
	var site, id string
	switch err := s.db().one(ctx, []any{&site, &id}, "SELECT site, id FROM gateway WHERE cert = $1 AND cert <> ''", name); {
	case err == nil && (Gateway{site, id}) != g:
		return fmt.Errorf("certificate name %q is that of %s/%s: %w", name, site, id, ErrExists)
	case err != nil && !errors.Is(err, ErrNotFound):
		return fmt.Errorf("map certificate: %w", err)
	}
	return s.change(ctx, g, by, "gateway.certificate", name, "UPDATE gateway SET cert = $2 WHERE key = $1", name)
}

// authCache remembers what the registry said about gateways, briefly.
type authCache struct {
	mu    sync.Mutex
	known map[Gateway]authEntry // guarded by mu
}

type authEntry struct {
	hash  [sha256.Size]byte
	until time.Time
}

func (c *authCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = nil
}

func (c *authCache) good(g Gateway, hash [sha256.Size]byte, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.known[g]
	return ok && now.Before(e.until) && subtle.ConstantTimeCompare(e.hash[:], hash[:]) == 1
}

func (c *authCache) put(g Gateway, hash [sha256.Size]byte, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = make(map[Gateway]authEntry)
	}
	c.known[g] = authEntry{hash, until}
}

// Authenticate checks a bearer token. A wrong, unknown or revoked one gives
// ErrDenied, any other error means that it could not be checked. A token that
// was good is held good for at most AuthCache, in other processes too.
func (s *Store) Authenticate(ctx context.Context, g Gateway, token string) error {
	hash := sha256.Sum256([]byte(token))
	// The monotonic clock: a wall clock that is set back must not prolong a
	// revoked credential.
	now := time.Now()
	if s.auth.good(g, hash, now) {
		return nil
	}
	var want []byte
	var revoked int64
	switch err := s.db().one(ctx, []any{&want, &revoked}, "SELECT token, revoked FROM gateway WHERE site = $1 AND id = $2", plain(g.Site, maxKey), plain(g.ID, maxKey)); {
	case errors.Is(err, ErrNotFound):
		return fmt.Errorf("gateway %s: unknown: %w", g, ErrDenied)
	case err != nil:
		return fmt.Errorf("check the token of %s: %w", g, err)
	case subtle.ConstantTimeCompare(want, hash[:]) != 1:
		return fmt.Errorf("gateway %s: wrong token: %w", g, ErrDenied)
	case revoked != 0:
		return fmt.Errorf("gateway %s: its credentials were withdrawn: %w", g, ErrDenied)
	}
	s.auth.put(g, hash, now.Add(AuthCache))
	return nil
}

// ByCertificate returns the gateway that a client certificate's name (its CN,
// or the path of its URI) stands for; ErrDenied where there is none, or it is
// revoked.
func (s *Store) ByCertificate(ctx context.Context, name string) (Gateway, error) {
	var g Gateway
	var revoked int64
	site, id, _ := strings.Cut(name, "/")
	// A name that was given to a gateway is that gateway's, and a gateway that
	// has one does not come with another.
	err := s.db().one(ctx, []any{&g.Site, &g.ID, &revoked}, `SELECT site, id, revoked FROM gateway
		WHERE cert = $1 OR cert = '' AND site = $2 AND id = $3 ORDER BY cert DESC`, plain(name, maxName), plain(site, maxKey), plain(id, maxKey))
	switch {
	case errors.Is(err, ErrNotFound) || name == "":
		return Gateway{}, fmt.Errorf("certificate %.100q: unknown: %w", name, ErrDenied)
	case err != nil:
		return Gateway{}, fmt.Errorf("look up certificate %.100q: %w", name, err)
	case revoked != 0:
		return Gateway{}, fmt.Errorf("gateway %s: its credentials were withdrawn: %w", g, ErrDenied)
	}
	return g, nil
}

// GatewayInfo returns one line of the registry, or ErrNotFound.
func (s *Store) GatewayInfo(ctx context.Context, g Gateway) (GatewayInfo, error) {
	list, err := s.gateways(ctx, &g)
	if err != nil {
		return GatewayInfo{}, err
	}
	if len(list) == 0 {
		return GatewayInfo{}, fmt.Errorf("gateway %s: %w", g, ErrNotFound)
	}
	return list[0], nil
}

func (s *Store) gateways(ctx context.Context, only *Gateway) ([]GatewayInfo, error) {
	where, args := "", []any(nil)
	if only != nil {
		where, args = " AND g.site = $1 AND g.id = $2", []any{only.Site, only.ID}
	}
	var list []GatewayInfo
	index := make(map[int64]int)
	db := s.db()
	err := db.each(ctx, func(scan func(...any) error) error {
		var i GatewayInfo
		var key, added, revoked, clockError, forked int64
		var status string
		if err := scan(&key, &i.Gateway.Site, &i.Gateway.ID, &i.Name, &added, &revoked, &i.CertName, &i.Config,
			&status, &clockError, &i.Events, &i.Refused, &forked, &i.Open); err != nil {
			return err
		}
		i.Added, i.Revoked, i.Forked, i.ClockError = fromMicros(added), fromMicros(revoked), fromMicros(forked), time.Duration(clockError)*time.Microsecond
		if status != "" {
			if err := json.Unmarshal([]byte(status), &i.Status); err != nil {
				return fmt.Errorf("status of %s: %w", i.Gateway, err)
			}
			i.Conditions = i.Status.Conditions
		}
		index[key] = len(list)
		list = append(list, i)
		return nil
	}, `SELECT g.key, g.site, g.id, g.name, g.added, g.revoked, g.cert, g.digest, coalesce(s.status, ''), coalesce(s.clock_error, 0),
		CAST(coalesce((SELECT sum(t.events) FROM stream t WHERE t.gateway = g.key), 0) AS BIGINT),
		CAST(coalesce((SELECT sum(t.refused) FROM stream t WHERE t.gateway = g.key), 0) AS BIGINT),
		coalesce((SELECT max(t.forked) FROM stream t WHERE t.gateway = g.key), 0),
		(SELECT count(*) FROM standing a WHERE a.gateway = g.key AND a.stands = 1)
		FROM gateway g LEFT JOIN said s ON s.gateway = g.key WHERE 1 = 1`+where+" ORDER BY g.site, g.id", args...)
	if err != nil {
		return nil, fmt.Errorf("list gateways: %w", err)
	}
	now := s.opt.Now()
	err = db.each(ctx, func(scan func(...any) error) error {
		var key, heard int64
		var l LinkInfo
		if err := scan(&key, &l.Link, &l.Online, &l.Session, &heard); err != nil {
			return err
		}
		l.Heard = fromMicros(heard)
		n, ok := index[key]
		if !ok {
			return nil
		}
		i := &list[n]
		i.Links = append(i.Links, l)
		if l.Heard.After(i.Heard) {
			i.Heard = l.Heard
		}
		i.Online = i.Online || l.Online && now.Sub(l.Heard) < SilentAfter
		return nil
	}, "SELECT p.gateway, p.link, p.online, p.session, p.heard FROM presence p JOIN gateway g ON g.key = p.gateway WHERE 1 = 1"+where+" ORDER BY p.link", args...)
	if err != nil {
		return nil, fmt.Errorf("list gateways: %w", err)
	}
	return list, nil
}

// AssignConfig sets the configuration (TOML) that a gateway shall pull, and
// returns its digest: SHA-256 in lower-case hex.
func (s *Store) AssignConfig(ctx context.Context, g Gateway, toml, by string) (string, error) {
	if len(toml) > maxConfig || !utf8.ValidString(toml) || strings.ContainsRune(toml, 0) {
		return "", fmt.Errorf("configuration of %s: want text of at most %d bytes: %w", g, maxConfig, ErrInvalid)
	}
	sum := sha256.Sum256([]byte(toml))
	digest := hex.EncodeToString(sum[:])
	return digest, s.change(ctx, g, by, "gateway.config", digest, "UPDATE gateway SET config = $2, digest = $3 WHERE key = $1", toml, digest)
}

const maxConfig = 1 << 20

// Config returns the configuration assigned to a gateway; empty when none is.
func (s *Store) Config(ctx context.Context, g Gateway) (string, error) {
	var toml string
	if err := s.db().one(ctx, []any{&toml}, "SELECT config FROM gateway WHERE site = $1 AND id = $2", g.Site, g.ID); err != nil {
		return "", fmt.Errorf("configuration of %s: %w", g, err)
	}
	return toml, nil
}
