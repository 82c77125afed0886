package docs

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"nabat/gateway/alert"
	"nabat/sync/event"
)

// exchange is one request and its answer, as they went over the wire.
type exchange struct {
	request *http.Request // its body is in sent
	sent    []byte
	status  int
	header  http.Header
	got     []byte
}

// message is one MQTT message. retained says that it was the broker's own copy.
type message struct {
	topic    string
	qos      byte
	retained bool
	payload  []byte
}

// notes is everything that went over the wire.
type notes struct {
	mu       sync.Mutex // guards the fields below
	http     []exchange
	hooks    []exchange
	messages []message
	events   []event.Event // of both ways, each once
	seen     map[string]bool
}

func newNotes() *notes { return &notes{seen: make(map[string]bool)} }

// proxy passes everything on to the service and notes it.
func (n *notes) proxy(to string) http.Handler {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		out, err := http.NewRequestWithContext(r.Context(), r.Method, to+r.URL.RequestURI(), bytes.NewReader(sent))
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		out.Header = r.Header.Clone()
		resp, err := client.Do(out)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if err != nil {
			return
		}
		n.exchanged(exchange{request: r, sent: sent, status: resp.StatusCode, header: resp.Header, got: got})
		for k, v := range resp.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(resp.StatusCode)
		_, _ = w.Write(got) // the gateway may have gone
	})
}

func (n *notes) exchanged(x exchange) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.http = append(n.http, x)
	if !strings.HasSuffix(x.request.URL.Path, "/events") || x.status != http.StatusOK {
		return
	}
	if body, err := plain(x); err == nil {
		list, _ := event.DecodeBatch(body)
		for _, raw := range list {
			n.note(raw)
		}
	}
}

// hook is a city's own system.
func (n *notes) hook(_ http.ResponseWriter, r *http.Request) {
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hooks = append(n.hooks, exchange{request: r, sent: sent, status: http.StatusOK})
}

// subscribe listens to everything on the broker until the test ends.
func (n *notes) subscribe(t *testing.T, broker string) {
	t.Helper()
	listen(t, broker, "notes", func(m message) {
		n.mu.Lock()
		defer n.mu.Unlock()
		if m.topic != last {
			n.messages = append(n.messages, m)
		}
		if strings.Contains(m.topic, "/event/") {
			n.note(m.payload)
		}
	})
}

// note remembers an event. n.mu is held.
func (n *notes) note(raw []byte) {
	if e, err := event.Decode(raw); err == nil && !n.seen[e.Source+e.ID()] {
		n.seen[e.Source+e.ID()] = true
		n.events = append(n.events, e)
	}
}

// listen connects to the broker for everything that is Nabat's.
func listen(t *testing.T, broker, id string, take func(message)) paho.Client {
	t.Helper()
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + broker).SetClientID(id).SetConnectTimeout(10 * time.Second))
	if token := c.Connect(); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatalf("connect %s: %v", id, token.Error())
	}
	t.Cleanup(func() { c.Disconnect(0) })
	token := c.Subscribe("nabat/#", 1, func(_ paho.Client, m paho.Message) {
		take(message{m.Topic(), m.Qos(), m.Retained(), bytes.Clone(m.Payload())})
	})
	if !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatalf("subscribe %s: %v", id, token.Error())
	}
	return c
}

// count returns how many events of a type a gateway has sent that are as asked;
// a nil question takes all.
func (n *notes) count(gateway string, typ alert.Type, as func(alert.Event) bool) (found int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.events {
		if a, err := e.Alert(); err == nil && e.Type == typ && strings.HasSuffix(e.Source, "/"+gateway) && (as == nil || as(a)) {
			found++
		}
	}
	return found
}

// all returns everything noted so far.
func (n *notes) all() (requests, hooks []exchange, messages []message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.http), slices.Clone(n.hooks), slices.Clone(n.messages)
}
