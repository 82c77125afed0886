package event

import "nabat/gateway/alert"

// Row is what the encoder needs of a row of the journal.
type Row struct {
	Ref     alert.Ref
	Type    alert.Type
	Subject string
	At      alert.Stamp
	Data    []byte
}
