package speech

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"nabat/gateway/announce/clip"
)

// maxFile bounds the file of a recording: two minutes of the largest format
// would be more, and nobody records so.
const maxFile = 64 << 20

var errKind = errors.New("it is not a file of at most 64 MB")

// stamp tells whether a file has changed.
type stamp struct {
	size     int64
	modified time.Time
}

func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return stamp{}, errKind
	}
	return stamp{info.Size(), info.ModTime()}, nil
}

// disk reads what the disk has, and keeps on it what was rendered. Nothing that
// is asked for by a person waits for it.
func (l *Library) disk(ctx context.Context) {
	for ctx.Err() == nil {
		l.mu.Lock()
		work, rescan := l.work, l.rescan
		l.rescan = false
		look, save := l.nextLookLocked(), l.nextUnsavedLocked()
		prune := l.prune && look == nil && l.o.Cache != nil
		if save == nil && !l.resting && l.unkept != nil { // what was not kept is wanted no more
			l.unkept = nil
			l.tellLocked()
		}
		keep := make(map[clip.Key]bool)
		if prune {
			l.prune = false
			keep = l.keepLocked()
		}
		l.mu.Unlock()
		switch {
		case rescan:
			l.scan()
		case look != nil:
			l.look(look)
		case prune:
			if n, err := l.o.Cache.Prune(keep); n > 0 || err != nil {
				l.o.Log.Info("clips that nobody needs were removed", "clips", n, "error", err)
			}
		case save != nil:
			l.save(save)
		default:
			select {
			case <-ctx.Done():
			case <-work:
			}
		}
	}
}

func (l *Library) nextLookLocked() *item {
	var best *item
	for _, it := range l.items {
		if it.stage == stageLook && (best == nil || before(it, best)) {
			best = it
		}
	}
	return best
}

func (l *Library) nextUnsavedLocked() *item {
	if l.o.Cache == nil || l.resting {
		return nil
	}
	for _, it := range l.items {
		if it.unsaved && it.standing && it.samples != nil {
			return it
		}
	}
	return nil
}

// keepLocked returns the keys of all that Want lists. What a recording stands
// for stays too: it is said when the recording cannot be read.
func (l *Library) keepLocked() map[clip.Key]bool {
	keep := make(map[clip.Key]bool)
	for _, it := range l.items {
		if it.standing {
			keep[it.kept], keep[l.textKey(it.segment)] = true, true
		}
	}
	return keep
}

func (l *Library) textKey(s Segment) clip.Key {
	return clip.TextKey(string(s.Language), l.voice(s.Language), s.Text)
}

// look takes an item from the disk, or leaves it to the synthesiser.
func (l *Library) look(it *item) {
	s := it.segment
	if s.Recorded != "" && l.lookRecording(it) {
		return
	}
	samples, maker := l.cached(l.textKey(s))
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case it.stage != stageLook: // it became urgent meanwhile
	case samples == nil:
		it.stage = stageRender
		l.signalLocked()
	default:
		l.setLocked(it, samples, maker, l.textKey(s), false)
	}
}

// cached returns what the cache has, or nil.
func (l *Library) cached(k clip.Key) (samples []int16, maker string) {
	if l.o.Cache == nil {
		return nil, ""
	}
	samples, maker, err := l.o.Cache.Get(k)
	if err != nil {
		if !errors.Is(err, clip.ErrNotKept) {
			l.o.Log.Warn("a clip is rendered anew", "error", err)
		}
		return nil, ""
	}
	return samples, maker
}

// recorder is the maker of clips that come from recordings.
const recorder = "recording, level " + clip.LevelVersion

// lookRecording takes an item from its recording, and reports whether that
// settles it. A sound that is there already stays while the recording is not.
func (l *Library) lookRecording(it *item) (settled bool) {
	from, err := stampOf(it.segment.Recorded)
	var samples []int16
	var kept clip.Key
	fresh := false
	if err == nil {
		samples, kept, fresh, err = l.recording(it.segment.Recorded)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	it.from, it.recorded = from, err
	if err == nil {
		if it.kept != kept && it.kept != (clip.Key{}) {
			l.prune = true // what it was made of before is needed no more
		}
		l.setLocked(it, samples, recorder, kept, fresh)
		return true
	}
	l.o.Log.Warn("a recording is not used", "id", it.segment.ID, "path", it.segment.Recorded, "error", err)
	switch {
	case it.samples != nil:
		it.stage = stageDone
	case it.segment.Text == "":
		it.stage, it.err = stageFailed, errNoText
	}
	l.wakeLocked()
	return it.stage != stageLook
}

// recording returns the clip of a recorded file, and whether it had to be made.
func (l *Library) recording(path string) (samples []int16, key clip.Key, fresh bool, err error) {
	// A pipe in the file's place does not make Open wait.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, key, false, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, key, false, err
	}
	if n > maxFile {
		return nil, key, false, errKind
	}
	key = clip.RecordingKey([sha256.Size]byte(h.Sum(nil)))
	if samples, maker := l.cached(key); samples != nil && maker == recorder {
		return samples, key, false, nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, key, false, err
	}
	samples, err = clip.FromWAV(io.LimitReader(f, maxFile))
	return samples, key, true, err
}

// save keeps one clip on the disk. After a failure nothing is tried until the
// next retry.
func (l *Library) save(it *item) {
	l.mu.Lock()
	samples, maker, key := it.samples, it.maker, it.kept
	it.unsaved = false
	l.mu.Unlock()
	if samples == nil {
		return
	}
	err := l.o.Cache.Put(key, maker, samples)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unkept = err
	if err != nil {
		it.unsaved, l.resting = true, true
		l.o.Log.Warn("a clip is not kept", "id", it.segment.ID, "error", err)
	}
	l.tellLocked()
}

// scan looks again at the recordings that have changed, and at those that could
// not be read. One whose content is of no use has to change first.
func (l *Library) scan() {
	l.mu.Lock()
	var recordings []*item
	for _, it := range l.items {
		if it.segment.Recorded != "" {
			recordings = append(recordings, it)
		}
	}
	l.mu.Unlock()
	for _, it := range recordings {
		now, err := stampOf(it.segment.Recorded)
		l.mu.Lock()
		changed := err != nil && it.recorded == nil || err == nil && now != it.from
		if settled := it.stage == stageDone || it.stage == stageFailed; settled && (changed || err == nil && unread(it.recorded)) {
			it.stage = stageLook
		}
		l.mu.Unlock()
	}
}

// unread reports whether an error is not about what a recording holds.
func unread(err error) bool {
	for _, content := range []error{nil, clip.ErrWAV, clip.ErrCut, clip.ErrTooLong, clip.ErrSilent, errKind} {
		if errors.Is(err, content) {
			return false
		}
	}
	return true
}
