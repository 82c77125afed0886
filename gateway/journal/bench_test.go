package journal

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nabat/gateway/alert"
)

// Each benchmark measures its floor in the same run and on the same disk, and
// reports the ratio: the numbers of one machine mean nothing on another.

// event600 is an alarm whose JSON has about 600 bytes, as real ones have.
func event600(n uint64) alert.Event {
	e := raise(n)
	e.Detail = strings.Repeat("x", 320)
	return e
}

func open(b *testing.B, o Options) (j *Journal, stop func()) {
	b.Helper()
	o.Ballast = -1
	j, err := Open(o)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = j.Run(ctx) }()
	return j, func() { cancel(); <-ended }
}

// appendOne returns how long it took until the event was on the disk.
func appendOne(j *Journal, e alert.Event, answer chan error) (time.Duration, error) {
	began := time.Now()
	j.Append(e, func(_ alert.Ref, err error) { answer <- err })
	err := <-answer
	return time.Since(began), err
}

// bareSync measures a 4 KiB write and fdatasync at the end of a file, which
// is what a log has to do at least.
type bareSync struct {
	f     *os.File
	block [4096]byte
}

func newBareSync(b *testing.B, dir string) *bareSync {
	f, err := os.Create(filepath.Join(dir, "floor"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	return &bareSync{f: f}
}

func (s *bareSync) once(b *testing.B) time.Duration {
	began := time.Now()
	if _, err := s.f.Write(s.block[:]); err != nil {
		b.Fatal(err)
	}
	if err := unix.Fdatasync(int(s.f.Fd())); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

func quantile(d []time.Duration, q float64) time.Duration {
	slices.Sort(d)
	return d[min(int(float64(len(d))*q), len(d)-1)]
}

func reportRatio(b *testing.B, name string, have, floor time.Duration) {
	b.ReportMetric(float64(have.Microseconds()), name+"-µs")
	b.ReportMetric(float64(floor.Microseconds()), name+"-floor-µs")
	b.ReportMetric(float64(have)/float64(floor), name+"-ratio")
}

// BenchmarkAppend: one event at a time, from Append to its acknowledgement.
func BenchmarkAppend(b *testing.B) {
	dir := b.TempDir()
	j, stop := open(b, Options{Path: filepath.Join(dir, "journal.db"), Consumers: []string{"mqtt"}})
	defer stop()
	floor := newBareSync(b, dir)
	answer := make(chan error, 1)
	var have, bare []time.Duration
	n := uint64(0)
	for b.Loop() { // taken in turns, so that the disk's moods hit both
		n++
		d, err := appendOne(j, event600(n), answer)
		if err != nil {
			b.Fatal(err)
		}
		have = append(have, d)
		bare = append(bare, floor.once(b))
	}
	reportRatio(b, "p50", quantile(have, .5), quantile(bare, .5))
	reportRatio(b, "p99", quantile(have, .99), quantile(bare, .99))
}

// queued makes a journal with n routine and n/100 alarm rows that nobody has read.
func queued(b *testing.B, n int) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "journal.db")
	j, stop := open(b, Options{Path: path, Consumers: []string{"mqtt"}, PendingRoutine: n + 1, PendingAlarms: n + 1})
	e := routine(0)
	e.Detail = strings.Repeat("x", 500)
	done := make(chan struct{})
	for i := range n {
		if i%100 == 0 {
			j.Append(event600(uint64(i+1)), nil)
		}
		var last func(alert.Ref, error)
		if i == n-1 {
			last = func(alert.Ref, error) { close(done) }
		}
		j.Append(e, last)
	}
	<-done
	stop()
	return path
}

const million = 1_000_000

// BenchmarkAppendBehindBacklog: an append with 1,000,000 rows queued, against 100.
func BenchmarkAppendBehindBacklog(b *testing.B) {
	var js [2]*Journal
	for i, n := range []int{100, million} {
		j, stop := open(b, Options{Path: queued(b, n), Consumers: []string{"mqtt"}})
		defer stop()
		js[i] = j
	}
	answer := make(chan error, 1)
	var took [2][]time.Duration
	n := uint64(million)
	for b.Loop() {
		n++
		for i, j := range js {
			d, err := appendOne(j, event600(n), answer)
			if err != nil {
				b.Fatal(err)
			}
			took[i] = append(took[i], d)
		}
	}
	reportRatio(b, "p50", quantile(took[1], .5), quantile(took[0], .5))
	reportRatio(b, "p99", quantile(took[1], .99), quantile(took[0], .99))
}

// BenchmarkOpenBehindBacklog: opening with 1,000,000 rows queued, against an
// empty journal.
func BenchmarkOpenBehindBacklog(b *testing.B) {
	paths := [2]string{queued(b, 1), queued(b, million)}
	var took [2][]time.Duration
	for b.Loop() {
		for i, path := range paths {
			began := time.Now()
			j, err := Open(Options{Path: path, Consumers: []string{"mqtt"}})
			if err != nil {
				b.Fatal(err)
			}
			took[i] = append(took[i], time.Since(began))
			if s := j.Stats(); !s.Durable {
				b.Fatal("in memory")
			}
			if err := j.Close(); err != nil {
				b.Fatal(err)
			}
		}
	}
	reportRatio(b, "p50", quantile(took[1], .5), quantile(took[0], .5))
}

// BenchmarkReadAndAdvance: pages of 100 rows, each row advanced over by
// itself, while the writer saves the cursor.
func BenchmarkReadAndAdvance(b *testing.B) {
	j, stop := open(b, Options{Path: queued(b, 200_000), Consumers: []string{"mqtt"}})
	defer stop()
	c := j.Cursor("mqtt", Routine)
	rows := 0
	began := time.Now()
	for b.Loop() {
		page, err := c.Read(context.Background(), 100)
		if err != nil {
			b.Fatal(err)
		}
		if len(page) == 0 {
			c.next = 0 // once more from the start
			continue
		}
		for _, r := range page {
			c.Advance(r)
		}
		rows += len(page)
		if j.Stats().Cursors[1].Depth == 0 {
			j.mu.Lock()
			m := j.book.mark(c.key)
			m.pos, m.saved, c.next = 0, 0, 0
			j.mu.Unlock()
		}
	}
	b.ReportMetric(float64(rows)/time.Since(began).Seconds(), "rows/s")
}

// BenchmarkAppendTogether: 64 producers, each waiting for its own event.
func BenchmarkAppendTogether(b *testing.B) {
	j, stop := open(b, Options{Path: filepath.Join(b.TempDir(), "journal.db"), Consumers: []string{"mqtt"}})
	defer stop()
	began := time.Now()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		answer := make(chan error, 1)
		for pb.Next() {
			if _, err := appendOne(j, event600(1), answer); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "rows/s")
}
