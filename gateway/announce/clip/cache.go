package clip

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Errors of a Cache.
var (
	// ErrNotKept: the cache does not have it. It is made anew.
	ErrNotKept = errors.New("not in the cache")
	// ErrDamaged: the disk gave back something else than was written.
	ErrDamaged = errors.New("the entry is damaged and is made anew")
	// ErrFull: it would pass the cache's limit.
	ErrFull = errors.New("the cache is full")
)

// Key names a cache entry by what it is made of.
type Key [sha256.Size]byte

// TextKey returns the key of a text that a voice speaks.
func TextKey(language, voice, text string) Key { return hashed("text", language, voice, text) }

// RecordingKey returns the key of a recorded file by the SHA-256 of its bytes.
func RecordingKey(sum [sha256.Size]byte) Key { return hashed("recording", string(sum[:])) }

// hashed hashes parts so that no two lists of parts give the same bytes.
func hashed(parts ...string) Key {
	h := sha256.New()
	for _, p := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		h.Write([]byte(p))
	}
	return Key(h.Sum(nil))
}

const (
	magic  = "nabat clip 1\n"
	suffix = ".clip"
	// unfinished begins the names of files that are being written.
	unfinished = ".unfinished-"
	maxMaker   = 256 // what is longer is cut, and never matches again
)

// Cache keeps clips in a directory, an entry a file. The maker of a clip
// (synthesiser, its version, its settings, LevelVersion) is written beside it and
// is no part of the key, so that after an update the old clip can be said until
// the new one is there.
//
// An entry is whole or it is not there: it is written under another name, forced
// to the disk, and renamed; a checksum finds what a disk lost afterwards. One
// goroutine at a time uses a Cache; two programs must not share a directory.
type Cache struct {
	dir   string
	limit int64
}

// NewCache returns a cache in a directory, of at most limit bytes. It touches
// nothing; the directory is made by the first Put.
func NewCache(dir string, limit int64) *Cache { return &Cache{dir: dir, limit: limit} }

func (c *Cache) path(k Key) string { return filepath.Join(c.dir, hex.EncodeToString(k[:])+suffix) }

// Get returns a clip and its maker. ErrNotKept and ErrDamaged are wrapped; any
// other error is the disk's.
func (c *Cache) Get(k Key) (samples []int16, maker string, err error) {
	f, err := os.Open(c.path(k))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("clip %x: %w", k[:4], ErrNotKept)
	}
	if err != nil {
		return nil, "", fmt.Errorf("open a clip: %w", err)
	}
	defer f.Close()
	const most = len(magic) + sha256.Size + 2 + maxMaker + 2*MaxSamples
	b, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err != nil {
		return nil, "", fmt.Errorf("read clip %x: %w", k[:4], err)
	}
	samples, maker, ok := decode(k, b)
	if !ok {
		return nil, "", fmt.Errorf("clip %x of %d bytes: %w", k[:4], len(b), ErrDamaged)
	}
	return samples, maker, nil
}

// Put keeps a clip. When it returns nil, the clip survives a power cut, on a disk
// that honours flush.
func (c *Cache) Put(k Key, maker string, samples []int16) error {
	if len(samples) > MaxSamples {
		return ErrTooLong
	}
	maker = maker[:min(len(maker), maxMaker)]
	b := encode(k, maker, samples)
	if err := os.MkdirAll(c.dir, 0o750); err != nil {
		return fmt.Errorf("make the directory of clips: %w", err)
	}
	held, err := c.entries()
	if err != nil {
		return err
	}
	total := int64(len(b))
	for name, size := range held {
		if name != filepath.Base(c.path(k)) {
			total += size
		}
	}
	if total > c.limit {
		return fmt.Errorf("%s would hold %d bytes of at most %d: %w", c.dir, total, c.limit, ErrFull)
	}
	if err := c.write(k, b); err != nil {
		return fmt.Errorf("keep clip %x: %w", k[:4], err)
	}
	return nil
}

func (c *Cache) write(k Key, b []byte) (err error) {
	f, err := os.CreateTemp(c.dir, unfinished)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), c.path(k))
	}
	if err != nil {
		return err
	}
	d, err := os.Open(c.dir)
	if err != nil {
		return nil // the entry is there; at worst a power cut takes it back
	}
	_ = d.Sync()
	_ = d.Close()
	return nil
}

// Prune removes all entries but those of keep, and what a power cut left half
// written. It touches no file that the cache did not write.
func (c *Cache) Prune(keep map[Key]bool) (removed int, err error) {
	held, err := c.entries()
	if err != nil {
		return 0, err
	}
	wanted := make(map[string]bool, len(keep))
	for k := range keep {
		wanted[filepath.Base(c.path(k))] = true
	}
	for name := range held {
		if wanted[name] {
			continue
		}
		if e := os.Remove(filepath.Join(c.dir, name)); e != nil {
			err = errors.Join(err, e)
			continue
		}
		removed++
	}
	return removed, err
}

// entries returns the names and sizes of the cache's own files.
func (c *Cache) entries() (map[string]int64, error) {
	list, err := os.ReadDir(c.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the clips: %w", err)
	}
	held := make(map[string]int64)
	for _, e := range list {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && ours(e.Name()) {
			held[e.Name()] = info.Size()
		}
	}
	return held, nil
}

func ours(name string) bool {
	if strings.HasPrefix(name, unfinished) {
		return true
	}
	hash, ok := strings.CutSuffix(name, suffix)
	b, err := hex.DecodeString(hash)
	return ok && err == nil && len(b) == len(Key{})
}

// encode returns the bytes of an entry: a mark, a checksum of all that follows
// and of the key, the maker, the samples.
func encode(k Key, maker string, samples []int16) []byte {
	body := binary.LittleEndian.AppendUint16(nil, uint16(len(maker)))
	body = append(body, maker...)
	for _, s := range samples {
		body = binary.LittleEndian.AppendUint16(body, uint16(s))
	}
	sum := checksum(k, body)
	return bytes.Join([][]byte{[]byte(magic), sum[:], body}, nil)
}

// decode reads what encode wrote for the same key, and nothing else.
func decode(k Key, b []byte) (samples []int16, maker string, ok bool) {
	b, ok = bytes.CutPrefix(b, []byte(magic))
	if !ok || len(b) < sha256.Size+2 {
		return nil, "", false
	}
	sum, body := b[:sha256.Size], b[sha256.Size:]
	if want := checksum(k, body); !bytes.Equal(sum, want[:]) {
		return nil, "", false
	}
	n := int(binary.LittleEndian.Uint16(body))
	if body = body[2:]; n > len(body) || (len(body)-n)%2 != 0 {
		return nil, "", false
	}
	maker, body = string(body[:n]), body[n:]
	samples = make([]int16, len(body)/2)
	for i := range samples {
		samples[i] = int16(binary.LittleEndian.Uint16(body[2*i:]))
	}
	return samples, maker, len(samples) <= MaxSamples
}

func checksum(k Key, body []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write(k[:])
	h.Write(body)
	return [sha256.Size]byte(h.Sum(nil))
}
