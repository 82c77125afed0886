package clip

// Key names a cache entry by what it is made of.
type Key [32]byte

// Cache is a directory of clips.
type Cache struct{}
