package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"nabat/gateway/alert"
)

// Bounds of announcements.
const (
	// MaxNotice is the longest time for which an announcement stands.
	MaxNotice = time.Hour
	// MaxNoticeText is the longest text of one language, in characters.
	MaxNoticeText = 300
	// maxNotices is how many stand at once; the oldest of the lowest priority gives way.
	maxNotices = 8
	// maxScreens bounds the screens, and the zones, that one announcement names.
	maxScreens = 64
)

// Errors about announcements.
var (
	// ErrNotice: it is empty, too long, has no bounded time, or names what the site does not have.
	ErrNotice = alert.ErrNotice
	// ErrNoNotice: there is nothing to end.
	ErrNoNotice = alert.ErrNoNotice
)

// Announce shows a text, and says it where n has zones, for n.For, at most
// MaxNotice by the monotonic clock. It acts at once, and answers when it is
// recorded. A notice with the ID of one that stands takes its place; without an
// ID it is given one. A notice that names one of the site's messages is given
// its text and its priority. Began is the engine's to say.
func (e *Engine) Announce(ctx context.Context, n alert.Notice) error {
	n, err := e.complete(n)
	if err == nil {
		err = e.checkNotice(n)
	}
	if err != nil {
		return err
	}
	if n.ID == "" {
		n.ID = newID()
	}
	if !n.Status.Valid() {
		n.Status = alert.Actual
	}
	n.Screens, n.Zones = slices.Clone(n.Screens), slices.Clone(n.Zones)
	return e.ask(ctx, fmt.Sprintf("announcement %q", n.ID), func(answer func(error)) {
		n.Began = e.clock.Now()
		e.notices = slices.DeleteFunc(e.notices, func(old alert.Notice) bool { return old.ID == n.ID })
		for len(e.notices) >= maxNotices {
			e.endNotice(e.leastNotice(), "too many announcements at once")
		}
		e.notices = slices.Insert(e.notices, 0, n)
		e.dirty = true
		ev := e.noticeEvent(alert.AnnouncementStarted, n)
		ev.Until = n.Began.Wall.Add(n.For)
		e.append(ev, func(ref alert.Ref, err error) { answer(verdict(ref, err)) })
	})
}

// EndAnnouncement ends a notice that stands before its time. It acts at once,
// and answers when it is recorded.
func (e *Engine) EndAnnouncement(ctx context.Context, d alert.Decision) error {
	return e.ask(ctx, fmt.Sprintf("announcement %q", d.Alert), func(answer func(error)) {
		i := slices.IndexFunc(e.notices, func(n alert.Notice) bool { return n.ID == d.Alert })
		if i < 0 {
			answer(fmt.Errorf("announcement %q: %w", d.Alert, ErrNoNotice))
			return
		}
		ev := e.noticeEvent(alert.AnnouncementEnded, e.notices[i])
		ev.Origin, ev.Who, ev.Why, ev.Command, ev.Detail = d.Origin, d.Who, d.Why, d.Command, "ended by a person"
		e.notices = slices.Delete(slices.Clone(e.notices), i, i+1)
		e.dirty = true
		e.append(ev, func(ref alert.Ref, err error) { answer(verdict(ref, err)) })
	})
}

// complete gives a notice what it leaves to the site's message of its name.
func (e *Engine) complete(n alert.Notice) (alert.Notice, error) {
	if n.Message != "" {
		m, ok := e.site.Message(n.Message)
		if !ok {
			return n, fmt.Errorf("the site has no message %q: %w", n.Message, ErrNotice)
		}
		if n.Text = m.Text; n.Text == (alert.Text{}) {
			return n, fmt.Errorf("message %q has no text that screens could show (give it one in the configuration): %w", n.Message, ErrNotice)
		}
		if n.Priority == 0 {
			n.Priority = m.Priority
		}
	}
	if n.Priority == 0 {
		n.Priority = alert.PriorityNotice
	}
	return n, nil
}

func (e *Engine) checkNotice(n alert.Notice) error {
	for _, z := range n.Zones {
		if z != alert.Everywhere && !slices.ContainsFunc(e.site.Zones, func(known alert.Zone) bool { return known.ID == z }) {
			return fmt.Errorf("the site has no zone %q: %w", z, ErrNotice)
		}
	}
	switch {
	case !slices.Contains(alert.Priorities(), n.Priority):
		return fmt.Errorf("%v: want one of %v: %w", n.Priority, alert.Priorities(), ErrNotice)
	case strings.TrimSpace(n.Text.RU+n.Text.KK+n.Text.EN) == "":
		return fmt.Errorf("the text is empty: %w", ErrNotice)
	case n.For <= 0 || n.For > MaxNotice:
		return fmt.Errorf("it would stand for %v, want at most %v: %w", n.For, MaxNotice, ErrNotice)
	case len(n.Screens) > maxScreens || len(n.Zones) > maxScreens:
		return fmt.Errorf("%d screens and %d zones, want at most %d of each: %w", len(n.Screens), len(n.Zones), maxScreens, ErrNotice)
	}
	for _, text := range []string{n.Text.RU, n.Text.KK, n.Text.EN} {
		switch {
		case !utf8.ValidString(text) || utf8.RuneCountInString(text) > MaxNoticeText:
			return fmt.Errorf("a text is longer than %d characters: %w", MaxNoticeText, ErrNotice)
		case strings.ContainsFunc(text, unicode.IsControl):
			return fmt.Errorf("a text holds control characters: %w", ErrNotice)
		}
	}
	return nil
}

// expire ends the notices whose time is over and returns how long it is until
// the next one ends.
func (e *Engine) expire() time.Duration {
	next, now := time.Hour, e.clock.Now()
	for i := len(e.notices) - 1; i >= 0; i-- {
		left := e.notices[i].For - now.Since(e.notices[i].Began)
		if left <= 0 {
			e.endNotice(i, "")
			continue
		}
		next = min(next, left)
	}
	return next
}

// silenceNotices ends all notices, because they live no longer than the
// process.
func (e *Engine) silenceNotices() {
	for len(e.notices) > 0 {
		e.endNotice(len(e.notices)-1, "the gateway stops")
	}
}

// leastNotice returns the notice that gives way to another.
func (e *Engine) leastNotice() int {
	least := len(e.notices) - 1 // the oldest
	for i := least; i >= 0; i-- {
		if e.notices[i].Priority < e.notices[least].Priority {
			least = i
		}
	}
	return least
}

func (e *Engine) endNotice(i int, why string) {
	ev := e.noticeEvent(alert.AnnouncementEnded, e.notices[i])
	ev.Detail = why
	e.notices = slices.Delete(slices.Clone(e.notices), i, i+1)
	e.dirty = true
	e.append(ev, nil)
}

func (e *Engine) noticeEvent(typ alert.Type, n alert.Notice) alert.Event {
	text := n.Text
	return alert.Event{
		Type: typ, Subject: n.ID, At: e.clock.Now(), Text: &text, Status: n.Status,
		Zones: n.Zones, Screens: n.Screens, Priority: n.Priority,
		Origin: n.Origin, Who: n.Who, Command: n.Command,
	}
}
