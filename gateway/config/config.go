// Package config turns the installer's TOML file into checked values. A file
// with a mistake is refused as a whole, and every mistake is named at once,
// each with its line and with what would be right.
package config

import (
	"fmt"
	"io"
	"os"

	"nabat/gateway/alert"
)

// maxSize bounds a configuration file: a thousand rooms take about 300 KiB.
const maxSize = 4 << 20

// Board says where the wall's lines come from.
type Board string

// Boards.
const (
	// BoardGPIO reads and drives real lines of the kernel's GPIO chips.
	BoardGPIO Board = "gpio"
	// BoardSim simulates every button and lamp; lines are not needed.
	BoardSim Board = "sim"
)

// Config is a checked configuration. It is never changed after Load or Parse
// returned it. Printing it with any verb shows no secret.
type Config struct {
	// Site is what the rest of the gateway knows about the place.
	Site *alert.Site
	// DataDir is the absolute path of the directory for the journal and the
	// control socket.
	DataDir string
	Board   Board
	// Screens are the ids of the lobby screens that plans may name; Site.Screens
	// says more about each.
	Screens []string
	// Inputs holds one entry per button, Outputs one per lamp, in the order of
	// the file. On a simulated board their lines may be empty.
	Inputs  []Input
	Outputs []Output
	// Speakers, Amplifiers and Displays are in the order of the file.
	Speakers      []Speaker
	Amplifiers    []Amplifier
	Displays      []Display
	Announcements Announcements
	Lobby         Lobby
	Web           Web
	Journal       Journal
	MQTT          MQTT
	Central       Central
	Command       Command
	// Contacts are the people whom escalations may ask, in the order of the file.
	Contacts []Recipient
	SMS      SMS
	// Warnings are what is allowed and yet hardly meant, sorted by line.
	Warnings []Problem
}

// Web is about the pages.
type Web struct {
	// Listen is host:port; an empty host means every address.
	Listen string
	// TLSCert and TLSKey are paths of PEM files; both are set or neither.
	TLSCert string
	TLSKey  string
	// Hosts are the DNS names under which browsers reach the pages, beyond
	// addresses, single words and names in .local, which always work.
	Hosts []string
	// MetricsTokenFile is the path of the file that holds the token of /metrics;
	// without one /metrics answers this machine only, and tells less.
	MetricsTokenFile string
	// PIN is the argon2id hash of the staff PIN, as package pin writes it.
	PIN Secret
}

// Journal is about the file of events.
type Journal struct {
	// KeepDays is for how many days delivered events stay in the file.
	KeepDays int
	// RoutineCap is the greatest number of routine events, delivered or not;
	// beyond it the oldest make room, and the gap is written down. Zero means
	// no cap.
	RoutineCap int
	// Ballast is the size in bytes of the file that is given up when the disk
	// is full. Zero means none.
	Ballast int64
}

// MQTT is about the link to dispatch.
type MQTT struct {
	Enabled bool
	// Host is host:port of the broker; TLS says whether to speak TLS to it.
	Host string
	TLS  bool
	// ClientID is unique at the broker.
	ClientID string
	// CA, Cert and Key are paths of PEM files. Without a CA the system's roots
	// are used; Cert and Key are both set or neither.
	CA   string
	Cert string
	Key  string
	// Username and PasswordFile are both set or neither; the password itself
	// is read with each connection, so that it may be changed.
	Username     string
	PasswordFile string
	// Receipts says that an event counts as delivered when dispatch's receipt
	// covers it. Without it the broker's word is enough.
	Receipts bool
}

// Load reads and checks the configuration file at path. Mistakes in the file
// come back as Errors.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open configuration (\"nabat config init\" prints one to start from): %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	b, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration %s: %w", path, err)
	}
	return Parse(path, b)
}

// Parse checks the configuration b; name stands for the file in messages.
// Mistakes come back as Errors, sorted by line, and then the Config is nil.
func Parse(name string, b []byte) (*Config, error) {
	r := &reader{file: name}
	if len(b) > maxSize {
		r.report(1, "a configuration of a thousand rooms takes less than 1 MiB; is this the right file?", "the file is larger than %d MiB", maxSize>>20)
		return nil, r.errors()
	}
	root, problem := parseDocument(b)
	if problem != nil {
		r.report(problem.Line, problem.Remedy, "%s", problem.What)
		return nil, r.errors()
	}
	c := r.config(root)
	if err := r.errors(); err != nil {
		return nil, err
	}
	return c, nil
}

func (r *reader) config(root *node) *Config {
	top := &section{r: r, n: root, line: 1}
	c := &Config{Site: &alert.Site{}}
	s := c.Site

	s.ID = top.id("site", `write site = "school-12": the name of this school in topics and addresses`)
	s.Gateway = top.idOr("gateway", "main")
	s.Name = top.text("name")
	language, _, ok := top.required("language", `write language = "ru", "kk" or "en"`)
	if ok {
		s.Language = alert.Language(top.oneOf("language", language, string(alert.Russian), string(alert.Kazakh), string(alert.English)))
	}
	if dir, ok := top.path("data_dir"); ok {
		c.DataDir = dir
	} else if !top.has("data_dir") {
		c.DataDir = "/var/lib/nabat"
	}
	c.Board = Board(top.choice("board", string(BoardGPIO), string(BoardGPIO), string(BoardSim)))
	chip, _, _ := top.str("chip")
	zones, zoneLines := r.zones(top)
	s.Zones = zones
	s.Screens = r.screens(top, s)
	for _, screen := range s.Screens {
		c.Screens = append(c.Screens, screen.ID)
	}

	s.Places = r.places(top)
	s.Kinds = r.kinds(top)
	w := &wall{r: r, site: s, board: c.Board, chip: chip, points: map[string]int{}, lines: map[Line]use{}}
	w.buttons(top)
	w.lamps(top)
	c.Inputs, c.Outputs = w.inputs, w.outputs
	c.Amplifiers = w.amplifiers(top)
	c.Speakers = r.speakers(top, s, c.Amplifiers)
	c.Displays = w.displays(top)
	s.Messages = r.messages(top)
	s.Helplines = r.helplines(top)
	c.Announcements = r.announcements(top, c)
	c.Lobby = r.lobby(top)

	c.Web = r.web(top)
	c.Journal = r.journal(top)
	c.MQTT = r.mqtt(top, s)
	c.Central = r.central(top)
	c.Command = r.command(top)
	c.Contacts = r.contacts(top, s)
	c.SMS = r.sms(top, c.Contacts)
	h := reach{contacts: c.Contacts, link: c.MQTT.Enabled || c.Central.Enabled, sms: c.SMS.Enabled}
	s.Usual = map[alert.Level][]alert.Step{
		alert.LevelHelp: h.usual(alert.LevelHelp), alert.LevelEmergency: h.usual(alert.LevelEmergency),
	}
	s.Plans = r.plans(top, s, h)
	top.end()
	r.emptyZones(c, zoneLines)
	c.Warnings = r.sortedWarnings()
	return c
}
