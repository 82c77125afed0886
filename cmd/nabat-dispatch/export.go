package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"nabat/sync/dispatch/store"
)

type exportVerb struct {
	CSV exportCSV `cmd:"" name:"csv" help:"Write alerts, events, what was put aside, or the audit log as CSV."`
}

type exportCSV struct {
	configFlag
	What string    `arg:"" enum:"alerts,events,refused,audit" default:"alerts" help:"alerts, events, refused (what is stored but in no alert) or audit."`
	From time.Time `format:"2006-01-02" help:"First day, as in 2026-11-01."`
	To   time.Time `format:"2006-01-02" help:"Day after the last one."`
	Site string    `help:"Alerts of this site only."`
}

// Run writes CSV to standard output.
func (v exportCSV) Run(ctx context.Context, stdout io.Writer) error {
	return v.with(ctx, func(_ *settings, db *store.Store) error {
		w := csv.NewWriter(stdout)
		var err error
		switch v.What {
		case "events":
			err = v.events(ctx, db, w)
		case "refused":
			err = refused(ctx, db, w)
		case "audit":
			err = audit(ctx, db, w)
		default:
			err = v.alerts(ctx, db, w)
		}
		w.Flush()
		return errors.Join(err, w.Error())
	})
}

func (v exportCSV) alerts(ctx context.Context, db *store.Store, w *csv.Writer) error {
	if err := w.Write([]string{"site", "gateway", "alert", "kind", "level", "status", "place", "pressed_at", "pressed_quality", "stored_at", "changed_at", "open", "late", "outcome", "closed_by", "teams"}); err != nil {
		return err
	}
	for a, err := range db.ExportAlerts(ctx, store.Filter{Site: v.Site, From: v.From, To: v.To}) {
		if err != nil {
			return err
		}
		var teams []string
		for _, t := range a.Teams {
			teams = append(teams, t.Team.Name)
		}
		level, status := a.Gravity()
		outcome, by := "", ""
		if !a.Stands {
			outcome, by = string(a.Cleared.Outcome), a.Cleared.Who
		}
		if err := w.Write(safe(a.Gateway.Site, a.Gateway.ID, a.ID, string(a.Kind), level.String(), string(status), strings.Join(a.Place.Path, " / "),
			stamp(a.Pressed.At), quality(a.Pressed), stamp(a.Stored), stamp(a.Changed), strconv.FormatBool(a.Stands), strconv.FormatBool(a.Late), outcome, by, strings.Join(teams, "; "))); err != nil {
			return err
		}
	}
	return nil
}

func (v exportCSV) events(ctx context.Context, db *store.Store, w *csv.Writer) error {
	if err := w.Write([]string{"site", "gateway", "id", "type", "alert", "made_at", "made_quality", "stored_at", "links", "late", "refused", "data"}); err != nil {
		return err
	}
	to := v.To
	if to.IsZero() {
		to = time.Now().Add(time.Hour)
	}
	for e, err := range db.ExportEvents(ctx, v.From, to) {
		if err != nil {
			return err
		}
		var links []string
		var first time.Time
		for _, d := range e.Deliveries {
			links = append(links, d.Link)
			if first.IsZero() || d.At.Before(first) {
				first = d.At
			}
		}
		if err := w.Write(safe(e.Gateway.Site, e.Gateway.ID, e.Event.ID(), string(e.Event.Type), e.Event.Subject,
			stamp(e.Made.At), quality(e.Made), stamp(first), strings.Join(links, " "), strconv.FormatBool(e.Late), e.Refused, string(e.Event.Data))); err != nil {
			return err
		}
	}
	return nil
}

// mostRefused bounds what is read into memory: the newest are written.
const mostRefused = 10_000

// refused writes events that no alert shows, although their gateways have
// receipts for them: not understood, or of a disk that was copied.
func refused(ctx context.Context, db *store.Store, w *csv.Writer) error {
	if err := w.Write([]string{"site", "gateway", "id", "type", "alert", "stored_at", "link", "reason", "data"}); err != nil {
		return err
	}
	list, err := db.Refused(ctx, mostRefused)
	if err != nil {
		return err
	}
	for _, r := range list {
		if err := w.Write(safe(r.Gateway.Site, r.Gateway.ID, r.Event.ID(), string(r.Event.Type), r.Event.Subject,
			stamp(r.At), r.Link, r.Reason, string(r.Event.Data))); err != nil {
			return err
		}
	}
	return nil
}

func audit(ctx context.Context, db *store.Store, w *csv.Writer) error {
	if err := w.Write([]string{"number", "at", "who", "what", "object", "detail"}); err != nil {
		return err
	}
	for e, err := range db.ExportAudit(ctx) {
		if err != nil {
			return err
		}
		if err := w.Write(safe(strconv.FormatInt(e.Number, 10), stamp(e.At), e.Who, e.What, e.Object, e.Detail)); err != nil {
			return err
		}
	}
	if n, err := db.VerifyAudit(ctx); err != nil {
		return fmt.Errorf("the audit log was tampered with, %d entries are good: %w", n, err)
	}
	return nil
}

// safe keeps spreadsheets from taking a text for a formula: they look behind
// blanks, and East Asian ones at full-width signs too.
func safe(fields ...string) []string {
	for i, f := range fields {
		f = strings.ReplaceAll(f, "\x00", "")
		rest := strings.TrimLeft(f, " \t\r\n\u00a0\ufeff")
		if f != "" && strings.ContainsRune("\t\r\n", rune(f[0])) || rest != "" && strings.ContainsRune("=+-@|＝＋－＠", []rune(rest)[0]) {
			f = "'" + f
		}
		fields[i] = f
	}
	return fields
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// quality says how far a time can be trusted.
func quality(m store.Moment) string {
	switch {
	case m.At.IsZero():
		return ""
	case m.Estimated:
		return "estimated"
	case m.Corrected:
		return "corrected"
	}
	return "exact"
}
