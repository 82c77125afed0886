package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// members hands each member of a JSON object to set, in order: its name, and
// the bytes of its value without space around them. Only one pass checks the
// JSON; the cuts after it rely on that, because every ingest of every event
// comes through here. raw belongs to the caller of members.
func members(b []byte, set func(name string, raw []byte) error) error {
	if !json.Valid(b) {
		return errors.New("not JSON, or more after it")
	}
	i := space(b, 0)
	if b[i] != '{' {
		return errors.New("not a JSON object")
	}
	for i = space(b, i+1); b[i] != '}'; {
		end := value(b, i)
		name, err := text(b[i:end])
		if err != nil {
			return err
		}
		i = space(b, space(b, end)+1) // over the colon
		end = value(b, i)
		if err := set(name, b[i:end]); err != nil {
			return fmt.Errorf("attribute %.32q: %w", name, err)
		}
		if i = space(b, end); b[i] == ',' {
			i = space(b, i+1)
		}
	}
	return nil
}

// space returns the index of the first byte at or after i that is no space.
func space(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r' {
		i++
	}
	return i
}

// value returns the index behind the value that begins at i of valid JSON.
func value(b []byte, i int) int {
	depth := 0
	for ; ; i++ {
		switch b[i] {
		case '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		default:
			if depth > 0 {
				continue
			}
			// A number or a word ends before whatever cannot be part of one.
			for i < len(b) && !strings.ContainsRune(",}] \t\n\r", rune(b[i])) {
				i++
			}
			return i
		}
		if depth == 0 {
			return i + 1
		}
	}
}

// text returns what a JSON string says.
func text(raw []byte) (string, error) {
	for _, c := range raw {
		if c == '\\' {
			var s string
			err := json.Unmarshal(raw, &s)
			return s, err
		}
	}
	return string(raw[1 : len(raw)-1]), nil
}
