// Package command is how dispatch tells a gateway what to do: one signed
// command a message, refused unless it is fresh, meant for this gateway and
// newer than every command before it.
package command
