package docs

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"nabat/gateway/alert"
	"nabat/sync/command"
	"nabat/sync/event"
)

// TestSession runs the real programs through a day in little and holds what
// they said against the contract.
func TestSession(t *testing.T) {
	c := load(t)
	r := newRig(t)
	annex := r.gateway("annex", freeAddress(t)) // nobody listens there: its link goes down
	main := r.gateway("main", r.broker.Addr())
	annex.press("button-204", 0) // its plan asks for more after a second
	day(r, main)
	again(r, main)
	r.until("the annex's links are journalled", func() bool {
		return r.notes.count("annex", alert.LinkDown, nil) > 0 && r.notes.count("annex", alert.LinkUp, nil) > 0 &&
			r.notes.count("annex", alert.Escalated, nil) > 0
	})
	alive := r.kept("kept-alive")
	main.kill()
	r.until("the broker says the will", func() bool {
		_, _, list := r.notes.all()
		last := ""
		for _, m := range list {
			if strings.HasSuffix(m.topic, "/main/status") {
				last = string(m.payload)
			}
		}
		return strings.Contains(last, `"online":false`)
	})
	r.stop(annex.process)
	handedOut(r)
	strangers(r, annex)
	r.until("the webhook was called for the end of the drill", func() bool {
		_, hooks, _ := r.notes.all()
		return slices.ContainsFunc(hooks, func(x exchange) bool {
			return bytes.Contains(x.sent, []byte(alert.Cleared)) && bytes.Contains(x.sent, []byte(alert.Exercise))
		})
	})
	judge(t, c, r, alive, r.kept("kept-after"))
}

// day is a press, what operators decide about it, and what else happens.
func day(r *rig, g *gateway) {
	notes, t := r.notes, r.t
	t.Helper()
	g.press("button-gym", 3100*time.Millisecond)
	var id string
	var number uint64
	r.until("the press is stored as an emergency", func() bool {
		list, err := r.db.OpenAlerts(t.Context())
		must(t, err)
		for _, a := range list {
			if a.Gateway == g.Gateway && a.Level() == alert.LevelEmergency {
				id, number = a.ID, a.Last.Number
			}
		}
		return id != ""
	})
	about := func(v command.Verb) command.Claims { return command.Claims{Verb: v, Alert: id, Number: number} }
	eta := time.Now().Add(5 * time.Minute).UTC().Truncate(time.Second)
	take := about(command.Acknowledge)
	take.Why = "called back"
	g.order(take)
	late := about(command.Responding)
	late.ETA = eta
	g.order(late)
	late.ETA = eta.Add(time.Minute)
	g.order(late)
	g.order(about(command.Arrived))
	g.order(command.Claims{Verb: command.Arrived, Alert: uuid.Must(uuid.NewV7()).String(), Number: 1}) // there is no such alert
	end := about(command.Clear)
	end.Outcome = alert.Resolved
	g.order(end)
	g.order(command.Claims{Verb: command.Announce, Text: &alert.Text{RU: "Отбой", KK: "Дабыл аяқталды", EN: "All clear"}, Seconds: 1, Screens: []string{"lobby"}})
	g.order(command.Claims{Verb: command.DrillStart, Kind: alert.Fire, Place: "gym", Level: alert.LevelEmergency})
	g.order(command.Claims{Verb: command.DrillEnd, Why: "everybody is outside"})
	next, err := command.Generate("next")
	must(t, err)
	key := next.Public()
	g.order(command.Claims{Verb: command.Keys, Add: &key})
	last := g.order(command.Claims{Verb: command.ConfigPull, Digest: strings.Repeat("0", 64)}) // none is assigned
	r.until("the last command is answered", func() bool {
		return notes.count(g.ID, alert.CommandRefused, func(e alert.Event) bool { return e.Command == last.ID }) > 0
	})
	g.wall("button-204", "unplug")
	r.until("a fault is told", func() bool { return notes.count(g.ID, alert.PointFault, nil) > 0 })
	g.wall("button-204", "plug")
	// A stranger on the broker.
	client := listen(t, r.broker.Addr(), "stranger", func(message) {})
	if token := client.Publish("nabat/1/"+site+"/"+g.ID+"/command", 1, false, strange); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatalf("publish: %v", token.Error())
	}
	r.until("the fault's end, the announcement's, what the loudspeaker said and the stranger are told", func() bool {
		return notes.count(g.ID, alert.PointRestored, nil) > 0 && notes.count(g.ID, alert.AnnouncementEnded, nil) > 0 &&
			notes.count(g.ID, alert.AnnouncementSaid, func(e alert.Event) bool { return e.Count > 0 }) > 0 &&
			notes.count(g.ID, alert.CommandRefused, func(e alert.Event) bool { return e.Command == "" }) > 0
	})
}

// strange is a message that no dispatch has sent.
const strange = "no.command.this"

// again assigns a configuration, with which the gateway starts anew.
func again(r *rig, g *gateway) {
	r.t.Helper()
	text := g.text + "# assigned by dispatch\n"
	_, err := r.db.AssignConfig(r.t.Context(), g.Gateway, text, "anna")
	must(r.t, err)
	sum := sha256.Sum256([]byte(text))
	g.order(command.Claims{Verb: command.ConfigPull, Digest: hex.EncodeToString(sum[:])})
	r.over(g.process)
	g.run()
	r.until("the new configuration is told", func() bool {
		return r.notes.count(g.ID, alert.ConfigApplied, nil) > 0 && r.notes.count(g.ID, alert.GatewayStopped, nil) > 0
	})
}

// handedOut checks that dispatch gives everybody the documents.
func handedOut(r *rig) {
	r.t.Helper()
	for _, name := range []string{openAPI, asyncAPI, schemas} {
		want, err := Contract.ReadFile(name)
		must(r.t, err)
		req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://"+r.direct+"/"+name, nil)
		must(r.t, err)
		resp, err := http.DefaultClient.Do(req)
		must(r.t, err)
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		must(r.t, err)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/yaml" || !bytes.Equal(got, want) {
			r.t.Errorf("dispatch hands out %s with %s, %q, %d bytes", name, resp.Status, resp.Header.Get("Content-Type"), len(got))
		}
	}
}

// strangers ask what is refused, until every documented refusal was given.
func strangers(r *rig, g *gateway) {
	r.t.Helper()
	type ask struct {
		token, media, coding, gateway, query string
		body                                 []byte
	}
	send := func(resource string, a ask) int {
		r.t.Helper()
		method := http.MethodGet
		if resource == "events" || resource == "status" {
			method = http.MethodPost
		}
		req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+"/v1/sites/"+site+"/gateways/"+a.gateway+"/"+resource+a.query, bytes.NewReader(a.body))
		must(r.t, err)
		for k, v := range map[string]string{"Content-Type": a.media, "Content-Encoding": a.coding, "User-Agent": "stranger"} {
			if v != "" {
				req.Header.Set(k, v)
			}
		}
		if a.token != "" {
			req.Header.Set("Authorization", "Bearer "+a.token)
		}
		resp, err := http.DefaultClient.Do(req)
		must(r.t, err)
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	expect := func(want int, resource string, a ask) {
		r.t.Helper()
		if got := send(resource, a); got != want {
			r.t.Errorf("%s: status %d, want %d", resource, got, want)
		}
	}
	var large bytes.Buffer
	z := gzip.NewWriter(&large)
	_, err := io.CopyN(z, spaces{}, event.MaxBatchBytes+1)
	must(r.t, err)
	must(r.t, z.Close())
	own := ask{token: g.token, gateway: g.ID}
	foreign := []byte(`[{"specversion":"1.0","id":"3f9c2a7e51d04b68-1","source":"/sites/other/gateways/main","type":"nabat.alert.raised",
		"epoch":"3f9c2a7e51d04b68","sequence":"00000000000000000001","data":{}}]`)
	with := func(media string, body []byte) ask {
		a := own
		a.media, a.body = media, body
		return a
	}
	expect(http.StatusOK, "events", with(event.BatchType, foreign)) // rejected, but answered
	expect(http.StatusBadRequest, "events", with(event.BatchType, []byte("{}")))
	expect(http.StatusBadRequest, "status", with(event.JSONType, []byte("[]")))
	expect(http.StatusUnsupportedMediaType, "events", with(event.JSONType, foreign))
	expect(http.StatusUnsupportedMediaType, "status", with("text/plain", []byte("{}")))
	expect(http.StatusRequestEntityTooLarge, "status", with(event.JSONType, make([]byte, event.MaxStatusBytes+1)))
	bomb := with(event.BatchType, large.Bytes())
	bomb.coding = "gzip"
	expect(http.StatusRequestEntityTooLarge, "events", bomb)
	bad := own
	bad.query = "?after=yesterday"
	expect(http.StatusBadRequest, "commands", bad)
	cut(r, g, "events", event.BatchType)
	cut(r, g, "status", event.JSONType)
	resources := []string{"events", "status", "commands", "config"}
	for _, what := range resources {
		expect(http.StatusNotFound, what, ask{token: g.token, gateway: "a+b"})
		expect(http.StatusUnauthorized, what, ask{token: "wrong", gateway: g.ID})
	}
	for _, what := range resources {
		r.until("too many wrong tokens for "+what, func() bool {
			return send(what, ask{token: "wrong", gateway: g.ID}) == http.StatusTooManyRequests
		})
	}
}

// cut sends a request whose body ends too early, past the proxy, which would
// not pass it on.
func cut(r *rig, g *gateway, resource, media string) {
	r.t.Helper()
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(r.t.Context(), "tcp", r.direct)
	must(r.t, err)
	defer conn.Close()
	must(r.t, conn.SetDeadline(time.Now().Add(patience)))
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, "http://"+r.direct+"/v1/sites/"+site+"/gateways/"+g.ID+"/"+resource, nil)
	must(r.t, err)
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: 100\r\n\r\n[", req.URL.Path, r.direct, g.token, media)
	must(r.t, err)
	must(r.t, conn.(*net.TCPConn).CloseWrite())
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	must(r.t, err)
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	must(r.t, err)
	r.notes.exchanged(exchange{request: req, status: resp.StatusCode, header: resp.Header, got: got})
}

// spaces is blank for ever.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
