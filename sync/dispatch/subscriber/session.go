package subscriber

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// filters are everything that gateways say.
const (
	eventFilter  = "nabat/1/+/+/event/#"
	statusFilter = "nabat/1/+/+/status"
)

// keepAlive is how often the broker hears of us. The answer to a ping may stand
// behind a long backlog, so that more patience is needed than for other things.
const (
	keepAlive   = 15 * time.Second
	pingPatient = 30 * time.Second
)

// session is two connections: one for what comes, one for what goes. A broker
// may keep the order of what one client says, and store a receipt before it
// looks at the next packet: the acknowledgements of events would stand behind
// receipts until the broker, tired of waiting, gave the same events again.
type session struct {
	s      *Subscriber
	client paho.Client // subscribed; its session is kept
	out    paho.Client // publishes; its session ends with it

	ctx context.Context // ends with the session
	end context.CancelCauseFunc
}

// session connects, subscribes and works until ctx ends or the connection is
// lost; then it returns why.
func (s *Subscriber) session(ctx context.Context) error {
	password, err := s.password()
	if err != nil {
		return err
	}
	c := &session{s: s}
	c.ctx, c.end = context.WithCancelCause(ctx)
	defer c.end(nil)
	var hangUp func()
	if c.client, hangUp, err = c.connect(c.incoming(password)); err != nil {
		return err
	}
	defer hangUp()
	if c.out, hangUp, err = c.connect(c.outgoing(password)); err != nil {
		return err
	}
	defer hangUp()
	defer c.end(errors.New("the session is over"))
	ask := c.client.SubscribeMultiple(map[string]byte{eventFilter: 1, statusFilter: 1}, nil)
	if err := c.answer(ask); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	if t, ok := ask.(*paho.SubscribeToken); ok {
		for filter, code := range t.Result() {
			if code > 2 {
				return fmt.Errorf("the broker refuses the subscription of %s: let the account of dispatch read it", filter)
			}
		}
	}
	s.connected.Store(true)
	s.o.Log.Info("subscribed", "broker", s.target.host)
	err = s.post.Serve(c.ctx, c)
	if cause := context.Cause(c.ctx); cause != nil && ctx.Err() == nil {
		return cause
	}
	return err
}

// connect opens one connection. The function ends it: acknowledgements that are
// made later are dropped by the client, and the broker sends those messages again.
func (c *session) connect(o *paho.ClientOptions) (paho.Client, func(), error) {
	conn, err := c.s.dial(c.ctx)
	if err != nil {
		return nil, nil, err
	}
	handed := false // the client's connecting goroutine's, then nobody's
	o.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) {
		if handed {
			return nil, errOther
		}
		handed = true
		return conn, nil
	})
	client := paho.NewClient(o)
	hangUp := func() {
		client.Disconnect(0)
		_ = conn.Close() // the broker keeps the session
	}
	token := client.Connect()
	if err := c.answer(token); err != nil {
		hangUp()
		return nil, nil, fmt.Errorf("connect to %s: %w", c.s.target.host, err)
	}
	return client, hangUp, nil
}

// options sets a client up: a new one for each connection, which neither
// reconnects nor resends.
func (c *session) options(password string) *paho.ClientOptions {
	o := paho.NewClientOptions()
	o.AddBroker("tcp://" + c.s.target.host) // a name only: the connection exists
	o.SetUsername(c.s.o.User)
	o.SetPassword(password)
	o.SetProtocolVersion(4)
	o.SetResumeSubs(false)
	o.SetAutoReconnect(false)
	o.SetConnectRetry(false)
	o.SetKeepAlive(keepAlive)
	o.SetPingTimeout(pingPatient)
	o.SetWriteTimeout(c.s.o.Timeout)
	o.SetConnectTimeout(c.s.o.Timeout)
	o.SetConnectionLostHandler(func(_ paho.Client, err error) { c.end(err) })
	return o
}

// incoming acknowledges nothing by itself.
func (c *session) incoming(password string) *paho.ClientOptions {
	o := c.options(password)
	o.SetClientID(c.s.o.ClientID)
	o.SetCleanSession(false) // the broker keeps what comes while we are away
	o.SetAutoAckDisabled(true)
	o.SetOrderMatters(true)
	// Messages of the kept session may come before any subscription is
	// confirmed, so that they are not bound to one.
	o.SetDefaultPublishHandler(c.take)
	return o
}

// outgoing has a name that no other process has, so that one that lost the
// lease and does not know it yet is not thrown out again and again.
func (c *session) outgoing(password string) *paho.ClientOptions {
	o := c.options(password)
	o.SetClientID(c.s.o.ClientID + "-out-" + rand.Text())
	o.SetCleanSession(true)
	return o
}

// take hands a message to the post. While the post is full it waits, and the
// broker with it.
func (c *session) take(_ paho.Client, m paho.Message) {
	c.s.post.Take(c.ctx, m.Topic(), m.Payload(), m.Retained(), func(err error) {
		if err != nil {
			// The broker sends it again when the session begins anew.
			c.end(fmt.Errorf("a message could not be stored: %w", err))
			return
		}
		m.Ack()
	})
}

// Send implements Sender.
func (c *session) Send(ctx context.Context, topic string, payload []byte, retained bool) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return c.answer(c.out.Publish(topic, 1, retained, payload))
}

// answer waits for the broker.
func (c *session) answer(t paho.Token) error {
	patience := time.NewTimer(c.s.o.Timeout)
	defer patience.Stop()
	select {
	case <-t.Done():
		return t.Error()
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	case <-patience.C:
		return errSilent
	}
}
