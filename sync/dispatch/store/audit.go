package store

import (
	"context"
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

// Audit appends to the audit log. The methods of Store that take "by" do it
// themselves, in the same transaction.
func (s *Store) Audit(ctx context.Context, who, what, object, detail string) error {
	return s.audit(ctx, who, what, object, detail)
}

// AuditLog returns the newest entries with a number below before (zero: all),
// the newest first, at most limit.
func (s *Store) AuditLog(ctx context.Context, before int64, limit int) ([]AuditEntry, error) {
	return s.auditLog(ctx, before, limit)
}

// VerifyAudit checks the chain and returns how many entries it has; an error
// names the first one that does not fit. What was cut off at the end shows
// only against a number and hash noted elsewhere.
func (s *Store) VerifyAudit(ctx context.Context) (entries int64, err error) {
	return s.verifyAudit(ctx)
}

// EventRow is one event of an export.
type EventRow struct {
	Gateway Gateway
	Entry
}

// ExportEvents iterates over the events that were stored within [from, to), in
// the order of their storing. The second value ends the iteration with an
// error. It holds no transaction open between pages.
func (s *Store) ExportEvents(ctx context.Context, from, to time.Time) iter.Seq2[EventRow, error] {
	return s.exportEvents(ctx, from, to)
}

// ExportAlerts iterates over the alerts that History would show.
func (s *Store) ExportAlerts(ctx context.Context, f Filter) iter.Seq2[Alert, error] {
	return s.exportAlerts(ctx, f)
}

// ExportAudit iterates over the audit log, the oldest entry first.
func (s *Store) ExportAudit(ctx context.Context) iter.Seq2[AuditEntry, error] {
	return s.exportAudit(ctx)
}
