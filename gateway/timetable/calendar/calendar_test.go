package calendar

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/gateway/timetable"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	good  = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:19991201T090000\nRRULE:FREQ=DAILY;INTERVAL=1\nSUMMARY:good\nEND:VEVENT\nEND:VCALENDAR\n"
	other = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:19991201T100000\nRRULE:FREQ=DAILY\nSUMMARY:other\nEND:VEVENT\nEND:VCALENDAR\n"
	mixed = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:19991201T100000\nSUMMARY:other\nRRULE:FREQ=DAILY\nEND:VEVENT\nBEGIN:VEVENT\nUID:bad\nSUMMARY:x\nEND:VEVENT\nEND:VCALENDAR\n"
)

// rig is a calendar in the time of synctest, which begins in the year 2000.
type rig struct {
	t    *testing.T
	c    *Calendar
	path string
	h    *health.Registry
	log  strings.Builder
	mtim time.Time
}

func start(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, path: filepath.Join(t.TempDir(), "school.ics"), h: new(health.Registry), mtim: time.Unix(1, 0)}
	r.put(good)
	base := timetable.Table{Rules: []timetable.Rule{{ID: "base", Days: [7]bool{true, true, true, true, true, true, true}, At: 8 * time.Hour}}}
	site := &alert.Site{Language: alert.English, Messages: []alert.Message{
		{ID: "leave", Priority: alert.PriorityEvacuate}, {ID: "lesson", Priority: alert.PriorityRoutine},
	}}
	r.c = New(r.path, base, site, r.h, slog.New(slog.NewTextHandler(&r.log, nil)))
	return r
}

// put replaces the file as people do, by another one.
func (r *rig) put(text string) {
	r.t.Helper()
	r.mtim = r.mtim.Add(time.Second)
	if err := os.WriteFile(r.path+".new", []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Chtimes(r.path+".new", r.mtim, r.mtim); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(r.path+".new", r.path); err != nil {
		r.t.Fatal(err)
	}
}

// run runs the calendar and returns what ends it.
func (r *rig) run() (stop func()) {
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	go func() { done <- r.c.Run(ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Errorf("Run: %v", err)
		}
	}
}

// says are the words of tomorrow's entries.
func (r *rig) says() string {
	var words []string
	for _, e := range r.c.Day(time.Now().AddDate(0, 0, 1)) {
		words = append(words, e.ID[:4]+":"+e.Words.EN)
	}
	return strings.Join(words, " ")
}

func (r *rig) want(says, condition string) {
	r.t.Helper()
	if got := r.says(); got != says {
		r.t.Errorf("tomorrow is %q, want %q", got, says)
	}
	detail := ""
	for _, c := range r.h.List() {
		detail += c.Name + ": " + c.Detail
	}
	if condition == "" && detail != "" || !strings.Contains(detail, condition) {
		r.t.Errorf("conditions %q, want %q", detail, condition)
	}
}

func tick() {
	<-time.After(every)
	synctest.Wait()
}

func TestTheLastGoodFileHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		r.want("base:", "")
		changed := r.c.Changed()
		defer r.run()()
		<-changed
		r.want("base: cale:good", "")

		r.put(strings.TrimSuffix(other, "ENDAR\n")) // somebody is copying it
		tick()
		r.want("base: cale:good", Condition+": "+r.path+": line 7: the file ends before END:VCALENDAR")

		r.put(other)
		changed = r.c.Changed()
		tick()
		<-changed
		r.want("base: cale:other", "")

		if err := os.Remove(r.path); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			tick()
		}
		r.want("base: cale:other", r.path+" is not there; put the file there")
		if n := strings.Count(r.log.String(), "is not there"); n != 1 {
			t.Errorf("the log says %d times that the file is away:\n%s", n, r.log.String())
		}

		r.put(mixed)
		tick()
		r.want("base: cale:other", `line 7, event "bad": the event has no DTSTART; give it a date and a time; the rest of the file is used`)

		r.put(good)
		tick()
		r.want("base: cale:good", "")
	})
}

// A file that nobody touches is worked out anew, long before the end of what
// was, and when the clock is set.
func TestTheCalendarNeverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		var step atomic.Int64
		r.c.now = func() time.Time { return time.Now().Add(time.Duration(step.Load())) }
		stop := r.run()
		defer stop()
		r.want("base: cale:good", "")
		changed := r.c.Changed()
		<-time.After(afresh + every)
		synctest.Wait()
		select {
		case <-changed:
		default:
			t.Error("half a day later nothing was worked out")
		}
		step.Store(int64(3 * ahead))
		tick()
		if got := r.c.Table().Day(r.c.now().AddDate(0, 0, 1)); len(got) != 2 {
			t.Errorf("three years on there is %v", got)
		}
	})
}

// What is in the file's place and is no file neither holds the loop up nor
// ends it.
func TestWhatIsNoFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		if err := os.Remove(r.path); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(r.path, 0o600); err != nil {
			t.Fatal(err)
		}
		defer r.run()()
		r.want("base:", "is no plain file")
		if err := os.Remove(r.path); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(r.path, 0o700); err != nil {
			t.Fatal(err)
		}
		tick()
		r.want("base:", "is no plain file")
	})
}

func TestAFileSoundsNoAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		r.put(strings.Replace(good, "SUMMARY:good", "X-NABAT-MESSAGE:leave", 1))
		defer r.run()()
		r.want("base:", `X-NABAT-MESSAGE = "leave" is no message of the configuration`)
		r.put(strings.Replace(good, "SUMMARY:good", "X-NABAT-MESSAGE:lesson", 1))
		tick()
		r.want("base: cale:", "")
	})
}

func TestWithoutAFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t)
		r.c = New("", timetable.Table{}, &alert.Site{}, r.h, slog.New(slog.DiscardHandler))
		defer r.run()()
		r.want("", "")
	})
}
