//go:build !sqliteonly

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgres is a PostgreSQL database that other processes use at the same time.
type postgres struct {
	pool *pgxpool.Pool
	db   *sql.DB // over pool
}

// Names in the database that are ours: the lock under which the schema
// changes, the one under which the audit log grows, and the channel of NOTIFY.
const (
	schemaLock = 0x6e61626174_01
	auditLock  = 0x6e61626174_02
	channel    = "nabat_dispatch"
)

func openPostgres(ctx context.Context, opt Options) (_ *postgres, err error) {
	cfg, err := pgxpool.ParseConfig(opt.URL)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = int32(opt.Conns)
	if _, chosen := cfg.ConnConfig.RuntimeParams["application_name"]; !chosen {
		cfg.ConnConfig.RuntimeParams["application_name"] = "nabat-dispatch"
	}
	cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		// A receipt promises what is on disk; a server may be set to promise less.
		_, err := c.Exec(ctx, "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'")
		return err
	}
	p := &postgres{}
	if p.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, err
	}
	p.db = stdlib.OpenDBFromPool(p.pool)
	defer func() {
		if err != nil {
			_ = p.close()
		}
	}()
	var fsync, pages string
	if err := p.pool.QueryRow(ctx, "SELECT current_setting('fsync'), current_setting('full_page_writes')").Scan(&fsync, &pages); err != nil {
		return nil, err
	}
	if fsync != "on" || pages != "on" {
		return nil, fmt.Errorf("fsync is %s and full_page_writes is %s; set both to on in postgresql.conf: %w", fsync, pages, errPragma)
	}
	return p, p.migrate(ctx)
}

func (p *postgres) migrate(ctx context.Context) error {
	steps, err := schemaSteps(schemaFiles, "postgres")
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, p.pool, func(t pgx.Tx) error {
		if _, err := t.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(schemaLock)); err != nil {
			return fmt.Errorf("wait for another process to change the schema: %w", err)
		}
		if _, err := t.Exec(ctx, "CREATE TABLE IF NOT EXISTS user_version (version INT NOT NULL)"); err != nil {
			return fmt.Errorf("make the schema (the user needs CREATE on it): %w", err)
		}
		var have int
		if err := t.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM user_version").Scan(&have); err != nil {
			return fmt.Errorf("read schema version: %w", err)
		}
		if have > len(steps) {
			return fmt.Errorf("schema version is %d, this program knows up to %d: %w", have, len(steps), ErrNewerSchema)
		}
		for v := have + 1; v <= len(steps); v++ {
			// The simple protocol takes many statements at once.
			if _, err := t.Conn().PgConn().Exec(ctx, steps[v-1]).ReadAll(); err != nil {
				return fmt.Errorf("schema step %d: %w", v, err)
			}
			if _, err := t.Exec(ctx, "INSERT INTO user_version VALUES ($1)", v); err != nil {
				return fmt.Errorf("schema step %d: %w", v, err)
			}
		}
		return nil
	})
}

func (p *postgres) read() *sql.DB { return p.db }

func (p *postgres) dialect() dialect {
	return dialect{mark: "$", lock: " FOR UPDATE", skip: " FOR UPDATE SKIP LOCKED",
		one:  "SELECT pg_advisory_xact_lock(" + strconv.FormatInt(auditLock, 10) + ")",
		lazy: "SET LOCAL synchronous_commit = off",
		size: "SELECT pg_database_size(current_database())"}
}

// tries bounds how often a transaction that collided with another is repeated.
const tries = 20

// again reports whether err says that the transaction collided with another
// one, so that the same will work later.
func again(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "40001" || e.Code == "40P01")
}

// badData reports whether err is PostgreSQL's refusal of a value, whatever was
// overlooked in checking it: it would be refused again.
func badData(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (strings.HasPrefix(e.Code, "22") || strings.HasPrefix(e.Code, "23") || e.Code == "54000")
}

// retry repeats f while it collides, after a random pause.
func retry(ctx context.Context, f func() error) error {
	for i := 1; ; i++ {
		err := f()
		if err == nil || !again(err) || i == tries {
			return err
		}
		pause := time.NewTimer(time.Duration(rand.Int64N(int64(i) * int64(5*time.Millisecond))))
		select {
		case <-ctx.Done():
			pause.Stop()
			return err
		case <-pause.C:
		}
	}
}

func (p *postgres) update(ctx context.Context, topics []Topic, f func(tx) error) error {
	return retry(ctx, func() error {
		t, err := p.db.BeginTx(ctx, nil)
		if err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		defer func() { _ = t.Rollback() }() // after the commit it does nothing
		if err := f(tx{q: t, d: p.dialect()}); err != nil {
			return err
		}
		if len(topics) > 0 {
			if _, err := t.ExecContext(ctx, "SELECT pg_notify($1, $2)", channel, p.note(topics)); err != nil {
				return fmt.Errorf("notify: %w", err)
			}
		}
		if err := t.Commit(); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		return nil
	})
}

func (p *postgres) note(topics []Topic) string {
	words := make([]string, len(topics))
	for i, t := range topics {
		words[i] = t.String()
	}
	return strings.Join(words, ",")
}

// listen holds a connection of its own, and after each loss of it assumes that
// everything has changed.
func (p *postgres) listen(ctx context.Context, ring func(Topic)) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
		// Its errors are those of a connection that is mended here; whoever uses
		// the database meets them too, and says so.
		_ = p.hear(ctx, ring)
		pause.Reset(time.Second)
	}
}

func (p *postgres) hear(ctx context.Context, ring func(Topic)) error {
	conn, err := pgx.ConnectConfig(ctx, p.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(bounded)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	for t := range topics {
		ring(t)
	}
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		for word := range strings.SplitSeq(n.Payload, ",") {
			for t := range topics {
				if t.String() == word {
					ring(t)
				}
			}
		}
	}
}

func (p *postgres) ping(ctx context.Context) error {
	var inRecovery bool
	if err := p.pool.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&inRecovery); err != nil {
		return err
	}
	if inRecovery {
		return fmt.Errorf("this server is a standby and cannot be written: %w", ErrInvalid)
	}
	return nil
}

func (p *postgres) close() error {
	var err error
	if p.db != nil {
		err = p.db.Close()
	}
	if p.pool != nil {
		p.pool.Close()
	}
	return err
}
