package config

import (
	_ "embed"
	"strings"

	"nabat/gateway/pin"
)

//go:embed minimal.toml
var minimal string

// pinMark stands in minimal.toml where the hash of the PIN belongs. It is no
// valid hash, so that no gateway ever runs with a PIN that others know.
const pinMark = "PIN-HASH"

// Init returns a minimal commented configuration, and the new random PIN whose
// hash it holds. Show the PIN to the installer once; it is kept nowhere.
func Init() (text, fresh string, err error) {
	fresh = pin.New()
	hash, err := pin.Hash(fresh)
	if err != nil {
		return "", "", err
	}
	return strings.Replace(minimal, pinMark, hash, 1), fresh, nil
}
