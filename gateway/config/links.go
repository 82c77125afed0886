package config

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"nabat/gateway/alert"
	"nabat/gateway/pin"
)

func (r *reader) web(top *section) Web {
	s, _ := top.table("web")
	w := Web{Listen: "127.0.0.1:8080"}
	if listen, line, ok := s.str("listen"); ok {
		if host, port, err := net.SplitHostPort(listen); err != nil || !validPort(port) || !validHost(host) {
			s.report(line, `write host:port, as in "127.0.0.1:8080", or ":8080" for every address`, "listen = %s is not an address", quote(listen))
		}
		w.Listen = listen
	}
	w.TLSCert, w.TLSKey = s.pair("tls_cert", "tls_key")
	w.MetricsTokenFile, _ = s.path("metrics_token_file")
	names, _ := s.texts("hosts")
	for _, n := range names {
		if !validHost(n.data) || n.data == "" {
			s.report(n.line, `write a name without port, as in "alarm.school.kz"`, "hosts: %s is not a host name", quote(n.data))
			continue
		}
		w.Hosts = append(w.Hosts, n.data)
	}
	const remedy = `"nabat config pin" asks for a PIN and prints the line to put here`
	if hash, line, ok := s.required("pin", remedy); ok {
		if _, err := pin.Parse(hash); err != nil {
			// Somebody may have written the PIN itself: it must not be repeated.
			s.report(line, remedy, "pin is not a hash that can be checked (%v)", err)
		}
		w.PIN = NewSecret(hash)
	}
	s.end()
	return w
}

// pair reads two paths that make sense only together.
func (s *section) pair(one, other string) (a, b string) {
	a, _ = s.path(one)
	b, _ = s.path(other)
	switch {
	case s.has(one) && !s.has(other):
		s.report(s.lineOf(one), "write "+other+" = \"…\" as well, or leave both out", "%s stands without %s", one, other)
	case s.has(other) && !s.has(one):
		s.report(s.lineOf(other), "write "+one+" = \"…\" as well, or leave both out", "%s stands without %s", other, one)
	}
	return a, b
}

func (r *reader) journal(top *section) Journal {
	s, _ := top.table("journal")
	const mebibyte = 1 << 20
	j := Journal{
		KeepDays:   int(s.number("keep_days", 90, 1, 36500)),
		RoutineCap: int(s.number("routine_cap", 2_000_000, 0, 100_000_000)),
		Ballast:    s.number("ballast_mib", 16, 0, 1024) * mebibyte,
	}
	s.end()
	return j
}

func (r *reader) mqtt(top *section, site *alert.Site) MQTT {
	s, there := top.table("mqtt")
	if !there {
		return MQTT{}
	}
	m := MQTT{Enabled: s.yes("enabled", true)}
	m.ClientID, _, _ = s.str("client_id")
	if m.ClientID == "" {
		m.ClientID = "nabat-" + site.ID + "-" + site.Gateway
	}
	if strings.ContainsAny(m.ClientID, "\x00/+#") || len(m.ClientID) > 256 {
		s.report(s.lineOf("client_id"), `leave the line out, or use letters, digits and dashes`, "client_id = %s cannot be sent", quote(m.ClientID))
	}
	if ca, ok := s.path("ca"); ok {
		m.CA = ca
	}
	m.Cert, m.Key = s.pair("cert", "key")
	m.Username, _, _ = s.str("username")
	m.PasswordFile, _ = s.path("password_file")
	switch {
	case s.has("username") && !s.has("password_file"):
		s.report(s.lineOf("username"), `write password_file = "/etc/nabat/mqtt-password": the password does not belong in this file`, "username stands without password_file")
	case s.has("password_file") && !s.has("username"):
		s.report(s.lineOf("password_file"), `write username = "…" as well, or leave both out`, "password_file stands without username")
	}
	m.Receipts = s.yes("receipts", true)
	plain := s.yes("allow_plain", false)
	if m.Enabled || s.has("url") {
		m.Host, m.TLS = s.broker(plain)
	} else {
		_, _ = s.get("url")
	}
	if !m.TLS && m.Host != "" && (s.has("ca") || s.has("cert")) {
		s.report(s.lineOf("url"), `write "mqtts://…", or leave ca, cert and key out`, "certificates are given but the link is not encrypted")
	}
	s.end()
	return m
}

// broker reads url. An encrypted link is the rule; plain text to another
// machine has to be asked for.
func (s *section) broker(plain bool) (host string, tls bool) {
	const example = `write url = "mqtts://dispatch.example:8883"`
	text, line, ok := s.required("url", example)
	if !ok {
		return "", true
	}
	u, err := url.Parse(text)
	// An address with a password in it must not be repeated, so no message
	// below shows the whole of it.
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "" || !validHost(u.Hostname()):
		s.report(line, example, "url is not the address of a broker")
		return "", true
	case u.User != nil:
		s.report(line, "use username and password_file", "url contains a user or password")
		return "", true
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		s.report(line, example, "url has something after the port")
		return "", true
	}
	port := "8883"
	switch u.Scheme {
	case "mqtts", "tls", "ssl":
		tls = true
	case "mqtt", "tcp":
		port = "1883"
	default:
		s.report(line, instead(u.Scheme, []string{"mqtts", "mqtt"}), "url begins with %s", quote(u.Scheme))
		return "", true
	}
	if u.Port() != "" {
		port = u.Port()
	}
	if !validPort(port) || port == "0" {
		s.report(line, "want a port of 1 to 65535", "url has the port %s", quote(port))
		return "", true
	}
	if !tls && !plain && !loopback(u.Hostname()) {
		s.report(line, `write "mqtts://…", or allow_plain = true if the network itself is protected`, "the link to %s would not be encrypted", quote(u.Hostname()))
	}
	return net.JoinHostPort(u.Hostname(), port), tls
}

func validPort(port string) bool {
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil
}

// validHost accepts an address, a name, or nothing; it does not ask the
// network, which may be down.
func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return len(host) <= 253 && !strings.ContainsFunc(host, func(c rune) bool {
		return !idLetter(c) && (c < 'A' || c > 'Z') && c != '.' && c != '_'
	})
}

func loopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}
