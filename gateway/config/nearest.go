package config

import "strings"

// instead names the known word nearest to got, or all of them when none is
// near.
func instead(got string, known []string) string {
	if n, ok := nearest(got, known); ok {
		return "did you mean " + quote(n) + "?"
	}
	switch len(known) {
	case 0:
		return "there is none yet"
	case 1:
		return "want " + quote(known[0])
	}
	return "want one of " + strings.Join(known, ", ")
}

// nearest finds the word that a typing mistake most likely stands for. A third
// of the letters may differ: beyond that a guess misleads.
func nearest(got string, known []string) (word string, ok bool) {
	best := max(len(got)/3, 1) + 1
	for _, k := range known {
		if d := distance(strings.ToLower(got), k); d < best {
			best, word, ok = d, k, true
		}
	}
	return word, ok
}

// distance is the number of letters to insert, delete, replace or swap with
// their neighbour to get from a to b (optimal string alignment). Words that
// could never be near are not measured.
func distance(a, b string) int {
	if d := len(a) - len(b); d > 16 || d < -16 || len(a) > 128 {
		return 128
	}
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			change := row[j]
			if a[i] != b[j] {
				change++
			}
			next[j+1] = min(change, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}
