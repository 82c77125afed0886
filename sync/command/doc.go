// Package command is how dispatch tells a gateway what to do: one signed
// command a message, refused unless it is fresh, meant for this gateway and
// newer than every command before it.
//
// Both ends are here. A Signer, at dispatch, signs Claims. A Gate, at the
// gateway, accepts each command once: its counter is on the disk before Accept
// returns, so that neither a copy nor a power cut makes it act twice under the
// same signature. A command that is signed anew (same ID, higher counter) is
// answered with the outcome that it had, and not done again.
package command
