package store

import (
	"context"
	"fmt"
	"time"
)

// AlertName names one alert of one gateway.
type AlertName struct {
	Gateway Gateway
	ID      string
}

// Take is an operator's word to look after an alert, up to a press. It holds at
// dispatch at once; the school knows of it when the gateway has answered the
// command that went with it.
type Take struct {
	Number uint64
	By     string
	At     time.Time
}

// Take gives the alert, up to press number, to an operator, unless somebody
// has it already as far as that. It returns who has it then: compare By. Of
// any number of callers in any number of processes one wins. A press with a
// higher number can be taken by somebody else.
func (s *Store) Take(ctx context.Context, name AlertName, number uint64, by string) (Take, error) {
	wrap := func(err error) error { return fmt.Errorf("take alert %.64s of %s: %w", name.ID, name.Gateway, err) }
	key, err := s.key(ctx, name.Gateway)
	if err != nil {
		return Take{}, wrap(err)
	}
	if number == 0 || number > maxNumber {
		return Take{}, wrap(fmt.Errorf("press number %d: %w", number, ErrInvalid))
	}
	var out Take
	err = s.update(ctx, func(t tx) error {
		var n int
		if err := t.one(ctx, []any{&n}, "SELECT count(*) FROM alert WHERE gateway = $1 AND id = $2", key, plain(name.ID, maxName)); err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		// One statement decides: of two that meet, the second sees the first's row.
		won, err := t.exec(ctx, `INSERT INTO take (gateway, alert, number, who, at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (gateway, alert) DO UPDATE SET number = excluded.number, who = excluded.who, at = excluded.at WHERE take.number < excluded.number`,
			key, name.ID, int64(number), plain(by, maxName), s.now())
		if err != nil {
			return err
		}
		var at, has int64
		if err := t.one(ctx, []any{&has, &out.By, &at}, "SELECT number, who, at FROM take WHERE gateway = $1 AND alert = $2", key, name.ID); err != nil {
			return err
		}
		out.Number, out.At = uint64(has), fromMicros(at)
		if won == 0 {
			return nil
		}
		return s.chain(ctx, t, by, "alert.take", name.Gateway.String()+"/"+name.ID, fmt.Sprintf("up to press %d", number))
	}, AlertsChanged)
	if err != nil {
		return Take{}, wrap(err)
	}
	return out, nil
}

// Takes returns who has which of the alerts; those that nobody has are left out.
func (s *Store) Takes(ctx context.Context, names ...AlertName) (map[AlertName]Take, error) {
	asked := make(map[AlertName]bool, len(names))
	var ids []string
	for _, name := range names {
		asked[name] = true
		ids = append(ids, plain(name.ID, maxName))
	}
	out := make(map[AlertName]Take)
	err := inChunks(ids, func(in string, args []any) error {
		return s.db().each(ctx, func(scan func(...any) error) error {
			var name AlertName
			var x Take
			var number, at int64
			if err := scan(&name.Gateway.Site, &name.Gateway.ID, &name.ID, &number, &x.By, &at); err != nil {
				return err
			}
			if asked[name] {
				x.Number, x.At = uint64(number), fromMicros(at)
				out[name] = x
			}
			return nil
		}, "SELECT g.site, g.id, t.alert, t.number, t.who, t.at FROM take t JOIN gateway g ON g.key = t.gateway WHERE t.alert IN "+in, args...)
	})
	if err != nil {
		return nil, fmt.Errorf("who has the alerts: %w", err)
	}
	return out, nil
}

// aboutEach is how many commands CommandsAbout returns of one alert.
const aboutEach = 20

// CommandsAbout returns the commands about each of the alerts, the newest
// first, at most 20 of each.
func (s *Store) CommandsAbout(ctx context.Context, names ...AlertName) (map[AlertName][]Command, error) {
	out := make(map[AlertName][]Command)
	for _, name := range names {
		list, err := s.CommandsOf(ctx, name.Gateway, name.ID, aboutEach)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			out[name] = list
		}
	}
	return out, nil
}
