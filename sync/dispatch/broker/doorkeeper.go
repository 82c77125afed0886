package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"golang.org/x/time/rate"

	"nabat/sync/dispatch/store"
	"nabat/sync/event"
)

// doorkeeper says who may come in, what they may write and read, and hands over
// what they write.
type doorkeeper struct {
	mqtt.HookBase
	b *Broker
}

// ID implements mqtt.Hook.
func (d *doorkeeper) ID() string { return "doorkeeper" }

// Provides implements mqtt.Hook.
func (d *doorkeeper) Provides(kind byte) bool {
	return slices.Contains([]byte{mqtt.OnConnect, mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnPublish, mqtt.OnWill, mqtt.OnDisconnect}, kind)
}

// OnConnect implements mqtt.Hook: it refuses what gateways do not do.
func (d *doorkeeper) OnConnect(_ *mqtt.Client, pk packets.Packet) error {
	if pk.ProtocolVersion != 4 {
		return packets.ErrUnsupportedProtocolVersion
	}
	// A session that outlives its connection would hold memory for ever.
	if !pk.Connect.Clean {
		return fmt.Errorf("persistent session: %w", packets.ErrNotAuthorized)
	}
	// The library publishes a will without asking whether its client may.
	if pk.Connect.WillFlag {
		t, _, err := topics(string(pk.Connect.Username))
		if err != nil || pk.Connect.WillTopic != t.Status() {
			return fmt.Errorf("a will for another topic: %w", packets.ErrNotAuthorized)
		}
	}
	return nil
}

// OnConnectAuthenticate implements mqtt.Hook.
func (d *doorkeeper) OnConnectAuthenticate(cl *mqtt.Client, pk packets.Packet) bool {
	host, _, _ := net.SplitHostPort(cl.Net.Remote)
	if d.b.guesses(host, false) {
		return false
	}
	_, m, err := topics(string(pk.Connect.Username))
	if err == nil {
		m.token = string(pk.Connect.Password)
		ctx, cancel := context.WithTimeout(d.b.life, authenticates)
		err = d.b.o.Accounts.Authenticate(ctx, store.Gateway{Site: m.site, ID: m.gateway}, m.token)
		cancel()
	} else {
		err = fmt.Errorf("%w: %w", err, store.ErrDenied)
	}
	if err != nil {
		if errors.Is(err, store.ErrDenied) {
			d.b.guesses(host, true)
		}
		d.b.o.Log.Warn("a gateway was refused by the broker", "gateway", m.site+"/"+m.gateway, "from", host, "error", err)
		return false
	}
	if err := d.b.admit(cl, m); err != nil {
		d.b.o.Log.Warn("a gateway was refused by the broker", "gateway", m.site+"/"+m.gateway, "from", host, "error", err)
		return false
	}
	return true
}

// OnACLCheck implements mqtt.Hook. A gateway writes its own events and status
// and reads its own receipts and commands; everything else is refused.
func (d *doorkeeper) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	m, ok := d.b.member(cl)
	if !ok {
		return false
	}
	t, _, err := topics(m.site + "/" + m.gateway)
	if err != nil {
		return false
	}
	if !write {
		return topic == t.Receipt() || topic == t.Command()
	}
	kind, isEvent := strings.CutPrefix(topic, strings.TrimSuffix(t.Events(), "#"))
	return topic == t.Status() || (isEvent && event.CheckID(kind) == nil)
}

// OnPublish implements mqtt.Hook: it takes a message out of the library's hands,
// which would acknowledge it at once, and acknowledges it when it is stored.
func (d *doorkeeper) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline {
		return pk, nil
	}
	if pk.FixedHeader.Qos > 1 {
		cl.Stop(packets.ErrQosNotSupported)
		return pk, packets.ErrRejectPacket
	}
	a := acknowledgement{client: cl, id: pk.PacketID}
	d.b.o.Take(d.b.life, pk.TopicName, slices.Clone(pk.Payload), func(err error) { d.b.stored(a, err) })
	return pk, packets.ErrRejectPacket
}

// OnWill implements mqtt.Hook: the will is a status document like others.
func (d *doorkeeper) OnWill(_ *mqtt.Client, w mqtt.Will) (mqtt.Will, error) {
	d.b.o.Take(d.b.life, w.TopicName, slices.Clone(w.Payload), func(error) {})
	w.Retain = false
	return w, nil
}

// OnDisconnect implements mqtt.Hook.
func (d *doorkeeper) OnDisconnect(cl *mqtt.Client, _ error, _ bool) { d.b.dismiss(cl) }

// topics reads a user name, "site/gateway".
func topics(user string) (event.Topics, member, error) {
	site, gateway, ok := strings.Cut(user, "/")
	if !ok {
		return event.Topics{}, member{}, errors.New("the user is not site/gateway")
	}
	t, err := event.NewTopics(site, gateway)
	if err != nil {
		return event.Topics{}, member{}, err
	}
	return t, member{site: site, gateway: gateway}, nil
}

// admit notes a client. A client id that another gateway uses is refused: the
// library would hang up on its owner.
func (b *Broker) admit(cl *mqtt.Client, m member) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if owner, ok := b.owners[cl.ID]; ok {
		if o := b.members[owner]; o.site != m.site || o.gateway != m.gateway {
			return fmt.Errorf("the client id %.64q belongs to another gateway", cl.ID)
		}
	}
	same := 0
	for _, o := range b.members {
		if o.site == m.site && o.gateway == m.gateway {
			same++
		}
	}
	if same >= maxOfOne {
		return fmt.Errorf("%d connections already", same)
	}
	b.members[cl], b.owners[cl.ID] = m, cl
	return nil
}

func (b *Broker) member(cl *mqtt.Client) (member, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, ok := b.members[cl]
	return m, ok
}

func (b *Broker) dismiss(cl *mqtt.Client) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.members, cl)
	if b.owners[cl.ID] == cl {
		delete(b.owners, cl.ID)
	}
}

// guesses reports whether an address has given too many wrong passwords, after
// counting one more where wrong says so.
func (b *Broker) guesses(host string, wrong bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	l, ok := b.guessers[host]
	if wrong {
		if !ok {
			if len(b.guessers) >= maxGuessers {
				clear(b.guessers)
			}
			l = rate.NewLimiter(rate.Every(guessEvery), guessBurst)
			b.guessers[host] = l
		}
		l.AllowN(time.Now(), 1)
		return false
	}
	return ok && l.Tokens() < 1
}
