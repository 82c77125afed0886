// Package mqtt delivers the journal to an MQTT 3.1.1 broker and hears what
// dispatch has stored.
//
// A row counts as sent when the broker acknowledged it on the connection that
// carried it; nothing is kept in the MQTT client beyond that connection, whose
// loss sends every unacknowledged row again. A broker's word is not a person's:
// with Options.Receipts a row counts as delivered, and the journal's cursor
// passes it, only when a receipt of dispatch's application covers it. What the
// broker took for nobody is sent again, with the same id, in the next session
// or as soon as receipts show that dispatch lacks it. An event that dispatch
// refuses for good must be covered by its receipts too; otherwise it goes out
// again at most every five minutes, a condition names it, and the others pass.
//
// Known limits. A 3.1.1 broker acknowledges an event that its access list
// forbids, or that exceeds Mosquitto's message_size_limit, and drops it: only
// the missing receipt shows that. What receipts said is remembered in memory:
// after a restart, up to 10,000 events a lane may be sent again. While events
// are lost between broker and dispatch, those after them arrive first. A second
// device with the same client id is recognised by its effect, not by proof.
package mqtt
