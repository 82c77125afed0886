package store

import (
	"cmp"
	"maps"
	"slices"

	"nabat/gateway/alert"
	"nabat/sync/event"
)

// book is one ingest: what came, what the database already knows about it, and
// what is to be written. An engine fills and saves it; decide, between the
// two, is the same for both. One goroutine owns it.
type book struct {
	now   int64
	hooks []string
	items []item

	// What the engine is asked for. The keys are given, the values are filled;
	// what is not there stays as it is.
	gateways map[int64]*gatewayRow
	streams  map[streamID]*streamRow
	standing map[standingID]*standingRow
	alerts   map[alertID]*alertRow
	anchors  map[bootID]*anchorRow
	answers  map[answerID]*answerRow
	// stored are the events that a repetition is compared with; asked for when
	// streams are filled.
	stored map[eventID]storedRow

	// What the engine shall write, besides the rows above that are marked.
	events     []eventRow
	deliveries []deliveryRow
	strays     []strayRow
	outgoing   []outgoingRow

	topics [topics]bool
	result Result
	own    map[streamID][]uint64
}

// item is an arrival that was read.
type item struct {
	Arrival
	gateway int64
	event   alert.Event
	seq     uint64
	reason  string // why event could not be understood
}

type (
	streamID struct {
		gateway int64
		epoch   string
	}
	standingID struct {
		gateway                int64
		numbering, place, kind string
	}
	alertID struct {
		standingID
		id string
	}
	bootID struct {
		gateway int64
		boot    string
	}
	answerID struct {
		gateway int64
		id      string
	}
	eventID struct {
		stream int64
		seq    uint64
	}
)

type (
	gatewayRow struct{ revoked int64 }
	streamRow  struct {
		key                     int64
		have                    set
		events, refused, forked int64
		dirty                   bool
	}
	standingRow struct {
		state alert.Alert
		dirty bool
	}
	alertRow struct {
		state               alert.Alert
		stored, changed     int64
		lastNum, lastStored int64
		dirty               bool
	}
	anchorRow struct {
		known                 bool
		mono, shift, estimate int64
		dirty                 bool
	}
	answerRow struct {
		known    bool
		accepted int
		refused  int64
		reason   string
		answered int64
		dirty    bool
	}
	storedRow struct {
		link string
		raw  []byte
	}
	eventRow struct {
		eventID
		at                     int64
		link, subject, refused string
		alarm                  int
		raw                    []byte
	}
	deliveryRow struct {
		eventID
		link string
		at   int64
	}
	strayRow struct {
		gateway      int64
		digest       []byte
		at           int64
		link, reason string
		raw          []byte
	}
	outgoingRow struct {
		webhook string
		gateway int64
		alert   string
		raw     []byte
	}
)

// ask prepares an empty row for everything that the items touch.
func (b *book) ask() {
	b.gateways = make(map[int64]*gatewayRow)
	b.streams = make(map[streamID]*streamRow)
	b.standing = make(map[standingID]*standingRow)
	b.alerts = make(map[alertID]*alertRow)
	b.anchors = make(map[bootID]*anchorRow)
	b.answers = make(map[answerID]*answerRow)
	b.stored = make(map[eventID]storedRow)
	b.events, b.deliveries, b.strays, b.outgoing = nil, nil, nil, nil
	b.topics = [topics]bool{}
	b.own = make(map[streamID][]uint64)
	for i := range b.items {
		it := &b.items[i]
		b.gateways[it.gateway] = &gatewayRow{}
		b.streams[it.stream()] = &streamRow{}
		if boot := it.Event.At.Boot; boot != "" {
			b.anchors[bootID{it.gateway, plain(boot, maxName)}] = &anchorRow{}
		}
		if it.reason != "" {
			continue
		}
		if id, ok := it.standing(); ok {
			b.standing[id] = &standingRow{}
			b.alerts[alertID{id, it.Event.Subject}] = &alertRow{}
		}
		if it.answers() {
			b.answers[answerID{it.gateway, it.event.Command}] = &answerRow{}
		}
	}
}

func (it *item) stream() streamID { return streamID{it.gateway, it.Event.Ref.Epoch} }

func (it *item) standing() (standingID, bool) {
	k, ok := it.event.Key()
	return standingID{it.gateway, k.Numbering, k.Place, string(k.Kind)}, ok
}

func (it *item) answers() bool {
	return it.event.Command != "" && (it.event.Type == alert.CommandAccepted || it.event.Type == alert.CommandRefused)
}

// repeated are the alarms that are in the database already, as far as the
// streams tell.
func (b *book) repeated() map[eventID]struct{} {
	ids := make(map[eventID]struct{})
	for i := range b.items {
		it := &b.items[i]
		if st := b.streams[it.stream()]; it.Event.Type.Urgent() && st.have.has(it.seq) {
			ids[eventID{st.key, it.seq}] = struct{}{}
		}
	}
	return ids
}

func sortedKeys[V any](m map[int64]V) []int64 { return slices.Sorted(maps.Keys(m)) }

// ordered returns the keys of m in one and the same order everywhere, so that
// two processes never wait for each other in a circle.
func ordered[K comparable, V any](m map[K]V, less func(a, b K) int) []K {
	return slices.SortedFunc(maps.Keys(m), less)
}

func (a streamID) compare(b streamID) int {
	return cmp.Or(cmp.Compare(a.gateway, b.gateway), cmp.Compare(a.epoch, b.epoch))
}

func (a standingID) compare(b standingID) int {
	return cmp.Or(cmp.Compare(a.gateway, b.gateway), cmp.Compare(a.numbering, b.numbering), cmp.Compare(a.place, b.place), cmp.Compare(a.kind, b.kind))
}

func (a alertID) compare(b alertID) int {
	return cmp.Or(a.standingID.compare(b.standingID), cmp.Compare(a.id, b.id))
}

func (a bootID) compare(b bootID) int {
	return cmp.Or(cmp.Compare(a.gateway, b.gateway), cmp.Compare(a.boot, b.boot))
}

func (a answerID) compare(b answerID) int {
	return cmp.Or(cmp.Compare(a.gateway, b.gateway), cmp.Compare(a.id, b.id))
}

// receipt says what a stream holds: all of own that is above the mark, and the
// lowest others.
func receipt(epoch string, have set, own []uint64) event.Receipt {
	r := event.Receipt{Epoch: epoch, Through: have.through()}
	var list []uint64
	for _, n := range own {
		if n > r.Through {
			list = append(list, n)
		}
	}
	if room := receiptNumbers - len(list); room > 0 {
		list = append(list, have.above(room)...)
	}
	slices.Sort(list)
	r.Above = slices.Compact(list)
	return r
}

// receiptNumbers is how many single events a receipt on MQTT can name.
const receiptNumbers = 512
