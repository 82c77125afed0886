// Package subscriber is dispatch's end of MQTT: events and status documents
// come in, receipts and commands go out.
//
// An event is acknowledged to the broker after the database has committed it
// and not before. The session is persistent and the acknowledgements are made
// by hand, so that what the process had in memory when it died comes again. A
// receipt goes out after the commit, retained, so that a gateway that comes
// back learns at once what is stored.
//
// Many processes may share one broker and one database: one of them, the holder
// of a lease, has the session; another takes the lease when it dies, and with
// the same client id the broker hands it what was not acknowledged.
package subscriber
