package journal

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"nabat/gateway/alert"
)

// FuzzPageRows gives the raw reader any page. What it returns, the row's own
// checksum must confirm, and nothing may make it run wild.
func FuzzPageRows(f *testing.F) {
	for _, page := range realPages(f) {
		f.Add(page, page)
	}
	f.Add(bytes.Repeat([]byte{leafTable}, 4096), []byte{0, 0, 0, 1, 2, 3, 4, 5, 6})
	f.Fuzz(func(t *testing.T, page, other []byte) {
		for _, head := range []int{0, 100} {
			pageRows(page, head, func(uint32) []byte { return other }, func(r Row) {
				w := raw{pos: r.Pos, epoch: r.Ref.Epoch, seq: int64(r.Ref.Seq), kind: string(r.Type), subject: r.Subject,
					wall: wallNanos(r.At.Wall), boot: r.At.Boot, mono: int64(r.At.Mono), synced: bit(r.At.Synced), data: r.Data, crc: int64(r.checksum())}
				if again, err := w.row(r.Lane); err != nil || again.Ref != r.Ref {
					t.Errorf("row %+v is not what its checksum says: %v", r, err)
				}
			})
		}
	})
}

// FuzzRow gives the decoder of columns anything: it returns errBadRow or the
// row that the checksum belongs to, never a panic.
func FuzzRow(f *testing.F) {
	f.Add(int64(1), "3f9c2a7e51d04b68", int64(42), "nabat.alert.raised", "id", int64(7), "boot", int64(9), int64(1), []byte(`{"number":7}`), int64(0))
	f.Fuzz(func(t *testing.T, pos int64, epoch string, seq int64, kind, subject string, wall int64, boot string, mono, synced int64, data []byte, crc int64) {
		w := raw{pos, seq, wall, mono, synced, crc, epoch, kind, subject, boot, data}
		r, err := w.row(Alarm)
		if err != nil && !errors.Is(err, errBadRow) {
			t.Errorf("unexpected error %v", err)
		}
		w.crc = int64(r.checksum())
		if _, err := w.row(Alarm); (err == nil) != (synced&^1 == 0) {
			t.Errorf("with its own checksum: %v", err)
		}
		if _, err := r.Event(); err != nil {
			return
		}
	})
}

// realPages returns the pages of a real journal.
func realPages(tb testing.TB) [][]byte {
	path := tb.TempDir() + "/journal.db"
	j, err := Open(Options{Path: path, Ballast: -1})
	if err != nil {
		tb.Fatal(err)
	}
	for n := range 20 {
		j.Append(raise(uint64(n+1)), nil)
		e := routine(n)
		e.Detail = string(bytes.Repeat([]byte("long "), 200*n)) // some rows overflow their page
		j.Append(e, nil)
	}
	for j.commitPending() {
	}
	if _, err := j.st.read.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		tb.Fatal(err)
	}
	if err := j.Close(); err != nil {
		tb.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	var pages [][]byte
	for at := 0; at+4096 <= len(whole); at += 4096 {
		pages = append(pages, whole[at:at+4096])
	}
	return pages
}

func TestRawPagesGiveEveryRow(t *testing.T) {
	pages := realPages(t)
	seen := make(map[alert.Ref]bool)
	for _, page := range pages {
		pageRows(page, 0, func(n uint32) []byte {
			if n == 0 || int(n) > len(pages) {
				return nil
			}
			return pages[n-1]
		}, func(r Row) { seen[r.Ref] = true })
	}
	if len(seen) != 40 {
		t.Errorf("%d rows were found in the raw pages, want 40", len(seen))
	}
}
