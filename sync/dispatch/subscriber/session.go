package subscriber

import (
	"context"
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

// session is one connection.
type session struct {
	s      *Subscriber
	client paho.Client
	conn   net.Conn
	handed bool // the client's connecting goroutine's, then nobody's

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
	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}
	c := &session{s: s, conn: conn}
	c.ctx, c.end = context.WithCancelCause(ctx)
	defer c.end(nil)
	c.client = paho.NewClient(c.options(password))
	defer c.close()
	token := c.client.Connect()
	if err := c.answer(token); err != nil {
		return fmt.Errorf("connect to %s: %w", s.target.host, err)
	}
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

// options sets the client up: a new one for each connection, which neither
// reconnects nor resends nor acknowledges by itself.
func (c *session) options(password string) *paho.ClientOptions {
	o := paho.NewClientOptions()
	o.AddBroker("tcp://" + c.s.target.host) // a name only: the connection exists
	o.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) {
		if c.handed {
			return nil, errOther
		}
		c.handed = true
		return c.conn, nil
	})
	o.SetClientID(c.s.o.ClientID)
	o.SetUsername(c.s.o.User)
	o.SetPassword(password)
	o.SetProtocolVersion(4)
	o.SetCleanSession(false) // the broker keeps what comes while we are away
	o.SetResumeSubs(false)
	o.SetAutoReconnect(false)
	o.SetConnectRetry(false)
	o.SetAutoAckDisabled(true)
	o.SetOrderMatters(true)
	o.SetKeepAlive(keepAlive)
	o.SetPingTimeout(pingPatient)
	o.SetWriteTimeout(c.s.o.Timeout)
	o.SetConnectTimeout(c.s.o.Timeout)
	o.SetConnectionLostHandler(func(_ paho.Client, err error) { c.end(err) })
	// Messages of the kept session may come before any subscription is
	// confirmed, so that they are not bound to one.
	o.SetDefaultPublishHandler(c.take)
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
	return c.answer(c.client.Publish(topic, 1, retained, payload))
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

// close ends the connection. Acknowledgements that are made later are dropped
// by the client, and the broker sends those messages again.
func (c *session) close() {
	c.end(errors.New("the session is over"))
	c.client.Disconnect(0)
	_ = c.conn.Close() // the broker keeps the session
}
