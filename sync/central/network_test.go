package central

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"nabat/gateway/alert"
	"nabat/sync/mqtt/brokertest"
)

// network is the way between the gateway and the service, which can be spoiled.
type network struct {
	t  *testing.T
	p  *toxiproxy.Proxy
	at string
	to string
}

func newNetwork(t *testing.T, s *service) *network {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &network{t: t, at: l.Addr().String(), to: s.server.Listener.Addr().String()}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	n.up()
	t.Cleanup(n.down)
	return n
}

func (n *network) address() string { return "https://" + n.at }

func (n *network) up() {
	n.t.Helper()
	n.p = toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), "network", n.at, n.to)
	if err := n.p.Start(); err != nil {
		n.t.Fatal(err)
	}
}

func (n *network) down() { n.p.Stop() }

// spoil adds trouble, as toxiproxy names it, to one direction.
func (n *network) spoil(kind, direction, attributes string) {
	n.t.Helper()
	text := fmt.Sprintf(`{"name":%q,"type":%q,"stream":%q,"toxicity":1,"attributes":{%s}}`, kind+direction, kind, direction, attributes)
	if _, err := n.p.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
		n.t.Fatal(err)
	}
}

// heal opens the network anew with nothing wrong.
func (n *network) heal() {
	n.t.Helper()
	n.down()
	n.up()
}

func TestABacklogSurvivesAFlappingNetwork(t *testing.T) {
	s := newService(t, brokertest.Day())
	n := newNetwork(t, s)
	g := newGateway(t, s, n.address(), nil)
	g.feed(alert.PointFault, 3000)
	g.start()
	for i := range 5 {
		goal := s.count() + 400
		until(t, "some events are stored", func() bool { return s.count() >= min(goal, 3000) })
		n.down()
		g.feed(alert.Raised, 5)
		if i == 0 {
			g.complains(conditionDown, "cannot reach")
		}
		n.up()
	}
	s.complete(g, 0)
	g.quiet()
}

func TestAnswersThatNeverComeBack(t *testing.T) {
	for name, direction := range map[string]string{
		"requests vanish":                          "upstream",
		"requests arrive and the answers are lost": "downstream",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, brokertest.Day())
			n := newNetwork(t, s)
			g := newGateway(t, s, n.address(), func(o *Options) {
				// Nothing else may notice: neither the dialer nor the runner.
				o.Timing.Request, o.Timing.Dial, o.Timing.Busy = time.Second, time.Minute, time.Minute
			})
			c := g.start()
			until(t, "the link is up", func() bool { up, _ := c.State(); return up })
			n.spoil("timeout", direction, `"timeout":0`)
			g.feed(alert.PointFault, 300)
			g.feed(alert.Raised, 3)
			g.complains(conditionDown, "does not answer")
			g.mu.Lock()
			if len(g.sent) > 0 {
				t.Error("an alarm counts as sent")
			}
			g.mu.Unlock()
			n.heal()
			s.complete(g, 0)
			g.quiet()
		})
	}
}

func TestAnswersThatAreCut(t *testing.T) {
	s := newService(t, brokertest.Day())
	n := newNetwork(t, s)
	g := newGateway(t, s, n.address(), nil)
	n.spoil("limit_data", "downstream", `"bytes":3500`)
	g.feed(alert.PointFault, 2000)
	g.feed(alert.Raised, 10)
	g.start()
	until(t, "some events are stored", func() bool { return s.count() > 0 })
	n.heal()
	s.complete(g, 0)
	g.quiet()
}

func TestALineThatIsTooSlowForAWholeBatch(t *testing.T) {
	s := newService(t, brokertest.Day())
	n := newNetwork(t, s)
	g := newGateway(t, s, n.address(), func(o *Options) { o.Timing.Request = 2 * time.Second })
	n.spoil("bandwidth", "upstream", `"rate":4`)
	g.feed(alert.PointFault, 1000)
	g.start()
	until(t, "events trickle through", func() bool { return s.count() > 100 })
	n.heal()
	s.complete(g, 0)
}

func TestANameThatIsNotFound(t *testing.T) {
	s := newService(t, brokertest.Day())
	g := newGateway(t, s, "https://no-such-host.invalid", nil)
	g.start()
	g.complains(conditionDown, "no-such-host.invalid", "name server")
}
