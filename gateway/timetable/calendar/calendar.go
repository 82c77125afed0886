// Package calendar keeps a timetable up to date with an iCalendar file, which
// people and programs replace while the gateway runs. The last good file holds
// until there is a better one.
package calendar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/gateway/timetable"
)

// Condition is the name of the condition that holds while the file, or a part
// of it, cannot be used. Its detail names the line and what would be right.
const Condition = "calendar-unreadable"

// every is how often the file is looked at.
const every = 30 * time.Second

// ahead is how much of the calendar is worked out, and afresh how often that is
// done again without a change of the file, so that the end is never near.
const (
	ahead  = 400 * 24 * time.Hour
	behind = 2 * 24 * time.Hour
	afresh = 12 * time.Hour
)

// Calendar is a timetable with a file. Make one with New.
type Calendar struct {
	path       string
	base       timetable.Table
	options    timetable.Options
	conditions *health.Registry
	log        *slog.Logger
	now        func() time.Time

	mu      sync.Mutex // guards the fields below
	table   timetable.Table
	changed chan struct{}

	// Run's own.
	seen   stamp
	read   time.Time // when seen was read
	failed string    // why it could not be read; empty when it could
}

// stamp is what changes when a file does.
type stamp struct {
	modified time.Time
	size     int64
}

// New returns the table of the configuration, which a file at path feeds once
// Run runs; an empty path means that there is no file. The site says which
// zones and messages events may name, and in which language their summaries
// are. Nothing is started.
func New(path string, base timetable.Table, site *alert.Site, conditions *health.Registry, log *slog.Logger) *Calendar {
	o := timetable.Options{Language: site.Language}
	for _, z := range site.Zones {
		o.Zones = append(o.Zones, z.ID)
	}
	for _, m := range site.Messages {
		if m.Priority < alert.PriorityEmergency { // a file must not sound an alarm
			o.Messages = append(o.Messages, m.ID)
		}
	}
	return &Calendar{path: path, base: base, options: o, conditions: conditions, log: log, now: time.Now, table: base}
}

// Table returns the timetable as it is now. It may be called from any goroutine.
func (c *Calendar) Table() timetable.Table {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.table
}

// Day returns a day's entries of the present table, see timetable.Table.Day.
func (c *Calendar) Day(at time.Time) []timetable.Entry { return c.Table().Day(at) }

// Next returns the next bell of the present table, see timetable.Table.Next.
func (c *Calendar) Next(now time.Time) (timetable.Entry, bool) { return c.Table().Next(now) }

// Changed returns a channel that is closed when the timetable changes. Take the
// channel first, then Table, and no change is missed.
func (c *Calendar) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	return c.changed
}

// Run reads the file, and again when it has changed, until ctx ends. It returns
// nil then; a file that cannot be read is a condition.
func (c *Calendar) Run(ctx context.Context) error {
	if c.path == "" {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		c.look()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look reads the file if it is another one than before, or if the part of it
// that was worked out grows old. A step of the clock counts as time.
func (c *Calendar) look() {
	now := c.now()
	s := look(c.path)
	if age := now.Round(0).Sub(c.read.Round(0)).Abs(); s == c.seen && age < afresh && c.failed == "" {
		return
	}
	c.seen, c.read = s, now
	feed, err := c.parse(now)
	if err != nil {
		c.fail(err)
		return
	}
	c.failed = ""
	c.swap(c.base.With(feed))
	switch len(feed.Problems) {
	case 0:
		c.conditions.Clear(Condition)
	default:
		p := feed.Problems[0]
		c.conditions.Set(Condition, fmt.Sprintf("%s: %v%s; the rest of the file is used", c.path, p, others(len(feed.Problems)-1)))
	}
	c.log.Info("calendar read", "file", c.path, "entries", len(feed.Entries), "holidays", len(feed.Holidays), "left_out", len(feed.Problems), "all_day", feed.Ignored)
}

func others(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (and %d more)", n)
}

// fail says that the file cannot be used. What was read before stays.
func (c *Calendar) fail(err error) {
	var p timetable.Problem
	switch {
	case errors.As(err, &p):
		err = fmt.Errorf("%s: %w", c.path, p)
	case errors.Is(err, os.ErrNotExist):
		err = fmt.Errorf("%s is not there; put the file there, or take \"calendar\" out of the configuration", c.path)
	default:
		err = fmt.Errorf("%w; the gateway's user must be able to read it", err)
	}
	c.conditions.Set(Condition, err.Error()+"; the last good calendar stays in use")
	if c.failed != err.Error() { // once, not at each look
		c.log.Warn("calendar not read", "error", err)
	}
	c.failed = err.Error()
}

func (c *Calendar) parse(now time.Time) (timetable.Feed, error) {
	// A pipe in the file's place must not hold the loop up.
	f, err := os.OpenFile(c.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return timetable.Feed{}, err
	}
	defer func() { _ = f.Close() }() // it was only read
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return timetable.Feed{}, errors.Join(err, fmt.Errorf("%s is no plain file", c.path))
	}
	o := c.options
	o.From, o.To = now.Add(-behind), now.Add(ahead)
	return timetable.ReadCalendar(f, o)
}

func (c *Calendar) swap(t timetable.Table) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.table = t
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

func look(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{modified: info.ModTime(), size: info.Size()}
}
