package mqtt

import (
	"slices"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"nabat/sync/event"
)

// clerk gives receipts for what a dispatch has, as its application would: of
// each epoch that changed, retained messages that name all that arrived above
// the mark, and now and then a repetition.
type clerk struct {
	d      *dispatch
	client paho.Client
	topic  string
	stop   chan struct{}
	done   chan struct{}

	read  int // events of d that were entered
	books map[string]*book
}

// book is what is stored of one epoch.
type book struct {
	through uint64
	above   map[uint64]bool
	news    []uint64 // since the last receipt
	changed bool
}

// speak starts a clerk for a dispatch that has joined; the returned function
// stops it, and must be called before dispatch leaves.
func (d *dispatch) speak() (stop func()) {
	c := &clerk{
		d: d, client: d.client, topic: "nabat/1/school-12/main/receipt",
		stop: make(chan struct{}), done: make(chan struct{}), books: make(map[string]*book),
	}
	go c.run()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			close(c.stop)
			<-c.done
		})
	}
	d.t.Cleanup(stop)
	return stop
}

func (c *clerk) run() {
	defer close(c.done)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-c.stop:
			return
		case <-tick.C:
		}
		c.enter()
		for epoch, b := range c.books {
			// Dispatch repeats itself where the status shows more than it has.
			if !b.changed && i%10 != 0 {
				continue
			}
			for _, r := range b.receipts(epoch) {
				c.client.Publish(c.topic, 1, true, r.Encode()).WaitTimeout(time.Second)
			}
		}
	}
}

// enter stores what arrived since.
func (c *clerk) enter() {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	for _, st := range c.d.status {
		if c.books[st.Epoch] == nil && st.Epoch != "" {
			c.books[st.Epoch] = &book{above: make(map[uint64]bool)}
		}
	}
	for _, e := range c.d.events[c.read:] {
		b := c.books[e.Ref.Epoch]
		if b == nil {
			b = &book{above: make(map[uint64]bool)}
			c.books[e.Ref.Epoch] = b
		}
		b.enter(e.Ref.Seq)
	}
	c.read = len(c.d.events)
}

func (b *book) enter(seq uint64) {
	b.changed = true
	b.news = append(b.news, seq)
	if seq > b.through {
		b.above[seq] = true
	}
	for b.above[b.through+1] {
		b.through++
		delete(b.above, b.through)
	}
}

func (b *book) receipts(epoch string) (list []event.Receipt) {
	b.news = slices.DeleteFunc(b.news, func(seq uint64) bool { return seq <= b.through })
	slices.Sort(b.news)
	for part := range slices.Chunk(slices.Compact(b.news), 500) {
		list = append(list, event.Receipt{Epoch: epoch, Through: b.through, Above: part})
	}
	b.news, b.changed = nil, false
	lowest := event.Receipt{Epoch: epoch, Through: b.through}
	for seq := range b.above {
		lowest.Above = append(lowest.Above, seq)
	}
	slices.Sort(lowest.Above)
	return append(list, lowest)
}
