package speech

import (
	"cmp"
	"slices"
	"unicode/utf8"

	"nabat/gateway/announce/clip"
)

// takeLocked returns the item of a segment, or nil for one that says nothing.
func (l *Library) takeLocked(s Segment) *item {
	k := keyOf(s)
	if s.Language == "" || k.text == "" {
		return nil
	}
	if _, known := l.probed[s.Language]; !known {
		l.recheck = true
	}
	it := l.items[k]
	if it != nil && it.segment.Recorded == s.Recorded {
		return it
	}
	fresh := &item{segment: s}
	if it != nil {
		// Another item, so that what is done at this moment for the old one counts
		// no more. The old sound is there until the new one is.
		fresh.asked, fresh.samples, fresh.maker = it.asked, it.samples, it.maker
	}
	if s.Recorded == "" && utf8.RuneCountInString(s.Text) > MaxText {
		fresh.stage, fresh.err = stageFailed, errTooLong
	}
	l.items[k] = fresh
	return fresh
}

func (l *Library) dropLocked(it *item) {
	l.bytes -= 2 * len(it.samples)
	delete(l.items, keyOf(it.segment))
}

// setLocked gives an item its sound, unless nobody wants it any more.
func (l *Library) setLocked(it *item, samples []int16, maker string, kept clip.Key, unsaved bool) {
	if l.items[keyOf(it.segment)] != it {
		return
	}
	l.bytes += 2 * (len(samples) - len(it.samples))
	it.samples, it.maker, it.stage, it.err = samples, maker, stageDone, nil
	it.kept, it.unsaved = kept, unsaved && it.standing
	l.roomLocked()
	l.wakeLocked()
}

// roomLocked brings the memory back within its bounds: first the requests
// within their half, the oldest first, then the whole, the least urgent first.
func (l *Library) roomLocked() {
	var asked, standing []*item
	requested := 0
	for _, it := range l.items {
		switch {
		case !it.standing:
			asked = append(asked, it)
			requested += 2 * len(it.samples)
		case it.samples != nil:
			standing = append(standing, it)
		}
	}
	slices.SortFunc(asked, func(a, b *item) int { return cmp.Compare(a.asked, b.asked) })
	for len(asked) > MaxRequests || len(asked) > 1 && requested > l.o.MemoryLimit/2 {
		requested -= 2 * len(asked[0].samples)
		l.dropLocked(asked[0])
		asked = asked[1:]
		l.againLocked()
	}
	slices.SortFunc(standing, func(a, b *item) int {
		return cmp.Or(cmp.Compare(b.segment.Priority, a.segment.Priority), cmp.Compare(a.order, b.order))
	})
	for l.bytes > l.o.MemoryLimit && len(standing) > 0 {
		last := standing[len(standing)-1]
		standing = standing[:len(standing)-1]
		l.bytes -= 2 * len(last.samples)
		last.samples, last.stage, last.unsaved = nil, stageLeftOut, false
	}
}

// againLocked gives what was left out another chance, because there may be room.
func (l *Library) againLocked() {
	for _, it := range l.items {
		if it.stage == stageLeftOut {
			it.stage = stageLook
		}
	}
}
