package journal

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// ruin is a damaged database, read page by page: the file itself and the
// frames of its write-ahead log.
type ruin struct {
	db, wal  *os.File // wal may be nil
	pageSize int
	dbPages  int64
	frames   []int64          // offsets of page images in wal
	latest   map[uint32]int64 // the last of them for each page
}

const (
	logHeader   = 32
	frameHeader = 24
)

// openRuin opens the files. It fails only where they cannot be read at all.
func openRuin(path string) (_ *ruin, err error) {
	u := &ruin{latest: make(map[uint32]int64)}
	defer func() {
		if err != nil {
			u.close()
		}
	}()
	if u.db, err = os.Open(path); err != nil {
		return nil, fmt.Errorf("open damaged journal: %w", err)
	}
	if u.wal, err = os.Open(path + "-wal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open damaged journal's log: %w", err)
	}
	info, err := u.db.Stat()
	if err != nil {
		return nil, fmt.Errorf("open damaged journal: %w", err)
	}
	u.pageSize = u.findPageSize()
	u.dbPages = (info.Size() + int64(u.pageSize) - 1) / int64(u.pageSize)
	u.listFrames()
	return u, nil
}

func (u *ruin) close() {
	for _, f := range []*os.File{u.db, u.wal} {
		if f != nil {
			_ = f.Close() // was read only
		}
	}
}

// findPageSize believes the header where it looks like one; else it is what
// this program makes.
func (u *ruin) findPageSize() int {
	var h [18]byte
	if _, err := u.db.ReadAt(h[:], 0); err == nil && bytes.HasPrefix(h[:], []byte("SQLite format 3\x00")) {
		switch size := int(binary.BigEndian.Uint16(h[16:])); {
		case size == 1:
			return 65536
		case size >= 512 && size&(size-1) == 0:
			return size
		}
	}
	return 4096
}

// listFrames finds the page images of the log's present generation; older
// ones were folded into the database before.
func (u *ruin) listFrames() {
	if u.wal == nil {
		return
	}
	var h [logHeader]byte
	_, err := u.wal.ReadAt(h[:], 0)
	headed := err == nil && binary.BigEndian.Uint32(h[:])&^1 == 0x377f0682
	for at := int64(logHeader); ; at += frameHeader + int64(u.pageSize) {
		var f [frameHeader]byte
		if _, err := u.wal.ReadAt(f[:], at); err != nil {
			return
		}
		if headed && !bytes.Equal(f[8:16], h[16:24]) {
			continue
		}
		u.frames = append(u.frames, at+frameHeader)
		u.latest[binary.BigEndian.Uint32(f[:])] = at + frameHeader
	}
}

// spot is a page image: a page of the database, or a frame of the log.
type spot struct {
	log bool
	at  int64
}

func (u *ruin) read(s spot) []byte {
	f := u.db
	if s.log {
		f = u.wal
	}
	page := make([]byte, u.pageSize)
	n, err := f.ReadAt(page, s.at)
	if err != nil && !errors.Is(err, io.EOF) || n == 0 {
		return nil
	}
	return page // a torn tail reads as zeros
}

// page returns a page by its number, from the log where it has it.
func (u *ruin) page(number uint32) []byte {
	if at, ok := u.latest[number]; ok {
		return u.read(spot{log: true, at: at})
	}
	if number == 0 || int64(number) > u.dbPages {
		return nil
	}
	return u.read(spot{at: int64(number-1) * int64(u.pageSize)})
}

// rows calls found for every row on a page image.
func (u *ruin) rows(s spot, found func(Row)) {
	page := u.read(s)
	pageRows(page, 0, u.page, found)
	if !s.log && s.at == 0 {
		pageRows(page, 100, u.page, found)
	}
}

// relic says where a row was found.
type relic struct {
	lane Lane
	pos  int64
	spot spot
}

// dig finds every row that wanted accepts, each once, ordered by lane and
// position.
func (u *ruin) dig(ctx context.Context, wanted func(Lane, int64) bool) ([]relic, error) {
	var list []relic
	look := func(s spot) {
		u.rows(s, func(r Row) {
			if wanted(r.Lane, r.Pos) {
				list = append(list, relic{r.Lane, r.Pos, s})
			}
		})
	}
	for p := range u.dbPages {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		look(spot{at: p * int64(u.pageSize)})
	}
	for _, at := range u.frames {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		look(spot{log: true, at: at})
	}
	slices.SortFunc(list, func(a, b relic) int { return cmp.Or(cmp.Compare(a.lane, b.lane), cmp.Compare(a.pos, b.pos)) })
	return slices.CompactFunc(list, func(a, b relic) bool { return a.lane == b.lane && a.pos == b.pos }), nil
}

// fetch reads a found row again.
func (u *ruin) fetch(x relic) (row Row, ok bool) {
	u.rows(x.spot, func(r Row) {
		if r.Lane == x.lane && r.Pos == x.pos {
			row, ok = r, true
		}
	})
	return row, ok
}
