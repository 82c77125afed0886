package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nabat/gateway/pin"
	"nabat/sync/event"
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
	// PasswordSet is when the password was set last: refuse sessions that began
	// before.
	PasswordSet time.Time
	// Disabled is zero while the account works.
	Disabled time.Time
}

// Bounds of a password, in bytes.
const (
	ShortestPassword = 10
	LongestPassword  = 64
)

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

// AddOperator makes an account. The password is kept as an argon2id hash.
func (s *Store) AddOperator(ctx context.Context, o Operator, password, by string) error {
	if err := checkOperator(o); err != nil {
		return fmt.Errorf("add operator: %w", err)
	}
	hash, err := hashPassword(password)
	if err != nil {
		return fmt.Errorf("add operator %s: %w", o.ID, err)
	}
	err = s.update(ctx, func(t tx) error {
		n, err := t.exec(ctx, "INSERT INTO operator (id, name, role, hash, created, changed) VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT DO NOTHING",
			o.ID, plain(o.Name, maxName), string(o.Role), hash, s.now())
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrExists
		}
		return s.chain(ctx, t, by, "operator.add", o.ID, string(o.Role))
	})
	if err != nil {
		return fmt.Errorf("add operator %s: %w", o.ID, err)
	}
	return nil
}

func checkOperator(o Operator) error {
	if err := event.CheckID(o.ID); err != nil {
		return fmt.Errorf("name: %w: %w", err, ErrInvalid)
	}
	if o.Role != OperatorRole && o.Role != AdminRole {
		return fmt.Errorf("role %.20q, want %s or %s: %w", o.Role, OperatorRole, AdminRole, ErrInvalid)
	}
	return nil
}

func hashPassword(password string) (string, error) {
	if len(password) < ShortestPassword || len(password) > LongestPassword {
		return "", fmt.Errorf("the password must have %d to %d bytes: %w", ShortestPassword, LongestPassword, ErrInvalid)
	}
	hash, err := pin.Hash(password)
	if err != nil {
		return "", fmt.Errorf("the password must be on one line: %w", ErrInvalid)
	}
	return hash, nil
}

// SetPassword changes a password, and PasswordSet with it.
func (s *Store) SetPassword(ctx context.Context, id, password, by string) error {
	hash, err := hashPassword(password)
	if err != nil {
		return fmt.Errorf("password of %s: %w", id, err)
	}
	err = s.update(ctx, func(t tx) error {
		n, err := t.exec(ctx, "UPDATE operator SET hash = $2, changed = $3 WHERE id = $1", id, hash, s.now())
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		return s.chain(ctx, t, by, "operator.password", id, "")
	})
	if err != nil {
		return fmt.Errorf("password of %s: %w", id, err)
	}
	return nil
}

// SetOperator changes name and role, and enables or disables the account. The
// last enabled admin stays one.
func (s *Store) SetOperator(ctx context.Context, o Operator, by string) error {
	if err := checkOperator(o); err != nil {
		return fmt.Errorf("change operator: %w", err)
	}
	err := s.update(ctx, func(t tx) error {
		// All admins, in one order, so that two cannot disable each other at once.
		admins, found := 0, false
		if err := t.each(ctx, func(scan func(...any) error) error {
			var id, role string
			var disabled int64
			if err := scan(&id, &role, &disabled); err != nil {
				return err
			}
			found = found || id == o.ID
			if id != o.ID && Role(role) == AdminRole && disabled == 0 {
				admins++
			}
			return nil
		}, "SELECT id, role, disabled FROM operator ORDER BY id"+t.d.lock); err != nil {
			return err
		}
		if !found {
			return ErrNotFound
		}
		if admins == 0 && (o.Role != AdminRole || !o.Disabled.IsZero()) {
			return fmt.Errorf("it is the last admin: %w", ErrInvalid)
		}
		if _, err := t.exec(ctx, "UPDATE operator SET name = $2, role = $3, disabled = $4 WHERE id = $1", o.ID, plain(o.Name, maxName), string(o.Role), micros(o.Disabled)); err != nil {
			return err
		}
		detail := string(o.Role)
		if !o.Disabled.IsZero() {
			detail += ", disabled"
		}
		return s.chain(ctx, t, by, "operator.change", o.ID, detail)
	})
	if err != nil {
		return fmt.Errorf("change operator %s: %w", o.ID, err)
	}
	return nil
}

// nobody is the hash that is checked where there is no account, so that the
// time of an answer does not tell which names exist. No password gives it.
const nobody = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LW5vYm9keQ$bm9ib2R5LW5vYm9keS1ub2JvZHktbm9ib2R5LW5vYm8"

// Login checks a password and returns the operator; ErrDenied for a wrong
// password, an unknown name and a disabled account alike, after the same work.
// At most two checks run at once; the others wait.
func (s *Store) Login(ctx context.Context, id, password string) (Operator, error) {
	var hash string
	var disabled int64
	err := s.db().one(ctx, []any{&hash, &disabled}, "SELECT hash, disabled FROM operator WHERE id = $1", plain(id, maxName))
	missing := errors.Is(err, ErrNotFound)
	if err != nil && !missing {
		return Operator{}, fmt.Errorf("log in: %w", err)
	}
	if missing {
		hash = nobody
	}
	v, err := pin.Parse(hash)
	if err != nil {
		return Operator{}, fmt.Errorf("log in: %w", err)
	}
	select {
	case s.checks <- struct{}{}:
	case <-ctx.Done():
		return Operator{}, fmt.Errorf("log in: %w", ctx.Err())
	}
	good := v.Verify(password)
	<-s.checks
	if !good || missing || disabled != 0 {
		return Operator{}, fmt.Errorf("log in as %.64q: %w", id, ErrDenied)
	}
	return s.Operator(ctx, id)
}

const operatorColumns = "SELECT id, name, role, created, changed, disabled FROM operator "

func scanOperator(scan func(...any) error) (Operator, error) {
	var o Operator
	var role string
	var created, changed, disabled int64
	err := scan(&o.ID, &o.Name, &role, &created, &changed, &disabled)
	o.Role, o.Created, o.PasswordSet, o.Disabled = Role(role), fromMicros(created), fromMicros(changed), fromMicros(disabled)
	return o, err
}

// Operator returns one account, or ErrNotFound. Ask at each request, so that a
// disabled account ends at once.
func (s *Store) Operator(ctx context.Context, id string) (Operator, error) {
	var o Operator
	found := false
	err := s.db().each(ctx, func(scan func(...any) error) (err error) {
		found = true
		o, err = scanOperator(scan)
		return err
	}, operatorColumns+"WHERE id = $1", plain(id, maxName))
	if err == nil && !found {
		err = ErrNotFound
	}
	if err != nil {
		return Operator{}, fmt.Errorf("operator %.64q: %w", id, err)
	}
	return o, nil
}

// Operators lists the accounts by id.
func (s *Store) Operators(ctx context.Context) ([]Operator, error) {
	var list []Operator
	err := s.db().each(ctx, func(scan func(...any) error) error {
		o, err := scanOperator(scan)
		list = append(list, o)
		return err
	}, operatorColumns+"ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("list operators: %w", err)
	}
	return list, nil
}
