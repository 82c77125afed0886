package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Bounds of the lease. A process that dies gives it back at once, because the
// kernel closes its connection; one whose machine dies, after deadAfter.
const (
	leaseTry     = time.Second     // how often a process asks for it
	leaseProve   = 2 * time.Second // how often its holder makes sure
	leaseTimeout = 3 * time.Second // one answer of the database
	deadAfter    = "10s"
)

// lease is an advisory lock of PostgreSQL: of all processes that share the
// database, one holds it.
type lease struct {
	url string
	key int64
	log *slog.Logger
}

// newLease returns nil for a database that one process has to itself.
func newLease(url, name string, log *slog.Logger) *lease {
	if strings.HasPrefix(url, "sqlite:") {
		return nil
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte("nabat-dispatch subscription " + name)) // a hash takes everything
	return &lease{url: url, key: int64(h.Sum64()), log: log}
}

// Hold implements subscriber.Lease.
func (l *lease) Hold(ctx context.Context) (context.Context, func(), error) {
	config, err := pgx.ParseConfig(l.url)
	if err != nil {
		return nil, nil, fmt.Errorf("the database's address: %w", err)
	}
	config.ConnectTimeout = leaseTimeout
	// The server notices a dead machine soon and lets another process go on.
	config.RuntimeParams["tcp_keepalives_idle"] = "3"
	config.RuntimeParams["tcp_keepalives_interval"] = "2"
	config.RuntimeParams["tcp_keepalives_count"] = "3"
	config.RuntimeParams["tcp_user_timeout"] = deadAfter
	config.RuntimeParams["application_name"] = "nabat-dispatch lease"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, nil, err
	}
	closeConn := func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTimeout)
		defer cancel()
		_ = conn.Close(ctx) // with it the lock is gone
	}
	if err := l.take(ctx, conn); err != nil {
		closeConn()
		return nil, nil, err
	}
	l.log.Info("this process has the subscription")
	held, lose := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer lose()
		l.prove(held, conn)
	}()
	return held, func() { lose(); <-ended; closeConn() }, nil
}

// take waits until the lock is ours.
func (l *lease) take(ctx context.Context, conn *pgx.Conn) error {
	ticker := time.NewTicker(leaseTry)
	defer ticker.Stop()
	for {
		try, cancel := context.WithTimeout(ctx, leaseTimeout)
		var ours bool
		err := conn.QueryRow(try, "select pg_try_advisory_lock($1)", l.key).Scan(&ours)
		cancel()
		if err != nil {
			return fmt.Errorf("ask for the lease: %w", err)
		}
		if ours {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// prove returns when the connection that holds the lock is gone.
func (l *lease) prove(ctx context.Context, conn *pgx.Conn) {
	ticker := time.NewTicker(leaseProve)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		try, cancel := context.WithTimeout(ctx, leaseTimeout)
		_, err := conn.Exec(try, "select 1")
		cancel()
		if err != nil {
			if ctx.Err() == nil {
				l.log.Warn("the lease of the subscription was lost", "error", err)
			}
			return
		}
	}
}
