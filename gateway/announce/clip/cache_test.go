package clip

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func samplesOf(n int, seed int16) []int16 {
	s := make([]int16, n)
	for i := range s {
		s[i] = int16(i)*31 + seed
	}
	return s
}

func TestCacheGivesBackWhatItTook(t *testing.T) {
	c := NewCache(filepath.Join(t.TempDir(), "new", "clips"), 1<<20)
	a, b := TextKey("ru", "ru", "Пожар"), TextKey("kk", "kk", "Өрт")
	if _, _, err := c.Get(a); !errors.Is(err, ErrNotKept) {
		t.Fatal(err)
	}
	for seed, k := range []Key{a, b, a} { // the last takes the place of the first
		if err := c.Put(k, "one", samplesOf(1000, int16(seed))); err != nil {
			t.Fatal(err)
		}
	}
	samples, maker, err := NewCache(c.dir, 1<<20).Get(a)
	if err != nil || maker != "one" || !slices.Equal(samples, samplesOf(1000, 2)) {
		t.Fatalf("%d samples by %q: %v", len(samples), maker, err)
	}
	files, err := os.ReadDir(c.dir)
	if err != nil || len(files) != 2 {
		t.Fatalf("%d files: %v", len(files), err)
	}
}

func TestKeysTellPartsApart(t *testing.T) {
	keys := []Key{
		TextKey("ru", "ru", "a"), TextKey("r", "uru", "a"), TextKey("ru", "rua", ""), TextKey("ru", "ru+f3", "a"),
		TextKey("kk", "ru", "a"), RecordingKey([32]byte{}), RecordingKey([32]byte{1}),
	}
	for i, k := range keys {
		if slices.Contains(keys[:i], k) {
			t.Errorf("key %d is not its own", i)
		}
	}
}

// Whatever byte of an entry a disk loses, flips, or cuts off, the entry is not
// given back as if it were whole.
func TestDamageIsFound(t *testing.T) {
	c := NewCache(t.TempDir(), 1<<20)
	k, other := TextKey("ru", "ru", "a"), TextKey("ru", "ru", "b")
	if err := c.Put(k, "maker", samplesOf(200, 1)); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(c.path(k))
	if err != nil {
		t.Fatal(err)
	}
	spoil := func(t interface{ Fatal(...any) }, at Key, b []byte) error {
		if err := os.WriteFile(c.path(at), b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := c.Get(at)
		return err
	}
	if err := spoil(t, other, whole); !errors.Is(err, ErrDamaged) {
		t.Fatalf("an entry under another's name: %v", err)
	}
	if err := spoil(t, k, append(bytes.Clone(whole), 0, 0)); !errors.Is(err, ErrDamaged) {
		t.Fatalf("an entry with two bytes more: %v", err)
	}
	if err := spoil(t, k, make([]byte, len(whole))); !errors.Is(err, ErrDamaged) {
		t.Fatalf("an entry of zeroes: %v", err)
	}
	rapid.Check(t, func(t *rapid.T) {
		b := bytes.Clone(whole)
		at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
		if rapid.Bool().Draw(t, "cut") {
			b = b[:at]
		} else {
			b[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
		if err := spoil(t, k, b); !errors.Is(err, ErrDamaged) {
			t.Fatalf("damage at byte %d: %v", at, err)
		}
	})
	if err := c.Put(k, "maker", samplesOf(200, 1)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Get(k); err != nil {
		t.Fatalf("written anew: %v", err)
	}
}

func TestPruneTakesOnlyWhatNobodyNeeds(t *testing.T) {
	c := NewCache(t.TempDir(), 1<<20)
	a, b := TextKey("ru", "ru", "a"), TextKey("ru", "ru", "b")
	for _, k := range []Key{a, b} {
		if err := c.Put(k, "maker", samplesOf(100, 1)); err != nil {
			t.Fatal(err)
		}
	}
	half := filepath.Join(c.dir, unfinished+"123") // a power cut left it
	foreign := []string{"caretaker.clip", "notes.txt", "ab.clip"}
	for _, name := range append([]string{filepath.Base(half)}, foreign...) {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if removed, err := c.Prune(map[Key]bool{a: true}); err != nil || removed != 2 {
		t.Fatalf("%d removed: %v", removed, err)
	}
	if _, _, err := c.Get(a); err != nil {
		t.Error(err)
	}
	if _, _, err := c.Get(b); !errors.Is(err, ErrNotKept) {
		t.Error(err)
	}
	for _, name := range foreign {
		if _, err := os.Stat(filepath.Join(c.dir, name)); err != nil {
			t.Error(err)
		}
	}
	if removed, err := NewCache(filepath.Join(c.dir, "none"), 1).Prune(nil); err != nil || removed != 0 {
		t.Errorf("a directory that is not there: %d, %v", removed, err)
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := NewCache(t.TempDir(), 5000)
	a, b, d := TextKey("ru", "ru", "a"), TextKey("ru", "ru", "b"), TextKey("ru", "ru", "d")
	for _, k := range []Key{a, b, b} { // in its own place it needs no room
		if err := c.Put(k, "maker", samplesOf(1000, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Put(d, "maker", samplesOf(1000, 1)); !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	if _, err := c.Prune(map[Key]bool{b: true}); err != nil {
		t.Fatal(err)
	}
	if err := c.Put(d, "maker", samplesOf(1000, 1)); err != nil {
		t.Fatal(err)
	}
}

// A directory that cannot be written (here: its place is taken by a file, which
// holds for root too) still answers.
func TestCacheThatCannotWrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := NewCache(filepath.Join(file, "clips"), 1<<20)
	if err := c.Put(TextKey("ru", "ru", "a"), "maker", samplesOf(10, 1)); err == nil {
		t.Error("it says that it keeps the clip")
	}
	if _, _, err := c.Get(TextKey("ru", "ru", "a")); err == nil {
		t.Error("it gives a clip")
	}
	if _, err := c.Prune(nil); err == nil {
		t.Error("it says that it has pruned")
	}
}

func FuzzDecode(f *testing.F) {
	k := TextKey("ru", "ru", "a")
	f.Add(encode(k, "maker", samplesOf(4, 1)))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if samples, maker, ok := decode(k, b); ok && !bytes.Equal(encode(k, maker, samples), b) {
			t.Fatal("it was not written by encode")
		}
	})
}
