package journal

// tailRows is how many of the newest rows of a lane are kept in memory.
const tailRows = 64

// tail is the newest committed rows of one lane, without a gap between them,
// so that a consumer that keeps up reads no file: a press is on its way to
// dispatch while its page is still warm. Journal.mu guards it; the rows are
// never changed.
type tail struct {
	rows []Row
}

// add takes a row that was just committed.
func (t *tail) add(r Row) {
	if n := len(t.rows); n > 0 && t.rows[n-1].Pos+1 != r.Pos {
		t.rows = nil // something else stands between
	}
	r.At.Wall = wallTime(wallNanos(r.At.Wall)) // as the file will give it back
	if len(t.rows) >= 2*tailRows {
		// A new array, because readers may hold parts of the old one.
		t.rows = append(make([]Row, 0, 2*tailRows+1), t.rows[tailRows:]...)
	}
	t.rows = append(t.rows, r)
}

// after returns up to n rows that follow position from, and nil when the tail
// does not reach back that far.
func (t *tail) after(from int64, n int) []Row {
	if len(t.rows) == 0 || from+1 < t.rows[0].Pos || from >= t.rows[len(t.rows)-1].Pos {
		return nil
	}
	rows := t.rows[from+1-t.rows[0].Pos:]
	return append([]Row(nil), rows[:min(n, len(rows))]...)
}
