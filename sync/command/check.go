package command

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"nabat/gateway/alert"
)

// Bounds of a command.
const (
	// MaxBytes is the size above which a compact JWS is refused unread.
	MaxBytes = 16 << 10
	// MaxCounter is the highest counter; programs in any language can hold it.
	MaxCounter = 1<<53 - 1
	// MaxLife is the longest time from iat to exp.
	MaxLife = 7 * 24 * time.Hour

	maxWord    = 64   // ids and kinds
	maxWho     = 100  // runes
	maxWhy     = 500  // runes
	maxText    = 300  // runes of an announcement in one language
	maxSeconds = 3600 // of an announcement
	maxScreens = 32   // and zones
)

// errUnknownVerb is told apart because a newer dispatch may know more verbs.
var errUnknownVerb = errors.New("this version knows no such verb")

// Check returns what is wrong with the claims: a field that is missing, out of
// bounds, or of another verb. It looks at no clock and no counter.
func (c Claims) Check() error {
	if err := c.checkFrame(); err != nil {
		return err
	}
	if err := line("who", c.Who, maxWho, true); err != nil {
		return err
	}
	if err := line("why", c.Why, maxWhy, false); err != nil {
		return err
	}
	if err := line("challenge", c.Challenge, maxWord, false); err != nil {
		return err
	}
	if err := c.checkVerb(); err != nil {
		return err
	}
	return c.checkStrange()
}

// checkFrame is what every command has, whatever it asks for.
func (c Claims) checkFrame() error {
	switch {
	case c.Audience == "":
		return errors.New("aud is missing")
	case len(c.ID) != 36 || uuid.Validate(c.ID) != nil:
		return errors.New("jti is not a UUID")
	case c.Counter == 0 || c.Counter > MaxCounter:
		return fmt.Errorf("counter %d: want 1 to %d", c.Counter, uint64(MaxCounter))
	case c.Issued <= 0 || c.Expires <= c.Issued || c.Expires-c.Issued > int64(MaxLife/time.Second):
		return fmt.Errorf("iat %d and exp %d: want exp after iat, by at most %v", c.Issued, c.Expires, MaxLife)
	}
	return nil
}

func (c Claims) checkVerb() error {
	switch c.Verb {
	case Acknowledge, Responding, Arrived:
		return c.checkDecision()
	case Clear:
		if !c.Outcome.Valid() {
			return fmt.Errorf("outcome %q: want one of %v", c.Outcome, alert.Outcomes())
		}
		return c.checkDecision()
	case Announce:
		return c.checkAnnouncement()
	case DrillStart:
		if err := errors.Join(line("kind", string(c.Kind), maxWord, true), line("place", c.Place, maxWord, true)); err != nil {
			return err
		}
		if c.Level != alert.LevelHelp && c.Level != alert.LevelEmergency {
			return errors.New("level: want help or emergency")
		}
		return nil
	case DrillEnd:
		return nil
	case ConfigPull:
		if b, err := hex.DecodeString(c.Digest); err != nil || len(b) != 32 || c.Digest != strings.ToLower(c.Digest) {
			return errors.New("digest: want a SHA-256 in lower-case hex")
		}
		return nil
	case Keys:
		return c.checkKeys()
	}
	return fmt.Errorf("verb %.20q: %w", c.Verb, errUnknownVerb)
}

func (c Claims) checkDecision() error {
	if c.Number == 0 {
		return errors.New("number: want the press that the decision is about")
	}
	return line("alert", c.Alert, maxWord, true)
}

func (c Claims) checkAnnouncement() error {
	if c.Text == nil || strings.TrimSpace(c.Text.RU+c.Text.KK+c.Text.EN) == "" {
		return errors.New("text is missing")
	}
	for _, s := range []string{c.Text.RU, c.Text.KK, c.Text.EN} {
		if utf8.RuneCountInString(s) > maxText || !printable(s) {
			return fmt.Errorf("text: want at most %d printable letters in each language", maxText)
		}
	}
	if c.Seconds < 1 || c.Seconds > maxSeconds {
		return fmt.Errorf("seconds %d: want 1 to %d", c.Seconds, maxSeconds)
	}
	if c.Silent && len(c.Zones) > 0 {
		return errors.New("silent: zones are named all the same")
	}
	return errors.Join(ids("screens", c.Screens), ids("zones", c.Zones))
}

func ids(name string, list []string) error {
	if len(list) > maxScreens {
		return fmt.Errorf("%d %s: want at most %d", len(list), name, maxScreens)
	}
	for _, s := range list {
		if err := line(name, s, maxWord, true); err != nil {
			return err
		}
	}
	return nil
}

func (c Claims) checkKeys() error {
	if (c.Add == nil) == (c.Retire == "") {
		return errors.New("want either a key to add or the id of one to retire")
	}
	if c.Add != nil {
		return c.Add.Check()
	}
	return checkKeyID(c.Retire)
}

// Check returns what is wrong with a key.
func (k Key) Check() error {
	if len(k.Public) != ed25519.PublicKeySize {
		return fmt.Errorf("key %.64q has %d bytes: want an Ed25519 public key of %d", k.ID, len(k.Public), ed25519.PublicKeySize)
	}
	return checkKeyID(k.ID)
}

func checkKeyID(id string) error {
	strange := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-._", c)
	}
	if id == "" || len(id) > maxWord || strings.ContainsFunc(id, strange) {
		return fmt.Errorf("key id %.64q: want 1 to %d Latin letters, digits, dashes, dots and underscores", id, maxWord)
	}
	return nil
}

// checkStrange refuses fields of other verbs: who signs them means something
// else than what would be done.
func (c Claims) checkStrange() error {
	decision := slices.Contains([]Verb{Acknowledge, Responding, Arrived, Clear}, c.Verb)
	for _, f := range []struct {
		name     string
		set, may bool
	}{
		{"alert", c.Alert != "", decision},
		{"number", c.Number != 0, decision},
		{"outcome", c.Outcome != "", c.Verb == Clear},
		{"eta", !c.ETA.IsZero(), c.Verb == Responding},
		{"kind", c.Kind != "", c.Verb == DrillStart},
		{"place", c.Place != "", c.Verb == DrillStart},
		{"level", c.Level != 0, c.Verb == DrillStart},
		{"text", c.Text != nil, c.Verb == Announce},
		{"seconds", c.Seconds != 0, c.Verb == Announce},
		{"screens", c.Screens != nil, c.Verb == Announce},
		{"zones", c.Zones != nil, c.Verb == Announce},
		{"silent", c.Silent, c.Verb == Announce},
		{"digest", c.Digest != "", c.Verb == ConfigPull},
		{"add", c.Add != nil, c.Verb == Keys},
		{"retire", c.Retire != "", c.Verb == Keys},
	} {
		if f.set && !f.may {
			return fmt.Errorf("%s does not belong to %s", f.name, c.Verb)
		}
	}
	return nil
}

func line(name, s string, most int, needed bool) error {
	switch {
	case needed && strings.TrimSpace(s) == "":
		return fmt.Errorf("%s is missing", name)
	case utf8.RuneCountInString(s) > most || !printable(s):
		return fmt.Errorf("%s: want at most %d printable letters", name, most)
	}
	return nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// decodeStrict refuses members that this version does not know: a command is
// done as a whole or not at all.
func decodeStrict(payload []byte) (Claims, error) {
	var c Claims
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Claims{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Claims{}, errors.New("more follows the claims")
	}
	return c, nil
}
