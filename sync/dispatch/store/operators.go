package store

import (
	"context"
	"time"
)

// Role is what an operator may do.
type Role string

// Roles.
const (
	// OperatorRole works on alerts. AdminRole also manages gateways, operators
	// and keys.
	OperatorRole Role = "operator"
	AdminRole    Role = "admin"
)

// Operator is a person with an account.
type Operator struct {
	// ID is the log-in name and what commands and the audit log say.
	ID      string
	Name    string
	Role    Role
	Created time.Time
	// Disabled is zero while the account works.
	Disabled time.Time
}

// Bounds of a password, in bytes.
const (
	ShortestPassword = 10
	LongestPassword  = 64
)

// AddOperator makes an account. The password is kept as an argon2id hash.
func (s *Store) AddOperator(ctx context.Context, o Operator, password, by string) error {
	return s.addOperator(ctx, o, password, by)
}

// SetPassword changes a password and ends the operator's sessions.
func (s *Store) SetPassword(ctx context.Context, id, password, by string) error {
	return s.setPassword(ctx, id, password, by)
}

// SetOperator changes name and role, and enables or disables the account; who
// is disabled has no session any more. The last enabled admin stays one.
func (s *Store) SetOperator(ctx context.Context, o Operator, by string) error {
	return s.setOperator(ctx, o, by)
}

// Login checks a password and returns the operator; ErrDenied for a wrong
// password, an unknown name and a disabled account alike, after the same work.
// At most two checks run at once; the others wait.
func (s *Store) Login(ctx context.Context, id, password string) (Operator, error) {
	return s.login(ctx, id, password)
}

// Operator returns one account, or ErrNotFound. Ask at each request, so that a
// disabled account ends at once.
func (s *Store) Operator(ctx context.Context, id string) (Operator, error) {
	return s.operator(ctx, id)
}

// Operators lists the accounts by id.
func (s *Store) Operators(ctx context.Context) ([]Operator, error) { return s.operators(ctx) }

// Sessions is a store of sessions for github.com/alexedwards/scs/v2: it has the
// methods of its Store and CtxStore. Tokens are kept as hashes only.
type Sessions struct{ s *Store }

// Sessions returns the store of operators' sessions.
func (s *Store) Sessions() Sessions { return Sessions{s} }

// Team is a mobile team.
type Team struct {
	ID    int64
	Name  string
	Phone string
	// Retired teams cannot be assigned any more.
	Retired bool
}

// Assignment is a team sent to an alert.
type Assignment struct {
	Team Team
	// By is the operator who sent it, At when.
	By string
	At time.Time
	// ETA is when it expects to arrive, Arrived when it did; zero when not known.
	ETA     time.Time
	Arrived time.Time
}

// PutTeam makes a team (ID zero) or changes it, and returns its ID.
func (s *Store) PutTeam(ctx context.Context, t Team, by string) (int64, error) {
	return s.putTeam(ctx, t, by)
}

// Teams lists the teams by name, retired ones last.
func (s *Store) Teams(ctx context.Context) ([]Team, error) { return s.teams(ctx) }

// Assign sends a team to an alert, or changes its ETA.
func (s *Store) Assign(ctx context.Context, g Gateway, alertID string, team int64, eta time.Time, by string) error {
	return s.assign(ctx, g, alertID, team, eta, by)
}

// TeamArrived notes that a team has arrived.
func (s *Store) TeamArrived(ctx context.Context, g Gateway, alertID string, team int64, by string) error {
	return s.teamArrived(ctx, g, alertID, team, by)
}
