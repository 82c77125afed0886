package desk

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"nabat/gateway/alert"
	"nabat/sync/command"
	"nabat/sync/dispatch/store"
)

// gatewayLine is one gateway as pages show it.
type gatewayLine struct {
	URL        string   `json:"url"`
	Name       string   `json:"name"`
	ID         string   `json:"id"`
	Online     bool     `json:"online"`
	Reach      cardLine `json:"reach"`
	Links      string   `json:"links"`
	Conditions []string `json:"conditions"`
	Queue      string   `json:"queue"`
	Waiting    bool     `json:"waiting"` // something waits there
	Clock      cardLine `json:"clock"`
	Open       int      `json:"open"`
	Forked     string   `json:"forked,omitempty"`
	Revoked    string   `json:"revoked,omitempty"`
}

// sortedGateways puts those that need a look first: silent ones, the longest
// silent of them last heard first, then those with conditions, then by name.
func sortedGateways(list []store.GatewayInfo) []store.GatewayInfo {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b store.GatewayInfo) int {
		return cmp.Or(
			cmp.Compare(rank(a), rank(b)),
			cmp.Compare(siteName(a.Name, a.Gateway), siteName(b.Name, b.Gateway)),
			cmp.Compare(a.Gateway.String(), b.Gateway.String()),
		)
	})
	return list
}

func rank(g store.GatewayInfo) int {
	switch {
	case !g.Revoked.IsZero():
		return 4
	case !g.Online && !g.Heard.IsZero():
		return 0
	case !g.Online:
		return 1
	case len(g.Conditions) > 0 || !g.Forked.IsZero():
		return 2
	default:
		return 3
	}
}

func (s *Server) gatewayLine(d dictionary, g store.GatewayInfo) gatewayLine {
	l := gatewayLine{
		URL: gatewayURL(g.Gateway), Name: siteName(g.Name, g.Gateway), ID: g.Gateway.String(), Online: g.Online,
		Reach: s.reach(d, g, true), Conditions: []string{}, Open: g.Open,
	}
	if g.Online {
		l.Reach.Text = d.fill("reach.heard", "time", s.clock(g.Heard))
	}
	if !g.Revoked.IsZero() {
		l.Revoked = d.fill("gateway.revoked", "time", s.clock(g.Revoked))
	}
	if !g.Forked.IsZero() {
		l.Forked = d.fill("gateway.forked", "time", s.clock(g.Forked))
	}
	var links []string
	for _, k := range g.Links {
		mark := "✓"
		if !k.Online || !g.Online {
			mark = "✗"
		}
		links = append(links, mark+" "+k.Link)
	}
	l.Links = strings.Join(links, "  ")
	for _, c := range g.Conditions {
		base, object, _ := strings.Cut(c.Name, ":")
		title := d.fill("condition."+base, "object", object, "name", c.Name)
		if title == "condition."+base {
			title = c.Name
		}
		l.Conditions = append(l.Conditions, title)
	}
	if g.Heard.IsZero() {
		l.Queue, l.Clock = "–", cardLine{"wait", "–"}
		return l
	}
	l.Queue, l.Waiting = d.get("queue.empty"), g.Status.QueueDepth > 0
	if l.Waiting {
		l.Queue = d.count("n.queue", int(min(g.Status.QueueDepth, 1<<31-1)))
		if age := g.Status.OldestAgeSeconds; age > 0 {
			l.Queue += ", " + d.fill("queue.oldest", "t", d.span(time.Duration(age)*time.Second))
		}
	}
	if !g.Online { // what it said last is not what is so
		l.Queue, l.Clock = d.get("queue.last")+": "+l.Queue, cardLine{"wait", "–"}
		return l
	}
	off := g.ClockError
	if off < 0 {
		off = -off
	}
	switch {
	case !g.Status.Clock.Synced:
		l.Clock = cardLine{"bad", d.get("clock.unsynced")}
	case off > 5*time.Second:
		l.Clock = cardLine{"bad", d.fill("clock.off", "t", d.span(off))}
	default:
		l.Clock = cardLine{"good", d.get("clock.right")}
	}
	return l
}

func (s *Server) gatewaysPage(w http.ResponseWriter, r *http.Request, v visitor) {
	p := s.newPage(r, v)
	p.Here = "gateways"
	s.render(w, http.StatusOK, "gateways.html", p)
}

// gatewayData is what the page of one gateway needs.
type gatewayData struct {
	Info     store.GatewayInfo
	Line     gatewayLine
	URL      string
	Orders   []orderRow
	Kinds    []alert.Kind
	Minutes  []int
	Config   string
	Assigned string
}

// orderRow is one command in a table.
type orderRow struct {
	At, Who, What string
	State         cardLine
}

func gatewayOf(r *http.Request) store.Gateway {
	return store.Gateway{Site: r.PathValue("site"), ID: r.PathValue("gateway")}
}

// gatewayInfo finds the gateway of the request, or answers that it is unknown.
func (s *Server) gatewayInfo(w http.ResponseWriter, r *http.Request) (store.GatewayInfo, bool) {
	info, err := s.opt.Store.GatewayInfo(r.Context(), gatewayOf(r))
	switch {
	case errors.Is(err, store.ErrNotFound):
		s.refuse(w, r, http.StatusNotFound, "unknown")
		return info, false
	case err != nil:
		s.broken(w, r, "a gateway could not be read", err)
		return info, false
	}
	return info, true
}

func (s *Server) gatewayPage(w http.ResponseWriter, r *http.Request, v visitor) {
	info, ok := s.gatewayInfo(w, r)
	if !ok {
		return
	}
	commands, err := s.opt.Store.CommandsOf(r.Context(), info.Gateway, "", 30)
	if err != nil {
		s.broken(w, r, "commands could not be read", err)
		return
	}
	p := s.newPage(r, v)
	p.Here = "gateways"
	data := gatewayData{Info: info, Line: s.gatewayLine(p.words(), info), URL: gatewayURL(info.Gateway), Kinds: alert.Kinds(), Minutes: []int{1, 5, 15, 60}}
	for _, c := range commands {
		data.Orders = append(data.Orders, s.orderRow(p, c, info))
	}
	if v.Admin() {
		if data.Config, err = s.opt.Store.Config(r.Context(), info.Gateway); err != nil {
			s.broken(w, r, "a configuration could not be read", err)
			return
		}
	}
	p.Data = data
	s.render(w, http.StatusOK, "gateway.html", p)
}

func (s *Server) orderRow(p page, c store.Command, info store.GatewayInfo) orderRow {
	return orderRow{At: p.Time(c.At), Who: c.By, What: p.Or("verb."+string(c.Claims.Verb), string(c.Claims.Verb)), State: s.order(p.words(), c, info)}
}

// issue gives a command to a gateway in the name of the visitor.
func (s *Server) issue(w http.ResponseWriter, r *http.Request, v visitor, g store.Gateway, c command.Claims) bool {
	c.Who = v.Operator.ID
	issued, err := s.opt.Store.Issue(r.Context(), g, c, v.Operator.ID, s.opt.Signer)
	switch {
	case errors.Is(err, store.ErrDenied):
		s.refuse(w, r, http.StatusConflict, "revoked")
		return false
	case err != nil && c.Verb == command.Acknowledge: // it is taken here already
		s.log.Error("a command could not be issued", "error", err)
		s.refuse(w, r, http.StatusServiceUnavailable, "untold")
		return false
	case err != nil:
		s.broken(w, r, "a command could not be issued", err)
		return false
	}
	s.audited(r.Context(), v, string(c.Verb), g.String(), "command "+issued.Claims.ID+" alert "+c.Alert)
	return true
}

// Bounds of an announcement.
const (
	maxAnnouncement = 300 // characters: what a gateway shows
	maxMinutes      = 60
	maxScreens      = 32 // and zones
)

// announce shows a text on the school's screens and has its loudspeakers say it.
func (s *Server) announce(w http.ResponseWriter, r *http.Request, v visitor) {
	info, ok := s.gatewayInfo(w, r)
	if !ok {
		return
	}
	text := alert.Text{RU: line(r.PostFormValue("ru")), KK: line(r.PostFormValue("kk")), EN: line(r.PostFormValue("en"))}
	minutes, err := strconv.Atoi(r.PostFormValue("minutes"))
	switch {
	case text == alert.Text{}:
		s.refuse(w, r, http.StatusBadRequest, "announce.empty")
		return
	case tooLong(text.RU, maxAnnouncement) || tooLong(text.KK, maxAnnouncement) || tooLong(text.EN, maxAnnouncement):
		s.refuse(w, r, http.StatusBadRequest, "announce.long", "n", strconv.Itoa(maxAnnouncement))
		return
	case err != nil || minutes < 1 || minutes > maxMinutes:
		s.refuse(w, r, http.StatusBadRequest, "form")
		return
	}
	claims := command.Claims{Verb: command.Announce, Text: &text, Seconds: minutes * 60, Silent: r.PostFormValue("say") != "yes"}
	var shown, said bool
	claims.Screens, shown = listOf(r.PostFormValue("screens"))
	claims.Zones, said = listOf(r.PostFormValue("zones"))
	if !shown || !said {
		s.refuse(w, r, http.StatusBadRequest, "form")
		return
	}
	if claims.Silent {
		claims.Zones = nil
	}
	if s.issue(w, r, v, info.Gateway, claims) {
		s.done(w, r, gatewayURL(info.Gateway), "done.sent")
	}
}

// listOf reads ids with commas or spaces between them.
func listOf(field string) (ids []string, ok bool) {
	ids = strings.FieldsFunc(field, func(c rune) bool { return c == ',' || c == ' ' })
	return ids, len(ids) <= maxScreens && !slices.ContainsFunc(ids, func(id string) bool { return tooLong(id, 64) })
}

// drill begins or ends an exercise.
func (s *Server) drill(w http.ResponseWriter, r *http.Request, v visitor) {
	info, ok := s.gatewayInfo(w, r)
	if !ok {
		return
	}
	claims := command.Claims{Verb: command.DrillEnd}
	if r.PostFormValue("do") == "start" {
		claims = command.Claims{Verb: command.DrillStart, Kind: alert.Kind(r.PostFormValue("kind")), Place: line(r.PostFormValue("place")), Level: alert.LevelEmergency}
		if r.PostFormValue("level") == alert.LevelHelp.String() {
			claims.Level = alert.LevelHelp
		}
		switch {
		case r.PostFormValue("sure") != "yes":
			s.refuse(w, r, http.StatusBadRequest, "drill.sure")
			return
		case claims.Kind == "" || tooLong(string(claims.Kind), 64) || claims.Place == "" || tooLong(claims.Place, 64):
			s.refuse(w, r, http.StatusBadRequest, "form")
			return
		}
	}
	if s.issue(w, r, v, info.Gateway, claims) {
		s.done(w, r, gatewayURL(info.Gateway), "done.sent")
	}
}

// config assigns a configuration and asks the gateway to pull it.
func (s *Server) config(w http.ResponseWriter, r *http.Request, v visitor) {
	info, ok := s.gatewayInfo(w, r)
	if !ok {
		return
	}
	toml := strings.ReplaceAll(r.PostFormValue("toml"), "\r\n", "\n")
	if f, _, err := r.FormFile("file"); err == nil {
		b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
		_ = f.Close() // it was only read
		if err != nil {
			s.refuse(w, r, http.StatusBadRequest, "form")
			return
		}
		if len(b) > 0 {
			toml = string(b)
		}
	}
	switch {
	case strings.TrimSpace(toml) == "":
		s.refuse(w, r, http.StatusBadRequest, "config.empty")
		return
	case len(toml) > maxConfig || !utf8.ValidString(toml):
		s.refuse(w, r, http.StatusBadRequest, "config.long", "n", strconv.Itoa(maxConfig>>10))
		return
	}
	digest, err := s.opt.Store.AssignConfig(r.Context(), info.Gateway, toml, v.Operator.ID)
	if err != nil {
		s.broken(w, r, "a configuration could not be assigned", err)
		return
	}
	if s.issue(w, r, v, info.Gateway, command.Claims{Verb: command.ConfigPull, Digest: digest}) {
		s.done(w, r, gatewayURL(info.Gateway), "done.sent")
	}
}

// line makes one line of what a person typed, without control characters.
func line(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return ' '
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

func tooLong(text string, n int) bool { return utf8.RuneCountInString(text) > n }
