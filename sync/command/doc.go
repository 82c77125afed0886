// Package command is how dispatch tells a gateway what to do: one signed
// command a message, refused unless it is fresh, meant for this gateway and
// newer than every command before it.
//
// Both ends are here. A Signer, at dispatch, signs Claims. A Gate, at the
// gateway, accepts each command once: its counter is on the disk before Accept
// returns, so that neither a copy nor a power cut makes it act twice under the
// same signature. A command that is signed anew (same ID, higher counter) is
// answered with the outcome that it had, and not done again.
//
// # Limits
//
// The note of an outcome follows the deed. When power fails between the two, a
// command that dispatch then signs anew is done again: a decision about an alert
// and an announcement are the same done twice, a drill says that it runs already.
//
// Whoever may publish to a gateway's command topic can use up the number of
// signatures that it verifies in a second. Dispatch's own commands are then
// refused as busy, until it signs them anew; let nobody else publish there.
//
// When the record of commands and the copy of the keyring are both lost, keys
// that were retired and still stand in the configuration are trusted again. A
// condition asks for them to be taken out.
//
// A key is retired by those who hold another one. Whoever holds a stolen key can
// retire the honest ones as long as nobody is faster.
package command
