package central

import (
	"context"
	"sync/atomic"

	"nabat/gateway/journal"
	"nabat/sync/cursor"
)

// watched is the alarm lane's cursor, which tells besides whether rows were
// read that may still have to go out.
type watched struct {
	cursor.Source
	waiting atomic.Int64 // rows read since the last Rewind
}

// Read implements cursor.Source.
func (w *watched) Read(ctx context.Context, n int) ([]journal.Row, error) {
	rows, err := w.Source.Read(ctx, n)
	w.waiting.Add(int64(len(rows)))
	return rows, err
}

// Rewind implements cursor.Source.
func (w *watched) Rewind() {
	w.waiting.Store(0)
	w.Source.Rewind()
}
