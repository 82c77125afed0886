package alert

// Truth is how far a call for help has verifiably come. The lamp and the
// console show it; nothing is ever shown before it is so.
type Truth uint8

const (
	// TruthRaised means that the gateway knows of the press and acts on it.
	TruthRaised Truth = iota
	// TruthSaved means that the press is committed to the journal.
	TruthSaved
	// TruthSent means that a broker or server has taken the event: a machine, not a person.
	TruthSent
	// TruthReceived means that dispatch's application said that it has stored the event.
	TruthReceived
	// TruthAccepted means that a person has taken the alert.
	TruthAccepted
)

// String returns the word that pages and the status command use.
func (t Truth) String() string {
	switch t {
	case TruthRaised:
		return "raised"
	case TruthSaved:
		return "saved"
	case TruthSent:
		return "sent"
	case TruthReceived:
		return "received"
	case TruthAccepted:
		return "accepted"
	}
	return "unknown"
}

// MarshalText writes the word used on the wire.
func (t Truth) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
