package store

import (
	"context"
	"errors"
	"iter"
	"time"

	"nabat/sync/command"
	"nabat/sync/event"
)

// Everything in this file moves to the file that declares it, with a body.

var errPending = errors.New("not written yet")

// Store is one open database. Its methods may be called from any goroutine.
type Store struct {
	opt  Options
	bell bell
}

// Open opens the database, makes it where there is none and brings its schema
// up to date; two processes may do so at once. It starts nothing that Close
// does not end.
func Open(ctx context.Context, opt Options) (*Store, error) { return nil, errPending }

// Close ends all work and closes the database.
func (s *Store) Close() error { return errPending }

func (s *Store) run(ctx context.Context) error { return errPending }
func (s *Store) ingest(ctx context.Context, list []Arrival) (Result, error) {
	return Result{}, errPending
}
func (s *Store) receiptOf(ctx context.Context, g Gateway, epoch string) (event.Receipt, error) {
	return event.Receipt{}, errPending
}
func (s *Store) heard(ctx context.Context, w Word) (Heard, error) { return Heard{}, errPending }
func (s *Store) addGateway(ctx context.Context, g Gateway, name, by string) (string, error) {
	return "", errPending
}
func (s *Store) rotateToken(ctx context.Context, g Gateway, by string) (string, error) {
	return "", errPending
}
func (s *Store) revoke(ctx context.Context, g Gateway, by string) error { return errPending }
func (s *Store) renameGateway(ctx context.Context, g Gateway, name, by string) error {
	return errPending
}
func (s *Store) mapCertificate(ctx context.Context, g Gateway, name, by string) error {
	return errPending
}
func (s *Store) authenticate(ctx context.Context, g Gateway, token string) error { return errPending }
func (s *Store) byCertificate(ctx context.Context, name string) (Gateway, error) {
	return Gateway{}, errPending
}
func (s *Store) gateways(ctx context.Context, one *Gateway) ([]GatewayInfo, error) {
	return nil, errPending
}
func (s *Store) gatewayInfo(ctx context.Context, g Gateway) (GatewayInfo, error) {
	return GatewayInfo{}, errPending
}
func (s *Store) assignConfig(ctx context.Context, g Gateway, toml, by string) (string, error) {
	return "", errPending
}
func (s *Store) config(ctx context.Context, g Gateway) (string, error) { return "", errPending }
func (s *Store) openAlerts(ctx context.Context) ([]Alert, error)       { return nil, errPending }
func (s *Store) alert(ctx context.Context, g Gateway, id string) (Alert, error) {
	return Alert{}, errPending
}
func (s *Store) timeline(ctx context.Context, g Gateway, id string) ([]Entry, error) {
	return nil, errPending
}
func (s *Store) history(ctx context.Context, f Filter) (Page, error) { return Page{}, errPending }
func (s *Store) addOperator(ctx context.Context, o Operator, password, by string) error {
	return errPending
}
func (s *Store) setPassword(ctx context.Context, id, password, by string) error { return errPending }
func (s *Store) setOperator(ctx context.Context, o Operator, by string) error   { return errPending }
func (s *Store) login(ctx context.Context, id, password string) (Operator, error) {
	return Operator{}, errPending
}
func (s *Store) operator(ctx context.Context, id string) (Operator, error) {
	return Operator{}, errPending
}
func (s *Store) operators(ctx context.Context) ([]Operator, error)             { return nil, errPending }
func (s *Store) putTeam(ctx context.Context, t Team, by string) (int64, error) { return 0, errPending }
func (s *Store) teams(ctx context.Context) ([]Team, error)                     { return nil, errPending }
func (s *Store) assign(ctx context.Context, g Gateway, a string, team int64, eta time.Time, by string) error {
	return errPending
}
func (s *Store) teamArrived(ctx context.Context, g Gateway, a string, team int64, by string) error {
	return errPending
}
func (s *Store) issue(ctx context.Context, g Gateway, c command.Claims, by string, sign Signer) (Command, error) {
	return Command{}, errPending
}
func (s *Store) commandsAfter(ctx context.Context, g Gateway, after uint64) ([]Command, error) {
	return nil, errPending
}
func (s *Store) commandsOf(ctx context.Context, g Gateway, a string, limit int) ([]Command, error) {
	return nil, errPending
}
func (s *Store) unpublished(ctx context.Context, lease time.Duration, limit int) ([]Command, error) {
	return nil, errPending
}
func (s *Store) published(ctx context.Context, g Gateway, id string, counter uint64) error {
	return errPending
}
func (s *Store) reissue(ctx context.Context, g Gateway, before time.Time, sign Signer) ([]Command, error) {
	return nil, errPending
}
func (s *Store) reissueDue(ctx context.Context, before time.Time, sign Signer) ([]Command, error) {
	return nil, errPending
}
func (s *Store) audit(ctx context.Context, who, what, object, detail string) error { return errPending }
func (s *Store) auditLog(ctx context.Context, before int64, limit int) ([]AuditEntry, error) {
	return nil, errPending
}
func (s *Store) verifyAudit(ctx context.Context) (int64, error) { return 0, errPending }
func (s *Store) exportEvents(ctx context.Context, from, to time.Time) iter.Seq2[EventRow, error] {
	return nil
}
func (s *Store) exportAlerts(ctx context.Context, f Filter) iter.Seq2[Alert, error] { return nil }
func (s *Store) exportAudit(ctx context.Context) iter.Seq2[AuditEntry, error]       { return nil }
func (s *Store) claim(ctx context.Context, webhook string, lease time.Duration, limit int) ([]Outgoing, error) {
	return nil, errPending
}
func (s *Store) done(ctx context.Context, ids []int64) error { return errPending }
func (s *Store) failed(ctx context.Context, id int64, reason string, again time.Time) error {
	return errPending
}
func (s *Store) stats(ctx context.Context) (Stats, error) { return Stats{}, errPending }
func (s *Store) ping(ctx context.Context) error           { return errPending }
func (s *Store) refused(ctx context.Context, limit int) ([]RefusedEvent, error) {
	return nil, errPending
}
func (s *Store) prune(ctx context.Context, alerts, others time.Time) (int, error) {
	return 0, errPending
}
