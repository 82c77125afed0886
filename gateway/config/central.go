package config

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// Central is about the link to the central service over HTTPS.
type Central struct {
	Enabled bool
	// URL is the address of the service without a slash at its end; "/v1/…" is
	// put behind it. It is https, or http to this machine only.
	URL string
	// TokenFile is the path of the file that holds the bearer token; it is read
	// with each connection, so that the token may be changed.
	TokenFile string
	// CA, Cert and Key are paths of PEM files. Without a CA the system's roots
	// are used; Cert and Key are both set or neither. Either TokenFile or Cert
	// is set.
	CA   string
	Cert string
	Key  string
	// ServerName is the name that the service's certificate bears, where it is
	// not the host of URL.
	ServerName string
}

// Command is about what dispatch may ask of the gateway.
type Command struct {
	// Keys are the public keys of dispatch, of which any may sign a command.
	// Without one every command is refused.
	Keys []CommandKey
}

// CommandKey is one public key of dispatch.
type CommandKey struct {
	// ID is the key's id as the commands' headers name it.
	ID string
	// Public is the Ed25519 public key, publicKeySize bytes.
	Public []byte
}

// publicKeySize is the length of an Ed25519 public key in bytes.
const publicKeySize = 32

func (r *reader) central(top *section) Central {
	s, there := top.table("central")
	if !there {
		return Central{}
	}
	c := Central{Enabled: s.yes("enabled", true)}
	c.TokenFile, _ = s.path("token_file")
	c.CA, _ = s.path("ca")
	c.Cert, c.Key = s.pair("cert", "key")
	if name, line, ok := s.str("server_name"); ok {
		if name == "" || !validHost(name) {
			s.report(line, `write the name in the service's certificate, as in "dispatch.example", or leave the line out`, "server_name = %s is not a host name", quote(name))
		}
		c.ServerName = name
	}
	tls := true
	if c.Enabled || s.has("url") {
		c.URL, tls = s.service()
		if !s.has("token_file") && !s.has("cert") {
			s.report(s.line, `write token_file = "/etc/nabat/central-token", or cert and key`, "neither token_file nor cert says who this gateway is")
		}
	} else {
		_, _ = s.get("url")
	}
	if !tls && (s.has("ca") || s.has("cert") || s.has("server_name")) {
		s.report(s.lineOf("url"), `write "https://…", or leave ca, cert, key and server_name out`, "certificates are given but the link is not encrypted")
	}
	s.end()
	return c
}

// service reads url. Unlike a broker on a protected network, the central
// service is never spoken to in plain text beyond this machine.
func (s *section) service() (address string, tls bool) {
	const example = `write url = "https://dispatch.example:8443"`
	text, line, ok := s.required("url", example)
	if !ok {
		return "", true
	}
	u, err := url.Parse(text)
	// An address with a password in it must not be repeated, so no message
	// below shows the whole of it.
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "" || !validHost(u.Hostname()):
		s.report(line, example, "url is not the address of a service")
	case u.User != nil:
		s.report(line, "use token_file", "url contains a user or password")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		s.report(line, example, "url has something after the path")
	case u.Scheme != "https" && u.Scheme != "http":
		s.report(line, instead(u.Scheme, []string{"https"}), "url begins with %s", quote(u.Scheme))
	case u.Port() != "" && (!validPort(u.Port()) || u.Port() == "0"):
		s.report(line, "want a port of 1 to 65535", "url has the port %s", quote(u.Port()))
	case u.Scheme == "http" && !loopback(u.Hostname()):
		s.report(line, `write "https://…"; plain text is allowed to this machine only`, "the link to %s would not be encrypted", quote(u.Hostname()))
	default:
		return strings.TrimRight(u.String(), "/"), u.Scheme == "https"
	}
	return "", true
}

// command reads every [[command_key]].
func (r *reader) command(top *section) Command {
	const remedy = `"nabat-dispatch keys" prints the lines to put here`
	var c Command
	lines := map[string]int{}
	for _, s := range top.tables("command_key") {
		id, line, ok := s.required("id", remedy)
		switch first, twice := lines[id]; {
		case !ok:
		case !validKeyID(id):
			s.report(line, "use Latin letters, digits, dashes, dots and underscores, at most 64", "id = %s cannot be the id of a key", quote(id))
		case twice:
			s.report(line, "leave one of the two out, or give the new key an id of its own", "the id %s is used already in line %d", quote(id), first)
		default:
			lines[id] = line
			s.title = "command key " + quote(id)
		}
		key := CommandKey{ID: id}
		if text, line, ok := s.required("public", remedy); ok {
			key.Public = decodeKey(text)
			if len(key.Public) != publicKeySize {
				s.report(line, remedy, "public is not a key: want base64 of %d bytes", publicKeySize)
			}
		}
		s.end()
		c.Keys = append(c.Keys, key)
	}
	return c
}

// decodeKey reads base64 in either alphabet, with or without padding; nil when
// it is none.
func decodeKey(text string) []byte {
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	b, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil
	}
	return b
}

func validKeyID(id string) bool {
	return len(id) <= maxID && !strings.ContainsFunc(id, func(c rune) bool {
		return !idLetter(c) && (c < 'A' || c > 'Z') && c != '.' && c != '_'
	})
}
