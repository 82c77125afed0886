package central

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"nabat/gateway/alert"
	"nabat/sync/event"
	"nabat/sync/mqtt/brokertest"
)

// bookkeeper is a service that does what every service must: it reads the
// batch and commits each event to a database before it answers.
type bookkeeper struct {
	b  *testing.B
	db *sql.DB

	mu     sync.Mutex
	bodies [][]byte // as they came, to be posted again
	rows   int
	want   int
	done   chan struct{}
}

func newBookkeeper(b *testing.B) *bookkeeper {
	b.Helper()
	path := filepath.Join(b.TempDir(), "far.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		b.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	b.Cleanup(func() { _ = db.Close() })
	if _, err := db.Exec(`CREATE TABLE event (epoch TEXT, seq INTEGER, raw BLOB, PRIMARY KEY (epoch, seq)) STRICT, WITHOUT ROWID`); err != nil {
		b.Fatal(err)
	}
	return &bookkeeper{b: b, db: db}
}

// expect forgets everything and returns a channel that is closed when n events
// are stored.
func (k *bookkeeper) expect(n int) <-chan struct{} {
	k.b.Helper()
	if _, err := k.db.Exec(`DELETE FROM event`); err != nil {
		k.b.Fatal(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rows, k.want, k.done, k.bodies = 0, n, make(chan struct{}), nil
	return k.done
}

func (k *bookkeeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/events") {
		answerJSON(w, http.StatusOK, `{"receipts":[]}`)
		return
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		answerJSON(w, http.StatusBadRequest, `{}`)
		return
	}
	b, err := io.ReadAll(z)
	if err != nil {
		return
	}
	list, err := event.DecodeBatch(b)
	if err != nil {
		return
	}
	reply := event.Reply{Rejected: []event.Rejection{}}
	tx, err := k.db.BeginTx(r.Context(), nil)
	if err != nil {
		return
	}
	defer tx.Rollback()
	insert, err := tx.Prepare(`INSERT INTO event VALUES (?, ?, ?) ON CONFLICT DO NOTHING`)
	if err != nil {
		return
	}
	defer insert.Close()
	for _, one := range list {
		e, err := event.Decode(one)
		if err != nil {
			return
		}
		if _, err := insert.Exec(e.Ref.Epoch, int64(e.Ref.Seq), []byte(one)); err != nil {
			return
		}
		reply.Epoch, reply.Received = e.Ref.Epoch, e.Ref.Seq
	}
	if err := tx.Commit(); err != nil {
		return
	}
	text, _ := json.Marshal(reply)
	answerJSON(w, http.StatusOK, string(text))
	k.mu.Lock()
	defer k.mu.Unlock()
	k.bodies = append(k.bodies, raw)
	before := k.rows
	k.rows += len(list)
	if before < k.want && k.rows >= k.want {
		close(k.done)
	}
}

// BenchmarkDrain measures how long a backlog of 100,000 events of 600 bytes
// takes after an outage, and how long a bare HTTP client takes that posts the
// same bodies, one after the other, to the same service.
func BenchmarkDrain(b *testing.B) {
	const n = 100_000
	var ours, bare time.Duration
	lost, requests := 0, 0
	for b.Loop() {
		k := newBookkeeper(b)
		ca := brokertest.NewAuthority(b)
		server := httptest.NewUnstartedServer(k)
		cert, key := ca.Issue(b, "127.0.0.1", brokertest.Day())
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			b.Fatal(err)
		}
		server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
		server.StartTLS()
		g := newGateway(b, &service{ca: ca}, server.URL, func(o *Options) {
			o.Timing, o.Recorder, o.Command = Timing{}, nil, nil
		})
		benchFeed(b, g, n)

		done := k.expect(n)
		begun := time.Now()
		g.start()
		select {
		case <-done:
		case <-time.After(3 * time.Minute):
			b.Fatal("the backlog does not drain")
		}
		ours += time.Since(begun)
		g.stop()
		var stored int
		if err := k.db.QueryRow(`SELECT count(*) FROM event`).Scan(&stored); err != nil {
			b.Fatal(err)
		}
		lost += n - stored
		k.mu.Lock()
		bodies := k.bodies
		k.mu.Unlock()
		requests = len(bodies)

		done = k.expect(n)
		begun = time.Now()
		barePost(b, server.URL+testPath+"/events", ca.File, bodies)
		<-done
		bare += time.Since(begun)
		server.Close()
	}
	total := float64(n) * float64(b.N)
	b.ReportMetric(total/ours.Seconds(), "events/s")
	b.ReportMetric(total/bare.Seconds(), "bare-events/s")
	b.ReportMetric(bare.Seconds()/ours.Seconds(), "ratio")
	b.ReportMetric(float64(lost), "lost")
	b.ReportMetric(float64(requests), "requests")
	b.ReportMetric(0, "ns/op")
	if lost > 0 {
		b.Errorf("%d lost", lost)
	}
}

func benchFeed(b *testing.B, g *gateway, n int) {
	b.Helper()
	var wg sync.WaitGroup
	wg.Add(n)
	for range n {
		g.j.Append(alert.Event{Type: alert.PointFault, Subject: "point-204", Fault: "lost", Detail: strings.Repeat("x", 330)}, func(_ alert.Ref, err error) {
			if err != nil {
				b.Error(err)
			}
			wg.Done()
		})
	}
	wg.Wait()
}

// barePost posts bodies one after the other over one connection.
func barePost(b *testing.B, address, caFile string, bodies [][]byte) {
	b.Helper()
	pem, err := os.ReadFile(caFile)
	if err != nil {
		b.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for _, body := range bodies {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, address, bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("Content-Encoding", "gzip")
		resp, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			b.Fatalf("%d, %v", resp.StatusCode, err)
		}
		resp.Body.Close()
	}
}
