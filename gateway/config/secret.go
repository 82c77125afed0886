package config

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a text that must not reach a log or a screen: however it is
// printed, marshalled or logged, "(hidden)" comes out.
type Secret struct{ text string }

const hidden = "(hidden)"

// NewSecret hides text.
func NewSecret(text string) Secret { return Secret{text: text} }

// Reveal returns the text. Compare it, hash it or send it; never print it.
func (s Secret) Reveal() string { return s.text }

// Format hides the text from every verb of package fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// String hides the text.
func (s Secret) String() string { return hidden }

// MarshalText hides the text from JSON and TOML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides the text from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }
