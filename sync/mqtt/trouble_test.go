package mqtt

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/sync/mqtt/brokertest"
)

// scene is a gateway that reaches a broker through a proxy, and dispatch
// beside it.
type scene struct {
	t      *testing.T
	broker *brokertest.Broker
	proxy  *proxy
	g      *gateway
	d      *dispatch
}

func newScene(t *testing.T, o brokertest.Options, change func(*Options)) *scene {
	t.Helper()
	s := &scene{t: t, broker: brokertest.Start(t, o)}
	s.proxy = startProxy(t, "127.0.0.1:0", s.broker.Addr())
	scheme := "tcp://"
	if o.TLS != nil {
		scheme = "tls://"
	}
	s.g = newGateway(t, scheme+s.proxy.addr(), change)
	s.d = newDispatch(t, s.broker)
	return s
}

// back starts the broker again with nothing in it. Dispatch is there before
// the gateway, or the broker would give events to nobody.
func (s *scene) back() {
	s.proxy.set(true, false)
	s.proxy.cut()
	s.broker.Restart()
	s.d.join()
	s.proxy.set(false, false)
}

// feed appends while the trouble is on.
func (s *scene) feed() {
	s.g.feed(alert.PointFault, 300)
	s.g.feed(alert.Raised, 20)
	s.g.feed(alert.PointRestored, 300)
}

// flowing waits until events flow.
func (s *scene) flowing() {
	s.t.Helper()
	_, before := s.d.count()
	s.g.feed(alert.GatewayStarted, 1)
	until(s.t, "an event arrives", func() bool { _, n := s.d.count(); return n > before })
}

func TestEveryAcceptedEventArrives(t *testing.T) {
	for name, trouble := range map[string]func(*scene){
		"broker stopped": func(s *scene) {
			s.broker.Stop()
			s.feed()
			until(s.t, "link-down", func() bool { return s.g.holds(conditionDown) })
			s.back()
		},
		"broker killed in mid-flow": func(s *scene) {
			go s.g.feed(alert.PointFault, 2000)
			_, before := s.d.count()
			until(s.t, "a part has arrived", func() bool { _, n := s.d.count(); return n > before+200 })
			s.broker.Kill()
			s.feed()
			s.back()
		},
		"broker frozen": func(s *scene) {
			s.broker.Freeze()
			s.feed()
			until(s.t, "link-down", func() bool { return s.g.holds(conditionDown) })
			s.broker.Thaw()
		},
		"broker restarted with an empty session": func(s *scene) {
			s.feed()
			s.back()
			s.feed()
		},
		"half-open link": func(s *scene) {
			s.proxy.set(false, true)
			s.feed()
			until(s.t, "link-down", func() bool { return s.g.holds(conditionDown) })
			s.proxy.set(false, false)
			s.proxy.cut()
		},
		"flapping link": func(s *scene) {
			for range 15 {
				s.g.feed(alert.PointFault, 200)
				s.proxy.cut()
				s.g.feed(alert.Raised, 5)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, brokertest.Options{}, nil)
			s.d.join()
			s.g.start()
			s.flowing()
			trouble(s)
			s.d.complete(s.g, 0)
			until(t, "no condition is left", func() bool { return !s.g.holds(conditionDown) })
			if n := strings.Count(s.g.log.String(), "\n"); n > 15 {
				t.Errorf("%d lines were logged:\n%s", n, s.g.log)
			}
		})
	}
}

func TestRefusedPasswordIsSaidAndMends(t *testing.T) {
	const secret = "correct-horse"
	file := filepath.Join(t.TempDir(), "password")
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(s+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("wrong-" + secret)
	users := map[string]string{"gw": secret, "dispatch": "d"}
	s := newScene(t, brokertest.Options{Users: users}, func(o *Options) { o.User, o.PasswordFile = "gw", file })
	s.d.user, s.d.pass = "dispatch", "d"
	s.d.join()
	s.g.start()
	s.feed()
	until(t, "link-refused", func() bool { return s.g.holds(conditionRefused) && s.g.holds(conditionDown) })
	for _, c := range s.g.health.List() {
		if strings.Contains(c.Detail, secret) {
			t.Errorf("the password stands in a condition: %+v", c)
		}
	}
	write(secret)
	s.d.complete(s.g, 0)
	until(t, "no condition is left", func() bool { return len(s.g.health.List()) == 0 })
	if strings.Contains(s.g.log.String(), secret) {
		t.Errorf("the password stands in the log: %s", s.g.log)
	}
}

func TestCertificates(t *testing.T) {
	yesterday := [2]time.Time{time.Now().Add(-48 * time.Hour), time.Now().Add(-24 * time.Hour)}
	tomorrow := [2]time.Time{time.Now().Add(24 * time.Hour), time.Now().Add(48 * time.Hour)}
	for name, c := range map[string]struct {
		broker, ours [2]time.Time
		says         string
	}{
		"the broker's has expired":      {broker: yesterday, ours: brokertest.Day(), says: "the broker's certificate expired"},
		"the broker's is not yet valid": {broker: tomorrow, ours: brokertest.Day(), says: "the clock is probably wrong"},
		"ours has expired":              {broker: brokertest.Day(), ours: yesterday, says: "the gateway's certificate"},
		"ours is not yet valid":         {broker: brokertest.Day(), ours: tomorrow, says: "the clock is probably wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			ca := brokertest.NewAuthority(t)
			dir := t.TempDir()
			certFile, keyFile := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
			issue := func(valid [2]time.Time) {
				t.Helper()
				cert, key := ca.Issue(t, "gateway", valid)
				for from, to := range map[string]string{cert: certFile, key: keyFile} {
					if err := os.Rename(from, to); err != nil {
						t.Fatal(err)
					}
				}
			}
			issue(c.ours)
			s := newScene(t, brokertest.Options{TLS: ca, ServerValid: c.broker}, func(o *Options) {
				o.CAFile, o.CertFile, o.KeyFile = ca.File, certFile, keyFile
			})
			s.g.start()
			s.feed()
			until(t, "link-certificate", func() bool { return s.g.holds(conditionCertificate) })
			for _, cond := range s.g.health.List() {
				if !strings.Contains(cond.Detail, c.says) {
					t.Errorf("%s says %q, want %q in it", cond.Name, cond.Detail, c.says)
				}
			}
			s.proxy.set(true, false)
			issue(brokertest.Day())
			s.broker.Certify(ca, brokertest.Day())
			pem, err := os.ReadFile(ca.File)
			if err != nil {
				t.Fatal(err)
			}
			cert, key := ca.Issue(t, "dispatch", brokertest.Day())
			pair, err := tls.LoadX509KeyPair(cert, key)
			if err != nil {
				t.Fatal(err)
			}
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(pem)
			s.d.addr = "ssl://" + s.broker.Addr()
			s.d.tls = &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
			s.back()
			s.d.complete(s.g, 0)
			until(t, "no condition is left", func() bool { return len(s.g.health.List()) == 0 })
		})
	}
}
