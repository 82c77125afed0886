package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"nabat/gateway/alert"
	"nabat/sync/event"
)

// maxConfig bounds the configuration file, in bytes.
const maxConfig = 1 << 20

// settings is the configuration as it stands in the file. Relative paths are
// relative to it.
type settings struct {
	Name     string   `toml:"name"`
	Sender   string   `toml:"sender"`
	Language string   `toml:"language"`
	Listen   string   `toml:"listen"`
	Hosts    []string `toml:"hosts"`
	// Address is what gateways and browsers call the service.
	Address  string `toml:"address"`
	TLSCert  string `toml:"tls_cert"`
	TLSKey   string `toml:"tls_key"`
	CA       string `toml:"ca"`
	ClientCA string `toml:"client_ca"`
	// Database is "sqlite:PATH" or "postgres://…"; DatabaseFile holds it where
	// it contains a password.
	Database     string `toml:"database"`
	DatabaseFile string `toml:"database_file"`
	Keys         string `toml:"keys"`
	MetricsToken string `toml:"metrics_token_file"`

	Broker   *brokerSettings   `toml:"broker"`
	MQTT     *mqttSettings     `toml:"mqtt"`
	Webhooks []webhookSettings `toml:"webhook"`
	Keep     keepSettings      `toml:"keep"`

	file string
}

// brokerSettings are about the broker inside the service.
type brokerSettings struct {
	Listen  string `toml:"listen"`
	Address string `toml:"address"`
}

// mqttSettings are about a broker elsewhere.
type mqttSettings struct {
	URL          string `toml:"url"`
	ClientID     string `toml:"client_id"`
	Username     string `toml:"username"`
	PasswordFile string `toml:"password_file"`
	CA           string `toml:"ca"`
	Cert         string `toml:"cert"`
	Key          string `toml:"key"`
	AllowPlain   bool   `toml:"allow_plain"`
	// Gateways is the broker's address as gateways see it, where it differs.
	Gateways string `toml:"gateways"`
}

type webhookSettings struct {
	Name         string `toml:"name"`
	URL          string `toml:"url"`
	SecretFile   string `toml:"secret_file"`
	AllowPrivate bool   `toml:"allow_private"`
	CA           string `toml:"ca"`
}

// keepSettings say for how many days events stay; zero means the default.
type keepSettings struct {
	Alerts int `toml:"alert_days"`
	Others int `toml:"other_days"`
}

// problem is one mistake in the file.
type problem struct {
	line         int
	what, remedy string
}

// mistakes is every mistake in one file, sorted by line.
type mistakes struct {
	file string
	list []problem
}

// Error returns one line per mistake: file:line: what; remedy.
func (m *mistakes) Error() string {
	lines := make([]string, len(m.list))
	for i, p := range m.list {
		lines[i] = fmt.Sprintf("%s:%d: %s; %s", m.file, p.line, p.what, p.remedy)
	}
	return strings.Join(lines, "\n")
}

// loadConfig reads and checks the configuration.
func loadConfig(path string) (*settings, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the configuration (`nabat-dispatch init` makes one): %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, fmt.Errorf("read the configuration %s: %w", path, err)
	}
	return parseConfig(path, b)
}

// parseConfig checks the configuration b; a file with a mistake is refused as a
// whole, and the error is a *mistakes.
func parseConfig(path string, b []byte) (*settings, error) {
	s, c := &settings{file: path}, &checker{file: path, lines: keyLines(b)}
	if len(b) > maxConfig {
		c.at(1, "the file is larger than 1 MiB", "is this the right file?")
		return nil, c.err()
	}
	d := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		c.syntax(err)
		return nil, c.err()
	}
	c.settings(s)
	if err := c.err(); err != nil {
		return nil, err
	}
	s.defaults()
	return s, nil
}

// checker collects the mistakes of one file.
type checker struct {
	file  string
	lines map[string]int
	list  []problem
}

func (c *checker) at(line int, what, remedy string) {
	c.list = append(c.list, problem{line, what, remedy})
}

// key notes a mistake at a key, or at the table that should hold it.
func (c *checker) key(key, what, remedy string) {
	for k := key; ; {
		if line, ok := c.lines[k]; ok {
			c.at(line, what, remedy)
			return
		}
		cut := strings.LastIndexByte(k, '.')
		if cut < 0 {
			c.at(1, what, remedy)
			return
		}
		k = k[:cut]
	}
}

func (c *checker) err() error {
	if len(c.list) == 0 {
		return nil
	}
	slices.SortStableFunc(c.list, func(a, b problem) int { return cmp.Compare(a.line, b.line) })
	return &mistakes{c.file, c.list}
}

// syntax notes what the decoder has found. Its messages quote no value.
func (c *checker) syntax(err error) {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		for _, e := range unknown.Errors {
			line, _ := e.Position()
			c.at(line, "unknown key "+strings.Join(e.Key(), "."), "`nabat-dispatch init` writes a file with every key explained")
		}
		return
	}
	line := 1
	var at *toml.DecodeError
	if errors.As(err, &at) {
		line, _ = at.Position()
	}
	c.at(line, strings.TrimPrefix(err.Error(), "toml: "), "see https://toml.io for how texts, lists and tables are written")
}

func (c *checker) settings(s *settings) {
	if s.Language != "" && !slices.Contains(alert.Languages(), alert.Language(s.Language)) {
		c.key("language", "unknown language", `write "ru", "kk" or "en"`)
	}
	c.listen("listen", s.Listen, s.TLSCert != "")
	c.pair("tls_cert", s.TLSCert, "tls_key", s.TLSKey)
	if s.ClientCA != "" && s.TLSCert == "" {
		c.key("client_ca", "client certificates need TLS", "write tls_cert and tls_key as well")
	}
	if s.Address != "" {
		c.address("address", s.Address)
	}
	switch {
	case s.Database != "" && s.DatabaseFile != "":
		c.key("database_file", "database and database_file both say where the database is", "leave one out")
	case s.Database != "" && !strings.HasPrefix(s.Database, "sqlite:") && !strings.HasPrefix(s.Database, "postgres://") && !strings.HasPrefix(s.Database, "postgresql://"):
		c.key("database", "this is not the address of a database", `write "sqlite:dispatch.db" or "postgres://user@host/name"`)
	}
	if s.Broker != nil {
		c.listen("broker.listen", s.Broker.Listen, s.TLSCert != "")
		if s.Broker.Address != "" {
			c.address("broker.address", s.Broker.Address)
		}
		if s.MQTT != nil {
			c.key("mqtt", "[broker] and [mqtt] stand side by side", "keep [broker] for the broker inside the service, or [mqtt] for one elsewhere")
		}
	}
	c.mqtt(s.MQTT)
	c.webhooks(s.Webhooks)
	if s.Keep.Alerts < 0 || s.Keep.Others < 0 {
		c.key("keep", "days cannot be negative", "leave the line out to keep the default")
	}
}

func (c *checker) listen(key, listen string, encrypted bool) {
	if listen == "" {
		if key != "listen" {
			c.key(key, key+" is missing", `write listen = ":8883"`)
		}
		return
	}
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		c.key(key, key+" is not an address", `write host:port, as in "127.0.0.1:8443", or ":8443" for every address`)
		return
	}
	if !encrypted && !loopback(host) {
		c.key(key, "without TLS everyone on the way reads and forges alarms", "write tls_cert and tls_key, or listen on 127.0.0.1")
	}
}

func (c *checker) address(key, address string) {
	if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
		c.key(key, key+" is not what gateways can call", `write name:port, as in "dispatch.example:8443"`)
	}
}

func (c *checker) pair(one, a, other, b string) {
	if (a == "") != (b == "") {
		if a == "" {
			one, other = other, one
		}
		c.key(one, one+" stands without "+other, "write both, or leave both out")
	}
}

func (c *checker) mqtt(m *mqttSettings) {
	if m == nil {
		return
	}
	u, err := url.Parse(m.URL)
	switch {
	case err != nil || u.Hostname() == "" || !slices.Contains([]string{"mqtt", "mqtts", "tcp", "tls", "ssl"}, u.Scheme):
		c.key("mqtt.url", "this is not the address of a broker", `write url = "mqtts://broker.example:8883"`)
	case u.User != nil:
		c.key("mqtt.url", "the address holds a user or a password", "use username and password_file")
	case slices.Contains([]string{"mqtt", "tcp"}, u.Scheme) && !m.AllowPlain && !loopback(u.Hostname()):
		c.key("mqtt.url", "the link to the broker would not be encrypted", `write "mqtts://…", or allow_plain = true if the network itself is protected`)
	}
	c.pair("mqtt.cert", m.Cert, "mqtt.key", m.Key)
	c.pair("mqtt.username", m.Username, "mqtt.password_file", m.PasswordFile)
}

func (c *checker) webhooks(list []webhookSettings) {
	seen := make(map[string]bool)
	for _, w := range list {
		u, err := url.Parse(w.URL)
		switch {
		case w.Name == "" || event.CheckID(w.Name) != nil || seen[w.Name]:
			c.key("webhook.name", "every webhook needs a name of its own", `write name = "city"`)
		case err != nil || u.Hostname() == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http"):
			c.key("webhook.url", "webhook "+w.Name+": this is not an address that can be called", `write url = "https://city.example/nabat"`)
		case u.Scheme == "http" && !loopback(u.Hostname()):
			c.key("webhook.url", "webhook "+w.Name+": it would not be encrypted", `write "https://…"`)
		case w.SecretFile == "":
			c.key("webhook.secret_file", "webhook "+w.Name+": without a secret the receiver cannot know who calls", `write secret_file = "city.secret"`)
		}
		seen[w.Name] = true
	}
}

func (s *settings) defaults() {
	s.Name = cmp.Or(s.Name, "Nabat")
	s.Language = cmp.Or(s.Language, string(alert.Russian))
	s.Listen = cmp.Or(s.Listen, "127.0.0.1:8443")
	s.Keys = cmp.Or(s.Keys, "keys")
	if s.Database == "" && s.DatabaseFile == "" {
		s.Database = "sqlite:dispatch.db"
	}
	if s.MQTT != nil {
		s.MQTT.ClientID = cmp.Or(s.MQTT.ClientID, "nabat-dispatch")
		s.resolve(&s.MQTT.CA, &s.MQTT.Cert, &s.MQTT.Key, &s.MQTT.PasswordFile)
	}
	for i := range s.Webhooks {
		s.resolve(&s.Webhooks[i].SecretFile, &s.Webhooks[i].CA)
	}
	s.Keep.Alerts = cmp.Or(s.Keep.Alerts, 3*365)
	s.Keep.Others = cmp.Or(s.Keep.Others, 90)
	s.resolve(&s.TLSCert, &s.TLSKey, &s.CA, &s.ClientCA, &s.DatabaseFile, &s.Keys, &s.MetricsToken)
}

// resolve makes relative paths relative to the configuration.
func (s *settings) resolve(paths ...*string) {
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(filepath.Dir(s.file), *p)
		}
	}
}

// databaseURL returns where the database is.
func (s *settings) databaseURL() (string, error) {
	text := s.Database
	if s.DatabaseFile != "" {
		b, err := os.ReadFile(s.DatabaseFile)
		if err != nil {
			return "", fmt.Errorf("read the database's address: %w", err)
		}
		text, _, _ = strings.Cut(string(b), "\n")
		text = strings.TrimSpace(text)
	}
	if path, ok := strings.CutPrefix(text, "sqlite:"); ok {
		s.resolve(&path)
		text = "sqlite:" + path
	}
	return text, nil
}

func loopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}
