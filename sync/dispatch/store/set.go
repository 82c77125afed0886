package store

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// set is a set of sequences as ascending ranges that neither overlap nor touch.
type set []span

type span struct{ from, to uint64 }

// maxSpans bounds the memory of one epoch. A gateway that goes beyond it has
// its events refused until it closes some of the holes that it left.
const maxSpans = 1 << 16

// at returns the index of the first range that ends at n or beyond it.
func (s set) at(n uint64) int {
	if len(s) > 0 && s[len(s)-1].to < n {
		return len(s) // the common case: in order
	}
	i, _ := slices.BinarySearchFunc(s, n, func(r span, n uint64) int {
		if r.to < n {
			return -1
		}
		return 1
	})
	return i
}

func (s set) has(n uint64) bool {
	i := s.at(n)
	return i < len(s) && s[i].from <= n
}

// add returns the set with n in it; ok is false where n would be one hole too
// many. It may change s.
func (s set) add(n uint64) (_ set, ok bool) {
	i := s.at(n)
	if i < len(s) && s[i].from <= n {
		return s, true
	}
	before := i > 0 && s[i-1].to == n-1
	behind := i < len(s) && s[i].from == n+1
	switch {
	case before && behind:
		s[i-1].to = s[i].to
		return slices.Delete(s, i, i+1), true
	case before:
		s[i-1].to = n
	case behind:
		s[i].from = n
	case len(s) >= maxSpans:
		return s, false
	default:
		s = slices.Insert(s, i, span{n, n})
	}
	return s, true
}

// through returns the mark: everything from 1 up to it is in the set.
func (s set) through() uint64 {
	if len(s) > 0 && s[0].from == 1 {
		return s[0].to
	}
	return 0
}

// above returns up to n of the lowest members above the mark, ascending.
func (s set) above(n int) []uint64 {
	var list []uint64
	mark := s.through()
	for _, r := range s {
		for m := r.from; m <= r.to && r.to > mark; m++ {
			if len(list) == n {
				return list
			}
			list = append(list, m)
		}
	}
	return list
}

func (s set) String() string {
	b := make([]byte, 0, 24*len(s))
	for i, r := range s {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, r.from, 10)
		if r.to > r.from {
			b = strconv.AppendUint(append(b, '-'), r.to, 10)
		}
	}
	return string(b)
}

var errSet = errors.New("not ascending ranges of sequences")

func parseSet(text string) (set, error) {
	if text == "" {
		return nil, nil
	}
	s := make(set, 0, strings.Count(text, ",")+1)
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		var r span
		var err error
		if r.from, err = strconv.ParseUint(from, 10, 63); err != nil {
			return nil, fmt.Errorf("%.40q: %w", part, errSet)
		}
		r.to = r.from
		if isRange {
			if r.to, err = strconv.ParseUint(to, 10, 63); err != nil {
				return nil, fmt.Errorf("%.40q: %w", part, errSet)
			}
		}
		if r.from == 0 || r.to < r.from || len(s) > 0 && r.from <= s[len(s)-1].to+1 {
			return nil, fmt.Errorf("%.40q: %w", part, errSet)
		}
		s = append(s, r)
	}
	return s, nil
}
