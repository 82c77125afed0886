package store

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"nabat/sync/event"
)

// rowOf is one event as its row has it.
type rowOf struct {
	eventID
	gateway  int64
	who      Gateway
	at       int64
	link     string
	refused  string
	raw      []byte
	arrivals []Delivery
}

const eventColumns = `SELECT e.stream, e.seq, t.gateway, g.site, g.id, e.at, e.link, e.refused, e.raw FROM event e
	JOIN stream t ON t.key = e.stream JOIN gateway g ON g.key = t.gateway `

func (s *Store) eventsWhere(ctx context.Context, where string, args ...any) ([]rowOf, error) {
	var list []rowOf
	err := s.db().each(ctx, func(scan func(...any) error) error {
		var r rowOf
		var seq int64
		err := scan(&r.stream, &seq, &r.gateway, &r.who.Site, &r.who.ID, &r.at, &r.link, &r.refused, &r.raw)
		r.seq = uint64(seq)
		r.arrivals = []Delivery{{r.link, fromMicros(r.at)}}
		list = append(list, r)
		return err
	}, eventColumns+where, args...)
	return list, err
}

// entry reads an event's bytes again and corrects its times.
func (s *Store) entry(ctx context.Context, clocks map[bootID]*anchorRow, r rowOf) (Entry, error) {
	x := Entry{Deliveries: r.arrivals, Refused: r.refused}
	var err error
	if x.Event, err = event.Decode(r.raw); err != nil {
		return x, fmt.Errorf("stored event %d of stream %d: %w", r.seq, r.stream, err)
	}
	if x.Refused == "" {
		if x.Data, err = x.Event.Alert(); err != nil {
			return x, fmt.Errorf("stored event %s: %w", x.Event.ID(), err)
		}
	}
	clock, err := s.clock(ctx, clocks, r.gateway, x.Event.At.Boot)
	if err != nil {
		return x, err
	}
	x.Made = clock.moment(x.Event.At)
	x.Pressed = clock.pressed(x.Data)
	slices.SortFunc(x.Deliveries, func(a, b Delivery) int { return a.At.Compare(b.At) })
	since := x.Pressed
	if since.At.IsZero() {
		since = x.Made
	}
	x.Late = late(x.Deliveries[0].At, since)
	return x, nil
}

// Bounds of a timeline: a gateway that tells of a hundred thousand presses of
// one alert must not fill the memory of whoever looks at it.
const (
	timelineFirst = 500
	timelineLast  = 1500
)

// Timeline returns the events of an alert in the order of their making as far
// as it is known, else of their numbers. Of more than 2,000 it returns the first
// 500 and the last 1,500.
func (s *Store) Timeline(ctx context.Context, g Gateway, id string) ([]Entry, error) {
	wrap := func(err error) error { return fmt.Errorf("timeline of alert %.64s of %s: %w", id, g, err) }
	const about = "WHERE e.subject = $1 AND e.alarm = 1 AND g.site = $2 AND g.id = $3 ORDER BY "
	rows, err := s.eventsWhere(ctx, about+"e.stream DESC, e.seq DESC LIMIT "+strconv.Itoa(timelineLast+1), plain(id, maxName), g.Site, g.ID)
	if err != nil {
		return nil, wrap(err)
	}
	slices.Reverse(rows)
	if len(rows) > timelineLast {
		first, err := s.eventsWhere(ctx, about+"e.stream, e.seq LIMIT "+strconv.Itoa(timelineFirst), plain(id, maxName), g.Site, g.ID)
		if err != nil {
			return nil, wrap(err)
		}
		before := func(a, b rowOf) int { return cmp.Or(cmp.Compare(a.stream, b.stream), cmp.Compare(a.seq, b.seq)) }
		overlap, _ := slices.BinarySearchFunc(first, rows[0], before)
		rows = append(first[:overlap], rows...)
		if len(rows) > timelineFirst+timelineLast { // the one that only showed that there are more
			rows = slices.Delete(rows, timelineFirst, timelineFirst+1)
		}
	}
	where := make(map[eventID]int, len(rows))
	for i, r := range rows {
		where[r.eventID] = i
	}
	if err := s.db().each(ctx, func(scan func(...any) error) error {
		var id eventID
		var seq, at int64
		var link string
		if err := scan(&id.stream, &seq, &link, &at); err != nil {
			return err
		}
		id.seq = uint64(seq)
		if i, ok := where[id]; ok {
			rows[i].arrivals = append(rows[i].arrivals, Delivery{link, fromMicros(at)})
		}
		return nil
	}, `SELECT d.stream, d.seq, d.link, d.at FROM delivery d JOIN event e ON e.stream = d.stream AND e.seq = d.seq
		JOIN stream t ON t.key = e.stream JOIN gateway g ON g.key = t.gateway
		WHERE e.subject = $1 AND e.alarm = 1 AND g.site = $2 AND g.id = $3`, plain(id, maxName), g.Site, g.ID); err != nil {
		return nil, wrap(err)
	}
	clocks := make(map[bootID]*anchorRow)
	list := make([]Entry, len(rows))
	for i, r := range rows {
		if list[i], err = s.entry(ctx, clocks, r); err != nil {
			return nil, wrap(err)
		}
	}
	// Within an epoch the number is the order; epochs follow each other by time.
	starts := make(map[string]time.Time)
	for _, x := range list {
		if t, ok := starts[x.Event.Ref.Epoch]; !ok || x.Made.At.Before(t) {
			starts[x.Event.Ref.Epoch] = x.Made.At
		}
	}
	slices.SortStableFunc(list, func(a, b Entry) int {
		if a.Event.Ref.Epoch == b.Event.Ref.Epoch {
			return cmp.Compare(a.Event.Ref.Seq, b.Event.Ref.Seq)
		}
		return cmp.Or(starts[a.Event.Ref.Epoch].Compare(starts[b.Event.Ref.Epoch]), cmp.Compare(a.Event.Ref.Epoch, b.Event.Ref.Epoch))
	})
	return list, nil
}

// ExportEvents iterates over the events that were stored within [from, to), in
// the order of their storing. The second value ends the iteration with an
// error. It holds no transaction open between pages.
func (s *Store) ExportEvents(ctx context.Context, from, to time.Time) iter.Seq2[EventRow, error] {
	return func(yield func(EventRow, error) bool) {
		at, stream, seq := micros(from), int64(0), int64(0)
		end := micros(to)
		if to.IsZero() {
			end = maxNumber
		}
		for {
			rows, err := s.eventsWhere(ctx, "WHERE (e.at, e.stream, e.seq) > ($1, $2, $3) AND e.at < $4 ORDER BY e.at, e.stream, e.seq LIMIT "+strconv.Itoa(pageRows), at, stream, seq, end)
			if err != nil {
				yield(EventRow{}, fmt.Errorf("export events: %w", err))
				return
			}
			clocks := make(map[bootID]*anchorRow)
			for _, r := range rows {
				x, err := s.entry(ctx, clocks, r)
				if err != nil {
					yield(EventRow{}, fmt.Errorf("export events: %w", err))
					return
				}
				if !yield(EventRow{r.who, x}, nil) {
					return
				}
				at, stream, seq = r.at, r.stream, int64(r.seq)
			}
			if len(rows) < pageRows {
				return
			}
		}
	}
}
