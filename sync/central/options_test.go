package central

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nabat/gateway/journal"
	"nabat/sync/cursor"
	"nabat/sync/cursor/cursortest"
)

func goodOptions() Options {
	return Options{
		Site: "s", Gateway: "g", URL: "https://dispatch.example",
		Alarm: cursortest.NewMemory(journal.Alarm).Lane(), Routine: cursortest.NewMemory(journal.Routine).Lane(),
	}
}

func TestNewRefuses(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"plain http to another machine":  func(o *Options) { o.URL = "http://192.0.2.1" },
		"plain http to a name":           func(o *Options) { o.URL = "http://localhost.example" },
		"a password in the address":      func(o *Options) { o.URL = "https://u:hunter2@h" },
		"an unreadable address":          func(o *Options) { o.URL = "https://u:hunter2@%zz" },
		"an unknown scheme":              func(o *Options) { o.URL = "ftp://127.0.0.1" },
		"no host":                        func(o *Options) { o.URL = "https://" },
		"a query":                        func(o *Options) { o.URL = "https://h/?x=1" },
		"a site of two levels":           func(o *Options) { o.Site = "a/b" },
		"no gateway":                     func(o *Options) { o.Gateway = "" },
		"a certificate without its key":  func(o *Options) { o.CertFile = "x" },
		"no lanes":                       func(o *Options) { o.Alarm = cursor.Lane{} },
		"a lane that tells of no events": func(o *Options) { o.Routine.Appended = nil },
	} {
		o := goodOptions()
		change(&o)
		_, err := New(o)
		if !errors.Is(err, ErrOptions) {
			t.Errorf("%s: got %v, want ErrOptions", name, err)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error holds the password: %v", name, err)
		}
	}
	for address, want := range map[string]string{
		"https://h":             "https://h/v1/sites/s/gateways/g",
		"https://h:8443/a/b/":   "https://h:8443/a/b/v1/sites/s/gateways/g",
		"http://127.0.0.1:8080": "http://127.0.0.1:8080/v1/sites/s/gateways/g",
		"http://[::1]:1":        "http://[::1]:1/v1/sites/s/gateways/g",
		"http://localhost":      "http://localhost/v1/sites/s/gateways/g",
	} {
		o := goodOptions()
		o.URL = address
		c, err := New(o)
		if err != nil {
			t.Errorf("%s: %v", address, err)
		} else if c.target.base != want {
			t.Errorf("%s: %s, want %s", address, c.target.base, want)
		}
	}
}

func TestRetryAfterIsReadByTheServicesClock(t *testing.T) {
	boot := time.Date(1970, 1, 1, 0, 1, 0, 0, time.UTC)
	const date, later = "Sun, 22 Nov 2026 08:00:00 GMT", "Sun, 22 Nov 2026 08:00:30 GMT"
	for _, c := range []struct {
		after, date string
		want        time.Duration
		ok          bool
	}{
		{"", "", 0, false},
		{"soon", "", 0, false},
		{"30", "", 30 * time.Second, true},
		{"0", "", 0, true},
		{"-30", "", 0, true},
		{"9223372036854775807", "", 365 * 24 * time.Hour, true},
		{later, date, 30 * time.Second, true},
		{date, later, 0, true},
		{later, "", 365 * 24 * time.Hour, true}, // 56 years by a clock of 1970
	} {
		h := http.Header{}
		h.Set("Retry-After", c.after)
		h.Set("Date", c.date)
		if got, ok := retryAfter(h, boot); got != c.want || ok != c.ok {
			t.Errorf("%q at %q: %v %v, want %v %v", c.after, c.date, got, ok, c.want, c.ok)
		}
	}
}

func TestNoRetryWaitsForLongerThanItsCap(t *testing.T) {
	k := &caller{timing: Timing{}.withDefaults()}
	for _, limit := range []time.Duration{5 * time.Second, time.Minute} {
		client := k.client(time.Second, retries, limit)
		for _, text := range []string{"", "1", "-1", "86400", "9223372036854775807", "Sun, 21 Nov 2082 08:15:03 GMT"} {
			resp := &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {text}}}
			if d := client.Backoff(client.RetryWaitMin, client.RetryWaitMax, 1, resp); d < 0 || d > limit*11/10 {
				t.Errorf("Retry-After %q: waits %v, at most %v", text, d, limit)
			}
		}
		if d := client.Backoff(client.RetryWaitMin, client.RetryWaitMax, 99, nil); d < 0 || d > client.RetryWaitMax {
			t.Errorf("after a broken connection it waits %v", d)
		}
	}
}

func TestABusyServiceIsObeyedUpToALimit(t *testing.T) {
	busy := func() *busyError { return &busyError{status: 503, at: time.Now(), wait: 56 * 365 * 24 * time.Hour} }
	for name, c := range map[string]struct {
		alarms bool
		during bool
		want   time.Duration
	}{
		"with nothing urgent":            {want: time.Minute},
		"while alarms wait":              {alarms: true, want: 5 * time.Second},
		"with an alarm after 20 seconds": {during: true, want: 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lane := cursortest.NewMemory(journal.Alarm)
				o := goodOptions()
				o.Alarm = lane.Lane()
				client, err := New(o)
				if err != nil {
					t.Fatal(err)
				}
				if c.alarms {
					lane.Append(journal.Row{})
					if _, err := client.alarms.Read(t.Context(), 10); err != nil {
						t.Fatal(err)
					}
				}
				begun := time.Now()
				client.busy = busy()
				if c.during {
					time.AfterFunc(20*time.Second, func() { lane.Append(journal.Row{}) })
				}
				if !client.obey(t.Context()) {
					t.Fatal("gave up")
				}
				if d := time.Since(begun); d != c.want {
					t.Errorf("waited %v, want %v", d, c.want)
				}
			})
		})
	}
}
