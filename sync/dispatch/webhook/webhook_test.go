package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nabat/sync/dispatch/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 60 * time.Second

// outbox is the store's contract in memory, so that a test can see each note;
// the store's own tests hold the real one to the same contract.
type outbox struct {
	mu      sync.Mutex
	waiting []store.Outgoing
	failed  []time.Time
	reasons []string
	bell    chan struct{}
	noted   chan struct{}
}

func newOutbox(list ...store.Outgoing) *outbox {
	return &outbox{waiting: list, bell: make(chan struct{}), noted: make(chan struct{}, 100)}
}

func (o *outbox) Claim(context.Context, string, time.Duration, int) ([]store.Outgoing, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) == 0 {
		return nil, nil
	}
	one := o.waiting[:1]
	o.waiting = o.waiting[1:]
	return one, nil
}

func (o *outbox) Done(context.Context, ...int64) error { o.noted <- struct{}{}; return nil }

func (o *outbox) Failed(_ context.Context, _ int64, reason string, again time.Time) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failed, o.reasons = append(o.failed, again), append(o.reasons, reason)
	o.noted <- struct{}{}
	return nil
}

func (o *outbox) Changed(store.Topic) <-chan struct{} { return o.bell }

var errNever = errors.New("nothing was noted")

// once runs a webhook until one attempt was noted.
func once(t *testing.T, o Options) *Webhook {
	t.Helper()
	w, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	select {
	case <-o.Outbox.(*outbox).noted:
	case <-time.After(patience):
		err = errNever
	}
	stop()
	if err := errors.Join(err, <-ended); err != nil {
		t.Fatal(err)
	}
	return w
}

func message(attempts int) store.Outgoing {
	return store.Outgoing{ID: 7, Webhook: "city", Gateway: store.Gateway{Site: "s", ID: "g"}, Alert: "a1", Event: []byte(`{"id":"e1-4"}`), Stored: time.Now(), Attempts: attempts}
}

func secret() []byte { return []byte("0123456789abcdef") }

func TestAReceiverCanCheckWhoCalls(t *testing.T) {
	var got Message
	var good bool
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		h := r.Header
		good = h.Get("Nabat-Signature") == Sign(secret(), h.Get("Nabat-Id"), h.Get("Nabat-Timestamp"), b) &&
			h.Get("Nabat-Signature") != Sign([]byte("another secret 1"), h.Get("Nabat-Id"), h.Get("Nabat-Timestamp"), b)
		good = good && json.Unmarshal(b, &got) == nil && h.Get("Nabat-Id") == got.ID
	}))
	defer receiver.Close()
	box := newOutbox(message(0))
	w := once(t, Options{Name: "city", URL: receiver.URL, Secret: secret(), AllowPrivate: true, Outbox: box,
		Link: func(g store.Gateway, id string) string { return "https://d/" + g.Site + "/" + id }})
	if !good || got.Site != "s" || got.Alert != "a1" || string(got.Event) != `{"id":"e1-4"}` || got.CAP != "https://d/s/a1" || w.Sent() != 1 {
		t.Errorf("checked %v: %+v", good, got)
	}
}

func TestWhatFailsComesAgainLaterAndNotForEver(t *testing.T) {
	for name, c := range map[string]struct {
		status, attempts int
		after            string
		givenUp          bool
		least            time.Duration
	}{
		"a fault":                       {http.StatusInternalServerError, 0, "", false, time.Second},
		"a fault, often":                {http.StatusInternalServerError, 20, "", false, lastPause / 3},
		"busy for a while":              {http.StatusTooManyRequests, 0, "600", false, 9 * time.Minute},
		"busy for 56 years":             {http.StatusTooManyRequests, 0, "1766000000", false, lastPause / 2},
		"a refusal":                     {http.StatusBadRequest, 0, "", false, time.Second},
		"a refusal, often":              {http.StatusBadRequest, refusedOften - 1, "", true, 0},
		"a fault for a week and longer": {http.StatusBadGateway, failedOften - 1, "", true, 0},
		"a wrong password there":        {http.StatusForbidden, refusedOften - 1, "", false, time.Minute},
	} {
		receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", c.after)
			w.WriteHeader(c.status)
		}))
		box := newOutbox(message(c.attempts))
		now := time.Now()
		once(t, Options{Name: "city", URL: receiver.URL, Secret: secret(), AllowPrivate: true, Outbox: box, Now: func() time.Time { return now }})
		receiver.Close()
		again := box.failed[0]
		if again.IsZero() != c.givenUp || (!c.givenUp && (again.Sub(now) < c.least || again.Sub(now) > lastPause)) {
			t.Errorf("%s: again in %v, given up %v", name, again.Sub(now), again.IsZero())
		}
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it went elsewhere") }))
	defer elsewhere.Close()
	receiver := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer receiver.Close()
	box := newOutbox(message(0))
	once(t, Options{Name: "city", URL: receiver.URL, Secret: secret(), AllowPrivate: true, Outbox: box})
	if len(box.reasons) != 1 || !strings.Contains(box.reasons[0], "307") {
		t.Errorf("noted %q", box.reasons)
	}
}

// TestNothingInsideIsReached calls an address of this machine by https, as a
// name that was pointed there would.
func TestNothingInsideIsReached(t *testing.T) {
	receiver := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was reached") }))
	defer receiver.Close()
	box := newOutbox(message(0))
	config := receiver.Client().Transport.(*http.Transport).TLSClientConfig
	once(t, Options{Name: "city", URL: receiver.URL, Secret: secret(), Outbox: box, TLS: config})
	if len(box.reasons) != 1 || !strings.Contains(box.reasons[0], "private network") {
		t.Errorf("noted %q", box.reasons)
	}
	for text, want := range map[string]bool{
		"8.8.8.8": true, "2a00:1450::1": true, "127.0.0.1": false, "10.1.2.3": false, "192.168.1.1": false, "169.254.169.254": false, "::1": false,
		"fe80::1": false, "fd00::1": false, "0.0.0.0": false, "100.64.0.1": false, "224.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false,
	} {
		if got := public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s is public: %v", text, got)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, o := range map[string]Options{
		"no address":             {Name: "a", Secret: secret(), Outbox: newOutbox()},
		"plain to elsewhere":     {Name: "a", URL: "http://city.example/", Secret: secret(), AllowPrivate: true, Outbox: newOutbox()},
		"plain to this machine":  {Name: "a", URL: "http://127.0.0.1/", Secret: secret(), Outbox: newOutbox()},
		"a password in it":       {Name: "a", URL: "https://u:p@city.example/", Secret: secret(), Outbox: newOutbox()},
		"a secret that is short": {Name: "a", URL: "https://city.example/", Secret: []byte("short"), Outbox: newOutbox()},
		"another scheme":         {Name: "a", URL: "file:///etc/passwd", Secret: secret(), Outbox: newOutbox()},
	} {
		if _, err := New(o); !errors.Is(err, ErrOptions) || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
