package command

import (
	"errors"
	"fmt"
)

// Reason says why a command was refused, in a word for events and metrics.
type Reason string

// Reasons. Those of the first group are about the message: it may come from
// anybody, and no answer names a command.
const (
	// NoKeys: no key is configured, so nothing can be trusted.
	NoKeys Reason = "no-keys"
	// Retained: a broker had kept it; commands are never retained.
	Retained Reason = "retained"
	// TooLarge and Malformed: it is no compact JWS of a command.
	TooLarge  Reason = "too-large"
	Malformed Reason = "malformed"
	// Unsigned: its algorithm is "none", or the signature is empty.
	Unsigned Reason = "unsigned"
	// Algorithm: it is signed with something else than EdDSA.
	Algorithm Reason = "algorithm"
	// UnknownKey: the key that it names is not, or no longer, trusted.
	UnknownKey Reason = "unknown-key"
	// Signature: the signature is not of that key.
	Signature Reason = "bad-signature"
	// Busy: more signatures arrived than are verified in that time.
	Busy Reason = "busy"

	// The second group is about authentic commands that are not fresh, or not
	// for this gateway. Dispatch signs its own anew, so these are no answers.

	// Audience: it is for another gateway.
	Audience Reason = "foreign"
	// Duplicate: the same copy came over another link a moment ago.
	Duplicate Reason = "duplicate"
	// Replayed: its counter is not above the highest one: a copy, or out of order.
	Replayed Reason = "replayed"
	// ChallengeMissing and ChallengeWrong: the gateway cannot tell how old the
	// command is, and it does not carry one of the gateway's newest challenges.
	ChallengeMissing Reason = "challenge-missing"
	ChallengeWrong   Reason = "challenge-wrong"
	// BeforeStart: it was issued before the gateway started and carries no
	// fresh challenge; it may have been done before a backup was restored.
	BeforeStart Reason = "before-start"
	// NotStored: the counter could not be written to the disk.
	NotStored Reason = "not-stored"

	// The third group are answers to commands: the counter is used up.

	// Expired and Future: the gateway's synchronised clock is not between iat
	// and exp.
	Expired Reason = "expired"
	Future  Reason = "issued-in-future"
	// UnknownVerb: this version of the gateway does not know the verb.
	UnknownVerb Reason = "unknown-verb"
	// Fields: a field is missing, wrong, or of another verb.
	Fields Reason = "bad-fields"
	// KeyChange: the keyring may not be changed so.
	KeyChange Reason = "key-change"
)

// Reasons that the rooms which carry commands out give; they are answers.
const (
	// NotDone: the gateway could not carry it out; the detail says why.
	NotDone Reason = "not-done"
	// NoAlert: there is no such open alert.
	NoAlert Reason = "no-alert"
	// NoCentral: configurations are pulled over the central link, which is not
	// configured.
	NoCentral Reason = "no-central-link"
	// ConfigUnreachable, Digest and ConfigBad: the configuration could not be
	// fetched, is not the one that was meant, or has mistakes.
	ConfigUnreachable Reason = "config-unreachable"
	Digest            Reason = "digest"
	ConfigBad         Reason = "config-refused"
	// Overflow: commands arrived faster than they are looked at; nobody knows
	// which ones were dropped.
	Overflow Reason = "overflow"
)

// Reasons returns every reason, for counters that begin at zero.
func Reasons() []Reason {
	return []Reason{
		NoKeys, Retained, TooLarge, Malformed, Unsigned, Algorithm, UnknownKey, Signature, Busy,
		Audience, Duplicate, Replayed, ChallengeMissing, ChallengeWrong, BeforeStart, NotStored,
		Expired, Future, UnknownVerb, Fields, KeyChange,
		NotDone, NoAlert, NoCentral, ConfigUnreachable, Digest, ConfigBad, Overflow,
	}
}

// Refusal is the error of a command that was not accepted.
type Refusal struct {
	Reason Reason
	// ID is set where the refusal is the final answer to an authentic command:
	// its counter is used up and no copy can act later. Otherwise dispatch may
	// sign the same command anew.
	ID string
	// Counter is the command's own, where its signature was good.
	Counter uint64
	// Err says more, for a technician. It holds nothing of an unverified
	// message but its key's id.
	Err error
}

// Error returns the reason and what more is known.
func (r *Refusal) Error() string {
	if r.Err == nil {
		return fmt.Sprintf("command refused: %s", r.Reason)
	}
	return fmt.Sprintf("command refused: %s: %v", r.Reason, r.Err)
}

// Unwrap returns what was wrong.
func (r *Refusal) Unwrap() error { return r.Err }

// Final reports whether the refusal answers the command once and for all.
func (r *Refusal) Final() bool { return r.ID != "" }

func refuse(reason Reason, format string, args ...any) error {
	return &Refusal{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// ReasonOf returns the reason of a refusal, and "" for any other error.
func ReasonOf(err error) Reason {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r.Reason
	}
	return ""
}
