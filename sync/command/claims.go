package command

import (
	"time"

	"nabat/gateway/alert"
)

// Verb is what a command asks for.
type Verb string

// Verbs of commands.
const (
	// Acknowledge, Responding, Arrived and Clear are decisions about an alert.
	Acknowledge Verb = "acknowledge"
	Responding  Verb = "responding"
	Arrived     Verb = "arrived"
	Clear       Verb = "clear"
	// Announce shows a text for a while, and has the loudspeakers say it.
	Announce Verb = "announce"
	// DrillStart raises an alert that is an exercise, DrillEnd ends all
	// exercises. A real press breaks through both.
	DrillStart Verb = "drill-start"
	DrillEnd   Verb = "drill-end"
	// ConfigPull asks the gateway to fetch the configuration whose digest the
	// command carries.
	ConfigPull Verb = "config-pull"
	// Keys adds or retires a key, so that keys change without a visit.
	Keys Verb = "keys"
)

// Claims is the payload of a command: a JSON object inside a compact JWS that
// is signed with EdDSA (Ed25519). The header names the key (kid) and has the
// type "nabat-command+jwt".
type Claims struct {
	// Audience is "site/gateway": a command is for one gateway only.
	Audience string `json:"aud"`
	// ID is a UUIDv7; the gateway's answer (nabat.command.accepted or
	// .refused) carries it.
	ID string `json:"jti"`
	// Issued and Expires are seconds since 1970, as RFC 7519 has them.
	Issued  int64 `json:"iat"`
	Expires int64 `json:"exp"`
	// Counter grows strictly over all commands for one gateway.
	Counter uint64 `json:"counter"`
	// Challenge repeats the gateway's own fresh word, where it has said one.
	// It stands in for Expires while the gateway's clock is not synchronised, and
	// shows that the command is new where the gateway cannot know that otherwise:
	// soon after its start, or when its record of commands was lost.
	Challenge string `json:"challenge,omitempty"`

	Verb Verb `json:"verb"`
	// Who is the operator's id. Why is free text.
	Who string `json:"who"`
	Why string `json:"why,omitempty"`

	// Alert and Number say which alert, and up to which press, a decision is
	// about: what the operator saw.
	Alert   string        `json:"alert,omitempty"`
	Number  uint64        `json:"number,omitempty"`
	Outcome alert.Outcome `json:"outcome,omitempty"`
	// ETA is when the team expects to arrive.
	ETA time.Time `json:"eta,omitzero"`

	// Kind and Place say what a drill pretends; Level is its level.
	Kind  alert.Kind  `json:"kind,omitempty"`
	Place string      `json:"place,omitempty"`
	Level alert.Level `json:"level,omitzero"`

	// Text and Seconds say what to announce and for how long; Screens where it
	// is shown and Zones where the loudspeakers say it (none means everywhere).
	// Silent says that it is shown only.
	Text    *alert.Text `json:"text,omitempty"`
	Seconds int         `json:"seconds,omitempty"`
	Screens []string    `json:"screens,omitempty"`
	Zones   []string    `json:"zones,omitempty"`
	Silent  bool        `json:"silent,omitempty"`

	// Digest is the SHA-256 of the configuration to pull, in lower-case hex.
	Digest string `json:"digest,omitempty"`

	// Add is a key to trust from now on, Retire the id of one not to trust any
	// more.
	Add    *Key   `json:"add,omitempty"`
	Retire string `json:"retire,omitempty"`
}

// Key is a public key that signs commands.
type Key struct {
	// ID is the key's name in the header of what it signs.
	ID string `json:"kid"`
	// Public is the Ed25519 key, 32 bytes.
	Public []byte `json:"public"`
}
