package gate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"nabat/sync/dispatch/intake"
	"nabat/sync/dispatch/store"
	"nabat/sync/event"
)

func TestABatchIsStoredOnce(t *testing.T) {
	r := newRig(t, nil)
	if reply := r.send(rows("e1", 1, 5)); reply.Epoch != "e1" || reply.Received != 5 || len(reply.Rejected) != 0 {
		t.Errorf("the reply says %+v", reply)
	}
	if reply := r.send(rows("e1", 8, 9)); reply.Received != 5 || !slices.Equal(reply.Above, []uint64{8, 9}) {
		t.Errorf("above a hole the reply says %+v", reply)
	}
	status, _, body := r.do(ask{path: path(r.main, "events"), token: r.token, media: event.BatchType + "; charset=UTF-8", coding: "gzip", body: zipped(t, batchOf(r.main, rows("e1", 1, 9)))})
	if status != http.StatusOK {
		t.Fatalf("compressed: %d %s", status, body)
	}
	info, err := r.store.GatewayInfo(t.Context(), r.main)
	if err != nil || info.Events != 9 {
		t.Errorf("%d events are stored, %v", info.Events, err)
	}
}

func TestOneBadEventDoesNotSpoilTheOthers(t *testing.T) {
	r := newRig(t, nil)
	foreign := event.Append(nil, "/sites/school-13/gateways/main", rows("e1", 2, 2)[0])
	torn := bytes.Replace(event.Append(nil, event.Source("school-12", "main"), rows("e1", 3, 3)[0]), []byte(`"1.0"`), []byte(`"9.9"`), 1)
	good := batchOf(r.main, rows("e1", 1, 1))
	body := slices.Concat(good[:len(good)-1], []byte(","), foreign, []byte(","), torn, []byte("]"))
	status, _, text := r.do(ask{path: path(r.main, "events"), token: r.token, media: event.BatchType, body: body})
	reply, err := event.ParseReply([]byte(text))
	if status != http.StatusOK || err != nil {
		t.Fatalf("%d %v: %s", status, err, text)
	}
	if reply.Received != 1 || len(reply.Rejected) != 2 || reply.Rejected[0].ID != "e1-2" || reply.Rejected[1].ID != "e1-3" {
		t.Errorf("the reply says %+v", reply)
	}
	// Only bad ones: nothing is stored, and what was stored is told.
	status, _, text = r.do(ask{path: path(r.main, "events"), token: r.token, media: event.BatchType, body: slices.Concat([]byte("["), foreign, []byte("]"))})
	if reply, err = event.ParseReply([]byte(text)); status != http.StatusOK || err != nil || reply.Received != 1 || len(reply.Rejected) != 1 {
		t.Errorf("%d %v: %s", status, err, text)
	}
}

func TestWhatCannotBeABatchIsRefused(t *testing.T) {
	r := newRig(t, nil)
	good := batchOf(r.main, rows("e1", 1, 1))
	two := slices.Concat(good[:len(good)-1], []byte(","), event.Append(nil, event.Source("school-12", "main"), rows("e2", 1, 1)[0]), []byte("]"))
	for name, c := range map[string]struct {
		media, coding string
		body          []byte
		want          int
	}{
		"two epochs":          {event.BatchType, "", two, http.StatusBadRequest},
		"nothing":             {event.BatchType, "", []byte("[]"), http.StatusBadRequest},
		"no JSON":             {event.BatchType, "", []byte("hello"), http.StatusBadRequest},
		"an event without id": {event.BatchType, "", []byte(`[{}]`), http.StatusBadRequest},
		"another media type":  {"application/json", "", good, http.StatusUnsupportedMediaType},
		"no media type":       {"", "", good, http.StatusUnsupportedMediaType},
		"another charset":     {event.BatchType + "; charset=koi8-r", "", good, http.StatusUnsupportedMediaType},
		"another coding":      {event.BatchType, "br", good, http.StatusUnsupportedMediaType},
		"two codings":         {event.BatchType, "gzip, gzip", good, http.StatusUnsupportedMediaType},
		"not gzip":            {event.BatchType, "gzip", good, http.StatusBadRequest},
	} {
		status, _, body := r.do(ask{path: path(r.main, "events"), token: r.token, media: c.media, coding: c.coding, body: c.body})
		if status != c.want || !jsonError(body) {
			t.Errorf("%s: %d, want %d: %s", name, status, c.want, body)
		}
	}
	for name, c := range map[string]struct {
		method, path string
		want         int
	}{
		"another method":   {http.MethodDelete, path(r.main, "events"), http.StatusMethodNotAllowed},
		"another resource": {http.MethodGet, path(r.main, "secrets"), http.StatusNotFound},
		"no such id":       {http.MethodGet, "/v1/sites/a%2Fb/gateways/c/commands", http.StatusNotFound},
	} {
		if status, _, body := r.do(ask{method: c.method, path: c.path, token: r.token}); status != c.want || !jsonError(body) {
			t.Errorf("%s: %d, want %d: %s", name, status, c.want, body)
		}
	}
}

// TestABombDoesNotGrow sends a few kilobytes that would become 64 MiB.
func TestABombDoesNotGrow(t *testing.T) {
	r := newRig(t, nil)
	bomb := zipped(t, bytes.Repeat([]byte(" "), 64<<20))
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	status, _, body := r.do(ask{path: path(r.main, "events"), token: r.token, media: event.BatchType, coding: "gzip", body: bomb})
	runtime.ReadMemStats(&after)
	if status != http.StatusRequestEntityTooLarge || !jsonError(body) {
		t.Errorf("%d: %s", status, body)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 12*event.MaxBatchBytes {
		t.Errorf("%d MiB were allocated for %d KiB", grown>>20, len(bomb)>>10)
	}
	status, _, body = r.do(ask{path: path(r.main, "events"), token: r.token, media: event.BatchType, body: make([]byte, event.MaxBatchBytes+1)})
	if status != http.StatusRequestEntityTooLarge {
		t.Errorf("plain: %d: %s", status, body)
	}
}

func TestOnlyTheGatewayItselfComesIn(t *testing.T) {
	r := newRig(t, nil)
	other := store.Gateway{Site: "school-13", ID: "main"}
	theirs := r.add(other)
	at := path(r.main, "commands")
	for name, c := range map[string]struct {
		a    ask
		want int
	}{
		"its token":                   {ask{token: r.token}, http.StatusOK},
		"nothing":                     {ask{}, http.StatusUnauthorized},
		"a wrong token":               {ask{token: "wrong"}, http.StatusUnauthorized},
		"another gateway's token":     {ask{token: theirs}, http.StatusUnauthorized},
		"its certificate":             {ask{client: r.withCertificate("school-12/main")}, http.StatusOK},
		"another gateway's":           {ask{client: r.withCertificate("school-13/main")}, http.StatusForbidden},
		"a certificate of nobody":     {ask{client: r.withCertificate("school-99/main")}, http.StatusUnauthorized},
		"a wrong token with its cert": {ask{token: "wrong", client: r.withCertificate("school-12/main")}, http.StatusUnauthorized},
	} {
		c.a.method, c.a.path = http.MethodGet, at
		if status, _, body := r.do(c.a); status != c.want || (status != http.StatusOK && !jsonError(body)) {
			t.Errorf("%s: %d, want %d: %s", name, status, c.want, body)
		}
	}
	if err := r.store.Revoke(t.Context(), r.main, "test"); err != nil {
		t.Fatal(err)
	}
	if status, _, body := r.do(ask{method: http.MethodGet, path: at, token: r.token}); status != http.StatusUnauthorized {
		t.Errorf("revoked: %d: %s", status, body)
	}
	if status, _, body := r.do(ask{method: http.MethodGet, path: at, client: r.withCertificate("school-12/main")}); status != http.StatusUnauthorized {
		t.Errorf("revoked, with a certificate: %d: %s", status, body)
	}
}

func TestWhoeverGuessesWaits(t *testing.T) {
	r := newRig(t, nil)
	for i := range 2 * guessBurst {
		status, h, _ := r.do(ask{method: http.MethodGet, path: path(r.main, "commands"), token: fmt.Sprint("guess", i)})
		if status == http.StatusTooManyRequests {
			if h.Get("Retry-After") == "" {
				t.Error("no word about when to come again")
			}
			return
		}
	}
	t.Error("nobody stops a guesser")
}

func TestAGatewayThatAsksTooOftenWaitsAlone(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Limits = Limits{Rate: 0.001, Burst: 3} })
	other := store.Gateway{Site: "school-13", ID: "main"}
	theirs := r.add(other)
	for range 3 {
		if status, _, body := r.do(ask{method: http.MethodGet, path: path(r.main, "commands"), token: r.token}); status != http.StatusOK {
			t.Fatalf("%d: %s", status, body)
		}
	}
	if status, h, _ := r.do(ask{method: http.MethodGet, path: path(r.main, "commands"), token: r.token}); status != http.StatusTooManyRequests || h.Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q", status, h.Get("Retry-After"))
	}
	if status, _, body := r.do(ask{method: http.MethodGet, path: path(other, "commands"), token: theirs}); status != http.StatusOK {
		t.Errorf("the other one: %d: %s", status, body)
	}
}

// held is an intake that commits when it is told to; a real database cannot be
// held in the middle of its commit.
type held struct {
	began, commit chan struct{}
	err           error
}

func (h *held) Submit(ctx context.Context, list []store.Arrival) ([]store.Receipt, []store.Refusal, error) {
	close(h.began)
	select {
	case <-h.commit:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	last := list[len(list)-1].Event.Ref
	return []store.Receipt{{Gateway: list[0].Gateway, Receipt: event.Receipt{Epoch: last.Epoch, Through: last.Seq}}}, nil, h.err
}

func TestNothingIsAnsweredBeforeTheCommit(t *testing.T) {
	h := &held{began: make(chan struct{}), commit: make(chan struct{})}
	r := newRig(t, func(o *Options) { o.Intake = h })
	answered := make(chan int, 1)
	go func() {
		status, _, _, err := r.try(ask{path: path(r.main, "events"), token: r.token, media: event.BatchType, body: batchOf(r.main, rows("e1", 1, 2))})
		if err != nil {
			status = -1
		}
		answered <- status
	}()
	<-h.began
	select {
	case status := <-answered:
		t.Errorf("answered %d although nothing was committed", status)
	default:
	}
	close(h.commit)
	if status := <-answered; status != http.StatusOK {
		t.Errorf("status %d", status)
	}
}

func TestUnderPressureTheGatewayIsToldToComeAgain(t *testing.T) {
	for name, err := range map[string]error{"busy": fmt.Errorf("full: %w", intake.ErrBusy), "broken": errors.New("disk")} {
		h := &held{began: make(chan struct{}), commit: make(chan struct{}), err: err}
		close(h.commit)
		r := newRig(t, func(o *Options) { o.Intake = h })
		status, header, body := r.do(ask{path: path(r.main, "events"), token: r.token, media: event.BatchType, body: batchOf(r.main, rows("e1", 1, 2))})
		if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" || !jsonError(body) || strings.Contains(body, "disk") {
			t.Errorf("%s: %d %q: %s", name, status, header.Get("Retry-After"), body)
		}
	}
}

func TestBatchesTakeTurns(t *testing.T) {
	h := &held{began: make(chan struct{}), commit: make(chan struct{})}
	r := newRig(t, func(o *Options) { o.Intake, o.Limits = h, Limits{Batches: 1, Patience: time.Millisecond} })
	send := ask{path: path(r.main, "events"), token: r.token, media: event.BatchType, body: batchOf(r.main, rows("e1", 1, 2))}
	answered := make(chan int, 1)
	go func() {
		status, _, _, _ := r.try(send)
		answered <- status
	}()
	<-h.began
	status, header, body := r.do(send)
	if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Errorf("a second batch at once: %d: %s", status, body)
	}
	close(h.commit)
	if status := <-answered; status != http.StatusOK {
		t.Errorf("the first: %d", status)
	}
}

// TestABodyThatIsCutIsNoRefusal hangs up in the middle: the gateway must not
// take that for an answer about its events.
func TestABodyThatIsCutIsNoRefusal(t *testing.T) {
	r := newRig(t, nil)
	server := &http.Server{Handler: r.server.Config.Handler, ReadHeaderTimeout: patience}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(l) }()
	defer func() { _ = server.Close(); <-served }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: 1000\r\n\r\n[", path(r.main, "events"), r.token, event.BatchType)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 512)
	n, _ := conn.Read(b) // no answer at all is right as well
	if n > 0 && !bytes.Contains(b[:n], []byte(" 408 ")) {
		t.Errorf("answered %s", b[:n])
	}
	if info, err := r.store.GatewayInfo(t.Context(), r.main); err != nil || info.Events != 0 {
		t.Errorf("%d events, %v", info.Events, err)
	}
}

func TestStatusIsAnsweredWithWhatIsStored(t *testing.T) {
	r := newRig(t, nil)
	r.send(rows("e1", 1, 3))
	c := r.issue()
	list := r.statusDocument(event.Status{Online: true, Session: "s1", Epoch: "e1", LastSeq: 3})
	if len(list) != 1 || list[0].Epoch != "e1" || list[0].Through != 3 {
		t.Errorf("receipts %+v", list)
	}
	waiting, err := r.store.Commands(t.Context(), r.main, 0)
	if err != nil || len(waiting) != 1 || waiting[0].Claims.Counter <= c.Claims.Counter || waiting[0].Claims.ID != c.Claims.ID {
		t.Errorf("after a new session the command is %+v, %v", waiting, err)
	}
	info, err := r.store.GatewayInfo(t.Context(), r.main)
	if err != nil || !info.Online {
		t.Errorf("online %v, %v", info.Online, err)
	}
}

func TestConfigIsGivenOut(t *testing.T) {
	r := newRig(t, nil)
	if status, _, body := r.do(ask{method: http.MethodGet, path: path(r.main, "config"), token: r.token}); status != http.StatusNoContent || body != "" {
		t.Errorf("none: %d %q", status, body)
	}
	if _, err := r.store.AssignConfig(t.Context(), r.main, "site = \"школа\"\n", "test"); err != nil {
		t.Fatal(err)
	}
	status, h, body := r.do(ask{method: http.MethodGet, path: path(r.main, "config"), token: r.token})
	if status != http.StatusOK || body != "site = \"школа\"\n" || h.Get("Content-Type") != "application/toml" {
		t.Errorf("%d %q %q", status, h.Get("Content-Type"), body)
	}
}

func FuzzRead(f *testing.F) {
	g := store.Gateway{Site: "s", ID: "g"}
	f.Add(batchOf(g, rows("e1", 1, 2)))
	f.Add(batchOf(store.Gateway{Site: "x", ID: "g"}, append(rows("e1", 1, 1), rows("e2", 1, 1)...)))
	f.Add([]byte(`[{"id":"e1-5"},{"id":"-"}]`))
	f.Add([]byte(`[null,1,"x"]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := read(b, caller{g})
		if err != nil {
			return
		}
		if event.CheckID(got.epoch) != nil || len(got.arrivals)+len(got.rejected) == 0 {
			t.Errorf("a batch of %q with %d events", got.epoch, len(got.arrivals))
		}
		for _, a := range got.arrivals {
			if a.Event.Source != "/sites/s/gateways/g" || a.Event.Ref.Epoch != got.epoch {
				t.Errorf("%+v came through", a.Event)
			}
		}
	})
}

// revoking withdraws the gateway's credentials when its request has been let in.
type revoking struct {
	Intake
	before func()
}

// Submit implements Intake.
func (i revoking) Submit(ctx context.Context, list []store.Arrival) ([]store.Receipt, []store.Refusal, error) {
	i.before()
	return i.Intake.Submit(ctx, list)
}

// TestWhatMayBeTakenLaterIsNotRejected: the gateway parks for good what is
// rejected, and its credentials may be given back.
func TestWhatMayBeTakenLaterIsNotRejected(t *testing.T) {
	var r *rig
	r = newRig(t, func(o *Options) {
		o.Intake = revoking{o.Intake, func() {
			if err := r.store.Revoke(context.Background(), r.main, "test"); err != nil {
				t.Error(err)
			}
		}}
	})
	if reply := r.send(rows("e1", 1, 2)); reply.Received != 0 || len(reply.Above) != 0 || len(reply.Rejected) != 0 {
		t.Errorf("the reply says %+v", reply)
	}
}
