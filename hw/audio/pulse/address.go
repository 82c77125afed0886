package pulse

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"nabat/hw/audio"
)

// address is where a server may be.
type address struct{ network, place string }

// surroundings are what the client library of PulseAudio looks at too.
type surroundings struct {
	variable func(string) string
	host     string
	user     int
}

func environment() surroundings {
	host, _ := os.Hostname() // without a name no address is for this host by name
	return surroundings{variable: os.Getenv, host: host, user: os.Getuid()}
}

// parse reads a server string: addresses, the first that answers wins. Empty is
// PULSE_SERVER, else the usual sockets. The files and the X11 properties that
// libpulse also knows are not read.
func parse(text string, in surroundings) ([]address, error) {
	if strings.TrimSpace(text) == "" {
		text = in.variable("PULSE_SERVER")
	}
	if strings.TrimSpace(text) == "" {
		return usual(in), nil
	}
	var found []address
	for _, word := range strings.Fields(text) {
		if rest, braced := strings.CutPrefix(word, "{"); braced {
			host, after, closed := strings.Cut(rest, "}")
			if !closed {
				return nil, fmt.Errorf("the sound server's address %q has a { without a }", word)
			}
			if host != in.host {
				continue
			}
			word = after
		}
		a, err := one(word)
		if err != nil {
			return nil, err
		}
		found = append(found, a)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%w: the sound server's address %q names no server of this machine", audio.ErrAbsent, text)
	}
	return found, nil
}

func one(word string) (address, error) {
	if strings.HasPrefix(word, "/") {
		return address{"unix", word}, nil
	}
	network, place, ok := strings.Cut(word, ":")
	switch {
	case !ok || place == "":
	case network == "unix" && strings.HasPrefix(place, "/"):
		return address{"unix", place}, nil
	case network == "tcp" || network == "tcp4" || network == "tcp6":
		host, port, err := net.SplitHostPort(place)
		if err != nil {
			host, port = strings.Trim(place, "[]"), "4713"
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return address{}, fmt.Errorf("the sound server's address %q has no good port", word)
		}
		// The protocol has no encryption, and who hears the cookie owns the server.
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return address{}, fmt.Errorf("the sound server's address %q is on another machine, and its protocol is not encrypted: give a socket, or an address on 127.0.0.1 that a tunnel carries over", word)
		}
		return address{network, net.JoinHostPort(host, port)}, nil
	}
	return address{}, fmt.Errorf("the sound server's address %q is neither unix:/PATH nor tcp:127.0.0.1:PORT", word)
}

// usual are the sockets of this user's server and of the machine's.
func usual(in surroundings) []address {
	var found []address
	if dir := in.variable("PULSE_RUNTIME_PATH"); dir != "" {
		found = append(found, address{"unix", filepath.Join(dir, "native")})
	}
	if dir := in.variable("XDG_RUNTIME_DIR"); dir != "" {
		found = append(found, address{"unix", filepath.Join(dir, "pulse", "native")})
	}
	return append(found,
		address{"unix", filepath.Join("/run/user", strconv.Itoa(in.user), "pulse", "native")},
		address{"unix", "/run/pulse/native"})
}

// cookieBytes is how long a cookie is.
const cookieBytes = 256

// cookie reads the server's cookie where libpulse would look for it. None at all
// is well: a server lets its own user in without, and one that lets in anybody
// takes any.
func cookie(path string, in surroundings) ([]byte, error) {
	wanted := path != ""
	places := []string{path}
	if !wanted {
		places = nil
		if named := in.variable("PULSE_COOKIE"); named != "" {
			places = append(places, named)
		}
		if home := in.variable("HOME"); home != "" {
			config := in.variable("XDG_CONFIG_HOME")
			if config == "" {
				config = filepath.Join(home, ".config")
			}
			places = append(places, filepath.Join(config, "pulse", "cookie"), filepath.Join(home, ".pulse-cookie"))
		}
		places = append(places, "/run/pulse/.config/pulse/cookie")
	}
	for _, place := range places {
		secret, err := readCookie(place)
		switch {
		case err == nil:
			return secret, nil
		case wanted:
			return nil, fmt.Errorf("the cookie of the sound server: %w", err)
		}
	}
	return make([]byte, cookieBytes), nil
}

func readCookie(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	secret := make([]byte, cookieBytes)
	if _, err := io.ReadFull(file, secret); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("%s has fewer than %d bytes: copy the server's cookie again", path, cookieBytes)
		}
		return nil, err
	}
	return secret, nil
}
