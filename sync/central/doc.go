// Package central delivers the journal to the central service over HTTPS and
// brings back what the service has stored, its commands and its configuration.
//
// A row counts as delivered when the service's application has said, in its own
// words, that this row is stored; no status code and no page of a foreign
// network says that. Each lane has one request under way at most, so that rows
// of a lane arrive in order, on a connection of its own, so that an alarm never
// waits behind a routine batch that is on its way.
//
// Redirections are never followed, not even on the same host: the token travels
// to the address that the administrator wrote and to no other.
//
// Known limits. HTTP proxies are not used. A server that closes its side while
// it still answers 200 to everything can be told from the service only by the
// form of its answers.
package central
