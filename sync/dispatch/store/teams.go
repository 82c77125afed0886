package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// PutTeam makes a team (ID zero) or changes it, and returns its ID.
func (s *Store) PutTeam(ctx context.Context, team Team, by string) (int64, error) {
	name, phone := plain(strings.TrimSpace(team.Name), maxKey), plain(strings.TrimSpace(team.Phone), maxKey)
	if name == "" {
		return 0, fmt.Errorf("team: it needs a name: %w", ErrInvalid)
	}
	id := team.ID
	err := s.update(ctx, func(t tx) error {
		var other int64
		switch err := t.one(ctx, []any{&other}, "SELECT id FROM team WHERE name = $1", name); {
		case err == nil && other != team.ID:
			return ErrExists
		case err != nil && !errors.Is(err, ErrNotFound):
			return err
		}
		if team.ID == 0 {
			if err := t.one(ctx, []any{&id}, "INSERT INTO team (name, phone, retired) VALUES ($1, $2, $3) RETURNING id", name, phone, bit(team.Retired)); err != nil {
				return err
			}
		} else {
			n, err := t.exec(ctx, "UPDATE team SET name = $2, phone = $3, retired = $4 WHERE id = $1", team.ID, name, phone, bit(team.Retired))
			if err != nil {
				return err
			}
			if n == 0 {
				return ErrNotFound
			}
		}
		return s.chain(ctx, t, by, "team.put", name, phone)
	}, AlertsChanged)
	if err != nil {
		return 0, fmt.Errorf("team %s: %w", name, err)
	}
	return id, nil
}

// Teams lists the teams by name, retired ones last.
func (s *Store) Teams(ctx context.Context) ([]Team, error) {
	var list []Team
	err := s.db().each(ctx, func(scan func(...any) error) error {
		var t Team
		err := scan(&t.ID, &t.Name, &t.Phone, &t.Retired)
		list = append(list, t)
		return err
	}, "SELECT id, name, phone, retired FROM team ORDER BY retired, name")
	if err != nil {
		return nil, fmt.Errorf("list teams: %w", err)
	}
	return list, nil
}

// Assign sends a team to an alert, or changes its ETA.
func (s *Store) Assign(ctx context.Context, g Gateway, alertID string, team int64, eta time.Time, by string) error {
	key, err := s.key(ctx, g)
	if err != nil {
		return fmt.Errorf("assign a team: %w", err)
	}
	err = s.update(ctx, func(t tx) error {
		var n int
		if err := t.one(ctx, []any{&n}, "SELECT count(*) FROM alert WHERE gateway = $1 AND id = $2", key, alertID); err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		var name string
		if err := t.one(ctx, []any{&name}, "SELECT name FROM team WHERE id = $1 AND retired = 0", team); err != nil {
			return fmt.Errorf("team %d: %w", team, err)
		}
		if _, err := t.exec(ctx, `INSERT INTO assignment (gateway, alert, team, issuer, at, eta) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (gateway, alert, team) DO UPDATE SET eta = excluded.eta, issuer = excluded.issuer`, key, alertID, team, plain(by, maxName), s.now(), micros(eta)); err != nil {
			return err
		}
		return s.chain(ctx, t, by, "alert.assign", g.String()+"/"+alertID, name)
	}, AlertsChanged)
	if err != nil {
		return fmt.Errorf("assign a team to alert %.64s of %s: %w", alertID, g, err)
	}
	return nil
}

// TeamArrived notes that a team has arrived.
func (s *Store) TeamArrived(ctx context.Context, g Gateway, alertID string, team int64, by string) error {
	key, err := s.key(ctx, g)
	if err != nil {
		return fmt.Errorf("team arrived: %w", err)
	}
	err = s.update(ctx, func(t tx) error {
		n, err := t.exec(ctx, "UPDATE assignment SET arrived = $4 WHERE gateway = $1 AND alert = $2 AND team = $3 AND arrived = 0", key, alertID, team, s.now())
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		return s.chain(ctx, t, by, "alert.arrived", g.String()+"/"+alertID, strconv.FormatInt(team, 10))
	}, AlertsChanged)
	if err != nil {
		return fmt.Errorf("team %d arrived at alert %.64s of %s: %w", team, alertID, g, err)
	}
	return nil
}
