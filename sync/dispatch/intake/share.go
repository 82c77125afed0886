package intake

import (
	"slices"

	"nabat/sync/dispatch/store"
)

// mostAbove is how many single events a receipt on MQTT can name; a caller's
// own may be more.
const mostAbove = 512

type stream struct {
	gateway store.Gateway
	epoch   string
}

type name struct {
	gateway store.Gateway
	id      string
}

// own returns the receipts of what list is about. Each names all of list's own
// events above the mark, even where the group had more than fit.
func own(list []store.Arrival, r store.Result) []store.Receipt {
	missing := make(map[name]bool)
	for _, x := range r.Refusals {
		if !x.Kept {
			missing[name{x.Gateway, x.ID}] = true
		}
	}
	seqs := make(map[stream][]uint64)
	for _, a := range list {
		k := stream{a.Gateway, a.Event.Ref.Epoch}
		if _, ok := seqs[k]; !ok {
			seqs[k] = nil
		}
		if !missing[name{a.Gateway, a.Event.ID()}] {
			seqs[k] = append(seqs[k], a.Event.Ref.Seq)
		}
	}
	var out []store.Receipt
	for _, x := range r.Receipts {
		mine, ok := seqs[stream{x.Gateway, x.Epoch}]
		if !ok {
			continue
		}
		above := slices.DeleteFunc(mine, func(n uint64) bool { return n <= x.Through })
		if room := mostAbove - len(above); room > 0 {
			above = append(above, x.Above[:min(room, len(x.Above))]...)
		}
		slices.Sort(above)
		x.Above = slices.Compact(above)
		out = append(out, x)
	}
	return out
}

func refusals(list []store.Arrival, r store.Result) []store.Refusal {
	if len(r.Refusals) == 0 {
		return nil
	}
	mine := make(map[name]bool, len(list))
	for _, a := range list {
		mine[name{a.Gateway, a.Event.ID()}] = true
	}
	var out []store.Refusal
	for _, x := range r.Refusals {
		if mine[name{x.Gateway, x.ID}] {
			out = append(out, x)
		}
	}
	return out
}

// replace puts newer receipts in the place of older ones of the same stream.
func replace(old, newer []store.Receipt) []store.Receipt {
	for _, n := range newer {
		i := slices.IndexFunc(old, func(o store.Receipt) bool { return o.Gateway == n.Gateway && o.Epoch == n.Epoch })
		if i < 0 {
			old = append(old, n)
		} else {
			old[i] = n
		}
	}
	return old
}
