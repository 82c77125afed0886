package store

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"nabat/gateway/alert"
)

const (
	benchGateways = 10
	benchEach     = 100 // events of one gateway in one transaction
)

// BenchmarkIngest stores transactions of 1,000 events of ten gateways, a fifth
// of them about alerts, and the very same rows by bare batched inserts into an
// equal table with equal indexes of the same database, in turn. "ratio" is the
// bare time over ours.
func BenchmarkIngest(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		s := open(b, Options{URL: "sqlite:" + filepath.Join(b.TempDir(), "bench.db")})
		l := s.eng.(*lite)
		ctx := context.Background()
		for _, text := range []string{
			`CREATE TABLE bare (stream INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, link TEXT NOT NULL, alarm INTEGER NOT NULL,
				subject TEXT NOT NULL, refused TEXT NOT NULL, raw BLOB NOT NULL, PRIMARY KEY (stream, seq)) STRICT`,
			"CREATE INDEX bare_alarm ON bare (subject) WHERE alarm = 1", "CREATE INDEX bare_at ON bare (at, stream, seq)", "CREATE INDEX bare_refused ON bare (at) WHERE refused <> ''",
		} {
			if _, err := l.conn.ExecContext(ctx, text); err != nil {
				b.Fatal(err)
			}
		}
		insert, err := l.conn.PrepareContext(ctx, "INSERT INTO bare VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = insert.Close() }()
		compare(b, s, func(rows []eventRow) error {
			return bareLite(ctx, l.conn, insert, rows)
		})
	})
	b.Run("postgres", func(b *testing.B) {
		s := open(b, Options{URL: postgresURL(b)})
		p := s.eng.(*postgres)
		ctx := context.Background()
		if _, err := p.pool.Exec(ctx, "CREATE TABLE bare (LIKE event INCLUDING ALL)"); err != nil {
			b.Fatal(err)
		}
		conn, err := p.pool.Acquire(ctx)
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Release()
		b.Run("inserts", func(b *testing.B) {
			compare(b, s, func(rows []eventRow) error { return bareBatch(ctx, conn.Conn(), rows) })
		})
		b.Run("unnest", func(b *testing.B) {
			compare(b, s, func(rows []eventRow) error { return bareUnnest(ctx, conn.Conn(), rows) })
		})
		b.Run("copy", func(b *testing.B) {
			compare(b, s, func(rows []eventRow) error { return bareCopy(ctx, conn.Conn(), rows) })
		})
	})
}

func bareLite(ctx context.Context, conn *sql.Conn, insert *sql.Stmt, rows []eventRow) error {
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, e := range rows {
		if _, err := insert.ExecContext(ctx, e.stream, int64(e.seq), e.at, e.link, e.alarm, e.subject, e.refused, e.raw); err != nil {
			return err
		}
	}
	_, err := conn.ExecContext(ctx, "COMMIT")
	return err
}

// bareBatch sends one INSERT a row, all in one round trip and one transaction.
func bareBatch(ctx context.Context, conn *pgx.Conn, rows []eventRow) error {
	var t trip
	for _, e := range rows {
		t.do("INSERT INTO bare VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", e.stream, int64(e.seq), e.at, e.link, e.alarm, e.subject, e.refused, e.raw)
	}
	return conn.SendBatch(ctx, &t.Batch).Close()
}

// bareUnnest sends one INSERT for all rows, as Ingest does.
func bareUnnest(ctx context.Context, conn *pgx.Conn, rows []eventRow) error {
	n := len(rows)
	streams, seqs, ats, alarms := make([]int64, n), make([]int64, n), make([]int64, n), make([]int32, n)
	links, subjects, refused, raw := make([]string, n), make([]string, n), make([]string, n), make([][]byte, n)
	for i, e := range rows {
		streams[i], seqs[i], ats[i], alarms[i] = e.stream, int64(e.seq), e.at, int32(e.alarm)
		links[i], subjects[i], refused[i], raw[i] = e.link, e.subject, e.refused, e.raw
	}
	_, err := conn.Exec(ctx, `INSERT INTO bare SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::int[], $6::text[], $7::text[], $8::bytea[])`,
		streams, seqs, ats, links, alarms, subjects, refused, raw)
	return err
}

func bareCopy(ctx context.Context, conn *pgx.Conn, rows []eventRow) error {
	_, err := conn.CopyFrom(ctx, pgx.Identifier{"bare"}, []string{"stream", "seq", "at", "link", "alarm", "subject", "refused", "raw"},
		pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
			e := rows[i]
			return []any{e.stream, int64(e.seq), e.at, e.link, int32(e.alarm), e.subject, e.refused, e.raw}, nil
		}))
	return err
}

func compare(b *testing.B, s *Store, bare func([]eventRow) error) {
	ctx := context.Background()
	names := make([]Gateway, benchGateways)
	for i := range names {
		names[i] = Gateway{b.Name()[10:20], strconv.Itoa(i) + "-" + strconv.FormatInt(time.Now().UnixNano(), 36)}
		names[i].Site = "bench"
		if _, err := s.AddGateway(ctx, names[i], "", "bench"); err != nil {
			b.Fatal(err)
		}
	}
	var ours, floor time.Duration
	round := uint64(0)
	base := time.Now().UnixNano()
	for b.Loop() {
		list, rows := benchRound(names, base, round)
		round++
		for _, a := range list {
			if _, err := s.key(ctx, a.Gateway); err != nil {
				b.Fatal(err)
			}
		}
		began := time.Now()
		r, err := s.Ingest(ctx, list)
		ours += time.Since(began)
		if err != nil || r.New != len(list) {
			b.Fatal(r.New, err)
		}
		began = time.Now()
		if err := bare(rows); err != nil {
			b.Fatal(err)
		}
		floor += time.Since(began)
	}
	n := float64(round) * benchGateways * benchEach
	b.ReportMetric(n/ours.Seconds(), "events/s")
	b.ReportMetric(n/floor.Seconds(), "bare/s")
	b.ReportMetric(floor.Seconds()/ours.Seconds(), "ratio")
	b.ReportMetric(0, "ns/op")
}

func benchRound(names []Gateway, base int64, round uint64) ([]Arrival, []eventRow) {
	var list []Arrival
	var rows []eventRow
	now := time.Now()
	for g, name := range names {
		for i := range uint64(benchEach) {
			seq := round*benchEach + i + 1
			at := stamp(now, "7b1f5c1e-0f1d-4b9a-a2b7-6f0a5f0f7f11", time.Duration(seq)*time.Second, true)
			e := alert.Event{Type: alert.LinkUp, Subject: "mqtt", At: at, Detail: "connected to the broker of the region"}
			alarm := 0
			if i%20 < 4 { // one alert: raised, received, acknowledged, cleared
				id := fmt.Sprintf("0199e6a4-5c1b-7c3e-%04d-%012d", g, seq/20)
				e = about([]alert.Type{alert.Raised, alert.Received, alert.Acknowledged, alert.Cleared}[i%20], id, seq/20+1, at)
				alarm = 1
			}
			a := said(name, "3f9c2a7e51d04b68", seq, e, "mqtt", now)
			list = append(list, a)
			rows = append(rows, eventRow{eventID: eventID{base + int64(g), seq}, at: now.UnixMicro(), link: "mqtt", alarm: alarm, subject: e.Subject, raw: a.Raw})
		}
	}
	return list, rows
}
