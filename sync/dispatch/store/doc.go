// Package store is the database of the reference dispatch service: what
// gateways said, which alerts follow from it, who may speak, and what people
// decided.
//
// It has two engines behind one API. SQLite is a file for one machine (WAL,
// synchronous=FULL). PostgreSQL may be shared by any number of processes.
//
// Guarantees: what Ingest acknowledges is committed. An event is stored once,
// however often, in whatever order and through whatever process it arrives;
// what tells a repetition outlives the event itself. The alerts that follow
// do not depend on the order either, because they are alert.State's fold.
//
// Limits: where a gateway has lost events for good, the mark of that epoch
// stays below them, and receipts name single events instead. History is in the
// order in which alerts were first stored, not pressed. A boot whose clock was
// never synchronised has estimated times only, and a copied disk is noticed by
// its alarms, not by its routine events. Alerts, commands and the audit log are
// never deleted.
package store
