package store

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"
)

// AuditEntry is one line of the audit log. Each is chained to the one before
// it by a hash, so that a line cannot be changed or taken out unseen.
type AuditEntry struct {
	Number                    int64
	At                        time.Time
	Who, What, Object, Detail string
}

// EventRow is one event of an export.
type EventRow struct {
	Gateway Gateway
	Entry
}

// Audit appends to the audit log. The methods of Store that take "by" do it
// themselves, in the same transaction.
func (s *Store) Audit(ctx context.Context, who, what, object, detail string) error {
	err := s.update(ctx, func(t tx) error { return s.chain(ctx, t, who, what, object, detail) })
	if err != nil {
		return fmt.Errorf("audit %s: %w", what, err)
	}
	return nil
}

// chain appends an entry. It locks the log until the transaction ends, so it
// comes last in it.
func (s *Store) chain(ctx context.Context, t tx, who, what, object, detail string) error {
	if t.d.one != "" {
		if _, err := t.exec(ctx, t.d.one); err != nil {
			return fmt.Errorf("lock the audit log: %w", err)
		}
	}
	var last int64
	var hash []byte
	if err := t.one(ctx, []any{&last, &hash}, "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1"); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("read the audit log: %w", err)
	}
	e := AuditEntry{last + 1, fromMicros(s.now()), plain(who, maxName), plain(what, maxName), plain(object, maxName), plain(detail, maxDetail)}
	_, err := t.exec(ctx, "INSERT INTO audit (number, at, who, what, object, detail, hash) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		e.Number, micros(e.At), e.Who, e.What, e.Object, e.Detail, e.hash(hash))
	if err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	return nil
}

const maxDetail = 16 << 10

// hash covers the entry and the hash of the one before it. Lengths stand before
// texts, so that no two entries read alike.
func (e AuditEntry) hash(before []byte) []byte {
	h := sha256.New()
	h.Write(before) // a hash never fails
	for _, n := range []int64{e.Number, micros(e.At)} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
	}
	for _, t := range []string{e.Who, e.What, e.Object, e.Detail} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(t))))
		h.Write([]byte(t))
	}
	return h.Sum(nil)
}

const auditColumns = "SELECT number, at, who, what, object, detail, hash FROM audit "

func scanAudit(scan func(...any) error) (e AuditEntry, hash []byte, err error) {
	var at int64
	err = scan(&e.Number, &at, &e.Who, &e.What, &e.Object, &e.Detail, &hash)
	e.At = fromMicros(at)
	return e, hash, err
}

// AuditLog returns the newest entries with a number below before (zero: all),
// the newest first, at most limit.
func (s *Store) AuditLog(ctx context.Context, before int64, limit int) ([]AuditEntry, error) {
	if before <= 0 {
		before = maxNumber
	}
	var list []AuditEntry
	err := s.db().each(ctx, func(scan func(...any) error) error {
		e, _, err := scanAudit(scan)
		list = append(list, e)
		return err
	}, auditColumns+"WHERE number < $1 ORDER BY number DESC LIMIT $2", before, limit)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return list, nil
}

// VerifyAudit checks the chain and returns how many entries it has; an error
// names the first one that does not fit. What was cut off at the end shows
// only against a number and hash noted elsewhere.
func (s *Store) VerifyAudit(ctx context.Context) (int64, error) {
	var last int64
	var chain []byte
	err := s.auditPages(ctx, func(e AuditEntry, hash []byte) error {
		if e.Number != last+1 || subtle.ConstantTimeCompare(hash, e.hash(chain)) != 1 {
			return fmt.Errorf("entry %d was changed, or one before it is missing: %w", e.Number, ErrInvalid)
		}
		last, chain = e.Number, hash
		return nil
	})
	if err != nil {
		return last, fmt.Errorf("verify audit log: %w", err)
	}
	return last, nil
}

// pageRows is how many rows are read at a time where a table is walked through.
const pageRows = 500

// auditPages calls f for every entry, the oldest first, with no query open.
func (s *Store) auditPages(ctx context.Context, f func(AuditEntry, []byte) error) error {
	type line struct {
		AuditEntry
		hash []byte
	}
	for after := int64(0); ; {
		var page []line
		err := s.db().each(ctx, func(scan func(...any) error) error {
			e, hash, err := scanAudit(scan)
			page = append(page, line{e, hash})
			return err
		}, auditColumns+"WHERE number > $1 ORDER BY number LIMIT $2", after, pageRows)
		if err != nil {
			return err
		}
		for _, l := range page {
			if err := f(l.AuditEntry, l.hash); err != nil {
				return err
			}
			after = l.Number
		}
		if len(page) < pageRows {
			return nil
		}
	}
}

// ExportAudit iterates over the audit log, the oldest entry first.
func (s *Store) ExportAudit(ctx context.Context) iter.Seq2[AuditEntry, error] {
	return func(yield func(AuditEntry, error) bool) {
		err := s.auditPages(ctx, func(e AuditEntry, _ []byte) error {
			if !yield(e, nil) {
				return errStopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(AuditEntry{}, fmt.Errorf("export audit log: %w", err))
		}
	}
}

var errStopped = errors.New("the reader has stopped")
