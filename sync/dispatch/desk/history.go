package desk

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"nabat/gateway/alert"
	"nabat/sync/dispatch/store"
)

// historyData is what the history page needs.
type historyData struct {
	Rows     []historyRow
	Next     string
	CSV      string
	Kinds    []alert.Kind
	Statuses []alert.Status
	Gateways []store.GatewayInfo
	// What the form was filled with.
	Gateway, Kind, Status, From, To string
}

type historyRow struct {
	URL, Icon, Kind, Site, Place, Pressed, Stored, State string
	Status                                               alert.Status
	Late, Open                                           bool
}

// filter reads the history's form. The last day counts as a whole.
func (s *Server) filter(q url.Values) (store.Filter, error) {
	f := store.Filter{Kind: alert.Kind(q.Get("kind")), Status: alert.Status(q.Get("status"))}
	f.Site, f.ID = cutGateway(q.Get("gateway"))
	var err, errTo, errBefore error
	f.From, err = s.day(q.Get("from"))
	if f.To, errTo = s.day(q.Get("to")); !f.To.IsZero() {
		f.To = f.To.AddDate(0, 0, 1)
	}
	if text := q.Get("before"); text != "" {
		f.Before, errBefore = strconv.ParseInt(text, 10, 64)
	}
	return f, errors.Join(err, errTo, errBefore)
}

func (s *Server) historyPage(w http.ResponseWriter, r *http.Request, v visitor) {
	q := r.URL.Query()
	f, err := s.filter(q)
	if err != nil {
		s.refuse(w, r, http.StatusBadRequest, "form")
		return
	}
	found, err := s.opt.Store.History(r.Context(), f)
	if err != nil {
		s.broken(w, r, "the history could not be read", err)
		return
	}
	gateways, err := s.opt.Store.Gateways(r.Context())
	if err != nil {
		s.broken(w, r, "gateways could not be read", err)
		return
	}
	p := s.newPage(r, v)
	p.Here = "history"
	d := historyData{
		Kinds: alert.Kinds(), Statuses: []alert.Status{alert.Actual, alert.Exercise, alert.Test}, Gateways: gateways,
		Gateway: q.Get("gateway"), Kind: q.Get("kind"), Status: q.Get("status"), From: q.Get("from"), To: q.Get("to"),
	}
	for _, a := range found.Alerts {
		d.Rows = append(d.Rows, s.historyRow(p, a))
	}
	q.Del("before")
	q.Del("lang")
	d.CSV = "/dispatch/history.csv?" + q.Encode()
	if found.Next != 0 {
		q.Set("before", strconv.FormatInt(found.Next, 10))
		d.Next = "/dispatch/history?" + q.Encode()
	}
	p.Data = d
	s.render(w, http.StatusOK, "history.html", p)
}

func (s *Server) historyRow(p page, a store.Alert) historyRow {
	place := placePath(a.Place)
	row := historyRow{
		URL: alertURL(a.Gateway, a.ID), Icon: p.Icon(a.Kind), Kind: p.Kind(a.Kind), Site: siteName(a.Name, a.Gateway),
		Place: place[len(place)-1], Pressed: p.Moment(a.Pressed), Stored: p.Time(a.Stored), Late: a.Late, Open: a.Stands,
		Status: capAlert(a, a.Alert).Status,
	}
	row.State = p.T("state.open")
	if !a.Stands {
		row.State = p.Or("outcome."+string(a.Cleared.Outcome), p.T("state.closed"))
	}
	return row
}

// historyCSV exports what the history page would show, all pages of it.
func (s *Server) historyCSV(w http.ResponseWriter, r *http.Request, v visitor) {
	f, err := s.filter(r.URL.Query())
	if err != nil {
		s.refuse(w, r, http.StatusBadRequest, "form")
		return
	}
	s.audited(r.Context(), v, "export", "history", r.URL.RawQuery)
	p := s.newPage(r, v)
	out := s.newTable(w, p.Lang, "nabat-history")
	out.row("site", "gateway", "name", "alert", "kind", "level", "status", "place", "path", "point", "presses", "pressed", "pressed_quality", "delivered", "late", "open", "outcome", "closed_by", "teams")
	for a, err := range s.opt.Store.ExportAlerts(r.Context(), f) {
		if err != nil {
			out.fail(err)
			return
		}
		c := capAlert(a, a.Alert)
		var teams, path string
		for _, t := range a.Teams {
			teams += cmp.Or(t.Team.Name, strconv.FormatInt(t.Team.ID, 10)) + ". "
		}
		for i, part := range a.Place.Path {
			if i > 0 {
				path += " / "
			}
			path += part
		}
		outcome, by := "", ""
		if !a.Stands {
			outcome, by = string(a.Cleared.Outcome), a.Cleared.Who
		}
		out.row(a.Gateway.Site, a.Gateway.ID, a.Name, a.ID, string(a.Kind), c.Level.String(), string(c.Status), a.Place.ID, path, a.Last.Point,
			strconv.FormatUint(presses(a.Alert), 10), iso(a.Pressed.At), quality(a.Pressed), iso(a.Stored), strconv.FormatBool(a.Late), strconv.FormatBool(a.Stands), outcome, by, teams)
	}
	out.end()
}

func iso(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// cutGateway takes "site/gateway" apart; a name without a slash is a site.
func cutGateway(text string) (site, id string) {
	site, id, _ = strings.Cut(text, "/")
	return site, id
}
