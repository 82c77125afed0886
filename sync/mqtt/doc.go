// Package mqtt delivers the journal to an MQTT 3.1.1 broker and hears what
// dispatch has stored.
//
// A row counts as sent when the broker acknowledged it on the connection that
// carried it; nothing is kept in the MQTT client beyond that connection, whose
// loss sends every unacknowledged row again. A broker's word is not a person's:
// receipts from dispatch's application come back on a topic of their own.
//
// Known limits. A 3.1.1 broker acknowledges an event that its access list
// forbids, or that exceeds Mosquitto's message_size_limit, and drops it: only
// the missing receipt shows that. A second device with the same client id is
// recognised by its effect, not by proof.
package mqtt
