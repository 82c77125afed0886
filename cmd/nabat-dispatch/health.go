package main

import (
	"context"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// healthTime bounds a look at the database.
const healthTime = 5 * time.Second

// healthz says whether the service can store: what a load balancer asks.
func (svc *service) healthz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), healthTime)
	defer cancel()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err := svc.store.Ping(ctx); err != nil {
		svc.log.Warn("the database does not answer", "error", err)
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "the database does not answer\n")
		return
	}
	_, _ = io.WriteString(w, "ok\n") // whoever went away asks again
}

// metrics tells figures to this machine, and to others who have the token.
func (svc *service) metrics(w http.ResponseWriter, r *http.Request) {
	if !svc.mayMeasure(r) {
		http.Error(w, "figures are for this machine, or for the token of metrics_token_file", http.StatusForbidden)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), healthTime)
	defer cancel()
	st, err := svc.store.Stats(ctx)
	if err != nil {
		svc.log.Warn("the figures cannot be read", "error", err)
		http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	for _, f := range []struct {
		name  string
		value float64
	}{
		{"nabat_dispatch_gateways", float64(st.Gateways)},
		{"nabat_dispatch_gateways_online", float64(st.Online)},
		{"nabat_dispatch_alerts_open", float64(st.OpenAlerts)},
		{"nabat_dispatch_events_total", float64(st.Events)},
		{"nabat_dispatch_events_refused_total", float64(st.Refused)},
		{"nabat_dispatch_commands_pending", float64(st.CommandsPending)},
		{"nabat_dispatch_outbox_waiting", float64(st.OutboxWaiting)},
		{"nabat_dispatch_outbox_given_up_total", float64(st.OutboxGivenUp)},
		{"nabat_dispatch_database_bytes", float64(st.Bytes)},
		{"nabat_dispatch_outbox_oldest_seconds", age(st.OldestOutgoing)},
		{"nabat_dispatch_command_unpublished_oldest_seconds", age(st.OldestUnpublished)},
		{"nabat_dispatch_certificate_seconds_left", svc.certificateLeft().Seconds()},
	} {
		_, _ = fmt.Fprintf(w, "%s %g\n", f.name, f.value)
	}
	if svc.post != nil {
		_, _ = fmt.Fprintf(w, "nabat_dispatch_mqtt_refused_total %d\n", svc.post.Refused())
	}
	if svc.subscriber != nil {
		_, _ = fmt.Fprintf(w, "nabat_dispatch_mqtt_connected %d\nnabat_dispatch_mqtt_lease %d\n", number(svc.subscriber.Connected()), number(svc.subscriber.Holding()))
	}
	for _, h := range svc.hooks {
		_, _ = fmt.Fprintf(w, "nabat_dispatch_webhook_sent_total{webhook=%q} %d\nnabat_dispatch_webhook_failed_total{webhook=%q} %d\n", h.Name(), h.Sent(), h.Name(), h.Failed())
	}
	metrics.WriteProcessMetrics(w)
}

func (svc *service) mayMeasure(r *http.Request) bool {
	if svc.s.MetricsToken != "" {
		want, err := os.ReadFile(svc.s.MetricsToken)
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		text := strings.TrimSpace(string(want))
		return err == nil && ok && text != "" && subtle.ConstantTimeCompare([]byte(token), []byte(text)) == 1
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	return err == nil && loopback(host)
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

func age(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return time.Since(t).Seconds()
}

// certificateLeft is for how long the server's certificate is good.
func (svc *service) certificateLeft() time.Duration {
	if svc.s.TLSCert == "" {
		return 0
	}
	der, err := readPEM(svc.s.TLSCert)
	if err != nil {
		return 0
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return 0
	}
	return time.Until(cert.NotAfter)
}

// upkeepEvery is how often old events are deleted and the certificate is looked at.
const upkeepEvery = 6 * time.Hour

// upkeep deletes what is old enough and warns of a certificate that ends, until
// ctx ends.
func (svc *service) upkeep(ctx context.Context) error {
	ticker := time.NewTicker(upkeepEvery)
	defer ticker.Stop()
	for {
		if left := svc.certificateLeft(); svc.s.TLSCert != "" && left < 30*24*time.Hour {
			svc.log.Warn("the server's certificate ends soon: `nabat-dispatch cert` renews it", "left", left.Round(time.Hour))
		}
		now := time.Now()
		day := 24 * time.Hour
		n, err := svc.store.Prune(ctx, now.Add(-time.Duration(svc.s.Keep.Alerts)*day), now.Add(-time.Duration(svc.s.Keep.Others)*day))
		if err != nil && !errors.Is(err, context.Canceled) {
			svc.log.Warn("old events could not be deleted", "error", err)
		}
		if n > 0 {
			svc.log.Info("old events were deleted", "events", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
