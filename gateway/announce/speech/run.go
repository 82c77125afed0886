package speech

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"nabat/gateway/alert"
)

// Run fills the library until ctx ends, and returns nil then. One text at a time
// is spoken, and a disk that hangs does not hold up what is spoken. It runs once
// at a time.
func (l *Library) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { l.strike(ctx) })
	wg.Go(func() { l.disk(ctx) })
	wg.Go(func() { l.speaker(ctx) })
	wg.Go(func() {
		ticker := time.NewTicker(l.o.Retry)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				l.Retry()
			}
		}
	})
	wg.Wait()
	return nil
}

// strike makes the chimes, those of emergencies first. That takes a second or two
// of a small machine, which a start must not wait for.
func (l *Library) strike(ctx context.Context) {
	for _, c := range []alert.Chime{alert.ChimeEvacuate, alert.ChimeEmergency, alert.ChimeAllClear, alert.ChimeGong, alert.ChimeBell} {
		if ctx.Err() != nil {
			return
		}
		if l.Chime(c) != nil { // Run runs for the second time
			continue
		}
		samples := l.chime(c)
		l.mu.Lock()
		l.chimes[c] = samples
		l.wakeLocked()
		l.mu.Unlock()
	}
}

// speaker has the synthesiser speak what waits for it, one after another.
func (l *Library) speaker(ctx context.Context) {
	for ctx.Err() == nil {
		l.mu.Lock()
		work, recheck := l.work, l.recheck
		l.recheck = false
		l.mu.Unlock()
		if recheck {
			l.check(ctx)
		}
		if it := l.nextText(); it != nil {
			l.render(ctx, it)
			continue
		}
		select {
		case <-ctx.Done():
		case <-work:
		}
	}
}

// check looks whether the synthesiser answers, and whether it has the voices
// that are not known to be there.
func (l *Library) check(ctx context.Context) {
	version, err := l.version(ctx)
	if ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	if l.absent = err; err != nil {
		clear(l.probed)
	} else {
		l.maker = version
	}
	ask := make(map[alert.Language]bool)
	for k := range l.items {
		e, probed := l.probed[k.language]
		ask[k.language] = err == nil && (!probed || e != nil)
	}
	l.wakeLocked()
	l.mu.Unlock()
	for language, unknown := range ask {
		if unknown && ctx.Err() == nil {
			l.probe(ctx, language)
		}
	}
}

// probe has a word spoken that every voice knows, and reports whether it was.
func (l *Library) probe(ctx context.Context, language alert.Language) bool {
	_, err := l.speak(ctx, language, known)
	if ctx.Err() != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.probed[language] = err
	l.wakeLocked()
	return err == nil
}

// nextText returns the item to be spoken next: what was asked for and is not
// there, the rest that is not there, and what another version spoke.
func (l *Library) nextText() *item {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.absent != nil || l.maker == "" {
		return nil
	}
	var best *item
	for _, it := range l.items {
		stale := it.stage == stageDone && it.maker != l.maker && it.maker != recorder
		if it.stage != stageRender && !stale {
			continue
		}
		if err, probed := l.probed[it.segment.Language]; !probed || err != nil {
			continue
		}
		if best == nil || before(it, best) {
			best = it
		}
	}
	return best
}

func before(a, b *item) bool {
	rank := func(it *item) int {
		switch {
		case it.samples != nil:
			return 2
		case it.asked == 0:
			return 1
		}
		return 0
	}
	if c := cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.asked, b.asked), cmp.Compare(b.segment.Priority, a.segment.Priority),
		cmp.Compare(a.order, b.order)); c != 0 {
		return c < 0
	}
	return a.segment.Text < b.segment.Text
}

// render has one text spoken. When that fails, a word that every voice knows
// shows whether it is the text or the voice.
func (l *Library) render(ctx context.Context, it *item) {
	s := it.segment
	began := time.Now()
	samples, err := l.speak(ctx, s.Language, s.Text)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		l.o.Log.Debug("a text was rendered", "id", s.ID, "language", s.Language, "bytes", len(s.Text), "samples", len(samples), "took", time.Since(began))
		l.mu.Lock()
		defer l.mu.Unlock()
		l.setLocked(it, samples, l.maker, l.textKey(s), true)
		return
	}
	l.o.Log.Warn("a text was not rendered", "id", s.ID, "language", s.Language, "bytes", len(s.Text), "error", err)
	if gone := errors.Is(err, errStart); gone || !l.probe(ctx, s.Language) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.recheck = gone
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	it.stage, it.err = stageFailed, err
	l.wakeLocked()
}
