package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/VictoriaMetrics/metrics"

	"nabat/gateway/alert"
)

// healthz answers 200 while every essential job makes progress, else 503 with
// the names of the jobs that do not. It is open to all: it says nothing else.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if stalled := s.opt.Health.Stalled(); len(stalled) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintf(w, "stalled: %s\n", strings.Join(stalled, ", "))
		return
	}
	fmt.Fprintln(w, "ok")
}

// metrics writes the figures in the Prometheus text format. They count quiet
// alerts too, so only this machine and the bearer of the token may read them;
// and as this machine may be the kiosk that shows the lobby, only the bearer
// learns levels, and whatever steps when an event of any level happens.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	trusted := s.bearsToken(r)
	if !trusted && !fromThisMachine(r) {
		http.Error(w, "metrics: ask from this machine, or set a metrics token and send it as a bearer token", http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	s.writeMetrics(w, trusted)
	if s.opt.Metrics != nil {
		s.opt.Metrics(w)
	}
	metrics.WriteProcessMetrics(w)
}

func (s *Server) bearsToken(r *http.Request) bool {
	if s.opt.MetricsToken == "" {
		return false
	}
	got, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	want, have := sha256.Sum256([]byte(s.opt.MetricsToken)), sha256.Sum256([]byte(got))
	return bearer && subtle.ConstantTimeCompare(want[:], have[:]) == 1
}

func fromThisMachine(r *http.Request) bool {
	for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip"} {
		if r.Header.Get(h) != "" { // a proxy on this machine speaks for someone else
			return false
		}
	}
	return address(r).IsLoopback() || r.RemoteAddr == "@" // "@" is the local socket
}

func (s *Server) writeMetrics(w io.Writer, trusted bool) {
	view := s.opt.Source.View()
	name := func(l alert.Level, st alert.Status) string {
		if !trusted {
			return fmt.Sprintf("nabat_alerts_open{status=%q}", string(st))
		}
		return fmt.Sprintf("nabat_alerts_open{level=%q,status=%q}", l.String(), string(st))
	}
	open := make(map[string]uint64)
	for _, l := range []alert.Level{alert.LevelHelp, alert.LevelEmergency} {
		for _, st := range []alert.Status{alert.Actual, alert.Exercise, alert.Test} {
			open[name(l, st)] = 0
		}
	}
	for _, a := range view.Open {
		if !trusted && a.Level() == alert.LevelHelp {
			continue // who sits at a kiosk must not learn of a quiet call
		}
		open[name(a.Level(), a.Status())]++
	}
	for _, name := range slices.Sorted(maps.Keys(open)) {
		metrics.WriteGaugeUint64(w, name, open[name])
	}
	var armed, faulted uint64
	for _, p := range view.Points {
		if p.Armed {
			armed++
		}
		if p.Fault != "" {
			faulted++
		}
	}
	metrics.WriteGaugeUint64(w, "nabat_points_armed", armed)
	metrics.WriteGaugeUint64(w, "nabat_points_faulted", faulted)
	if trusted {
		metrics.WriteCounterUint64(w, "nabat_view_version", view.Version)
	}
	for _, c := range s.opt.Health.List() {
		metrics.WriteGaugeUint64(w, fmt.Sprintf("nabat_condition{name=%q}", c.Name), 1)
	}
	for _, job := range s.opt.Health.Stalled() {
		metrics.WriteGaugeUint64(w, fmt.Sprintf("nabat_job_stalled{job=%q}", job), 1)
	}
	s.writeStats(w, trusted)
	for _, a := range []audience{toLobby, toConsole, toWall} {
		metrics.WriteGaugeUint64(w, fmt.Sprintf("nabat_web_streams{audience=%q}", string(a)), uint64(s.streams.count(a)))
	}
	c := &s.counters
	metrics.WriteCounterUint64(w, "nabat_web_streams_refused_total", c.streamsRefused.Load())
	metrics.WriteCounterUint64(w, "nabat_web_streams_dropped_total", c.streamsGivenAway.Load())
	metrics.WriteCounterUint64(w, `nabat_pin_tries_total{result="right"}`, c.right.Load())
	metrics.WriteCounterUint64(w, `nabat_pin_tries_total{result="wrong"}`, c.wrong.Load())
	metrics.WriteCounterUint64(w, `nabat_pin_tries_total{result="locked"}`, c.locked.Load())
	if trusted {
		metrics.WriteCounterUint64(w, `nabat_decisions_total{decision="acknowledged"}`, c.acknowledged.Load())
		metrics.WriteCounterUint64(w, `nabat_decisions_total{decision="cleared"}`, c.cleared.Load())
	}
	metrics.WriteCounterUint64(w, `nabat_decisions_total{decision="drill-started"}`, c.drillsStarted.Load())
	metrics.WriteCounterUint64(w, `nabat_decisions_total{decision="drill-ended"}`, c.drillsEnded.Load())
	metrics.WriteCounterUint64(w, `nabat_decisions_total{decision="announced"}`, c.announced.Load())
	metrics.WriteCounterUint64(w, `nabat_decisions_total{decision="announcement-ended"}`, c.silenced.Load())
	metrics.WriteCounterUint64(w, `nabat_screen_proofs_total{result="taken"}`, c.proofs.Load())
	metrics.WriteCounterUint64(w, `nabat_screen_proofs_total{result="refused"}`, c.proofsRefused.Load())
	metrics.WriteCounterUint64(w, "nabat_decisions_not_saved_total", c.notSaved.Load())
}

func (s *Server) writeStats(w io.Writer, trusted bool) {
	if s.opt.Stats == nil {
		return
	}
	stats := s.opt.Stats()
	metrics.WriteGaugeUint64(w, "nabat_journal_durable", yes(stats.Journal.Durable))
	if trusted {
		metrics.WriteCounterUint64(w, "nabat_journal_sequence", stats.Journal.Last)
	}
	metrics.WriteGaugeUint64(w, "nabat_clock_synchronised", yes(stats.ClockSynced))
	for _, l := range stats.Links {
		metrics.WriteGaugeUint64(w, fmt.Sprintf("nabat_link_up{link=%q}", l.Name), yes(l.Up))
		if !trusted {
			continue
		}
		metrics.WriteGaugeUint64(w, fmt.Sprintf("nabat_link_waiting{link=%q}", l.Name), l.Waiting)
		metrics.WriteGaugeUint64(w, fmt.Sprintf("nabat_link_waiting_alarms{link=%q}", l.Name), l.Alarms)
		metrics.WriteGaugeFloat64(w, fmt.Sprintf("nabat_link_oldest_seconds{link=%q}", l.Name), l.Oldest.Seconds())
		metrics.WriteGaugeUint64(w, fmt.Sprintf("nabat_link_parked{link=%q}", l.Name), l.Parked)
	}
}

func yes(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
