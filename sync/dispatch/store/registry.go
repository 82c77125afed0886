package store

import (
	"context"
	"time"

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

// AddGateway registers a gateway and returns its bearer token. Only a hash of
// it is stored: it cannot be shown again. A known gateway gives ErrExists.
func (s *Store) AddGateway(ctx context.Context, g Gateway, name, by string) (token string, err error) {
	return s.addGateway(ctx, g, name, by)
}

// RotateToken gives a gateway a new token; the old one ends at once. It also
// takes a revocation back.
func (s *Store) RotateToken(ctx context.Context, g Gateway, by string) (token string, err error) {
	return s.rotateToken(ctx, g, by)
}

// Revoke withdraws a gateway's token and certificate. Its history stays.
func (s *Store) Revoke(ctx context.Context, g Gateway, by string) error {
	return s.revoke(ctx, g, by)
}

// RenameGateway changes what people call it.
func (s *Store) RenameGateway(ctx context.Context, g Gateway, name, by string) error {
	return s.renameGateway(ctx, g, name, by)
}

// MapCertificate lets a gateway come with a client certificate of another name
// than site/gateway; an empty name ends that.
func (s *Store) MapCertificate(ctx context.Context, g Gateway, name, by string) error {
	return s.mapCertificate(ctx, g, name, by)
}

// Authenticate checks a bearer token. A wrong, unknown or revoked one gives
// ErrDenied, any other error means that it could not be checked. A token that
// was good is held good for at most AuthCache, in other processes too.
func (s *Store) Authenticate(ctx context.Context, g Gateway, token string) error {
	return s.authenticate(ctx, g, token)
}

// AuthCache bounds how long a revoked credential may still work in a process
// that has not heard of the revocation.
const AuthCache = 5 * time.Second

// ByCertificate returns the gateway that a client certificate's name (its CN,
// or the path of its URI) stands for; ErrDenied where there is none, or it is
// revoked.
func (s *Store) ByCertificate(ctx context.Context, name string) (Gateway, error) {
	return s.byCertificate(ctx, name)
}

// Gateways lists the registry, by site and id.
func (s *Store) Gateways(ctx context.Context) ([]GatewayInfo, error) { return s.gateways(ctx, nil) }

// GatewayInfo returns one line of the registry, or ErrNotFound.
func (s *Store) GatewayInfo(ctx context.Context, g Gateway) (GatewayInfo, error) {
	return s.gatewayInfo(ctx, g)
}

// AssignConfig sets the configuration (TOML) that a gateway shall pull, and
// returns its digest: SHA-256 in lower-case hex.
func (s *Store) AssignConfig(ctx context.Context, g Gateway, toml, by string) (digest string, err error) {
	return s.assignConfig(ctx, g, toml, by)
}

// Config returns the configuration assigned to a gateway; empty when none is.
func (s *Store) Config(ctx context.Context, g Gateway) (toml string, err error) {
	return s.config(ctx, g)
}
