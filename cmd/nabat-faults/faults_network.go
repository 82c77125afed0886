package main

import (
	"context"
	"fmt"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// withoutReceipts makes the broker's word count as delivery.
func withoutReceipts() []change {
	return []change{{file: "cmd/nabat/link.go", old: "Receipts: m.Receipts,", replacement: "Receipts: m.Receipts && false,"}}
}

// unansweredCounts makes rows count as delivered that nobody has answered.
func unansweredCounts() []change {
	return append(withoutReceipts(), change{
		file: "sync/cursor/lane.go", old: "		case Later:\n			return n, cause(why)\n",
		replacement: "		case Later:\n			last, passed = row, false\n			n++\n			q.pop()\n",
	}, change{
		file: "sync/cursor/lane.go", old: "	clear(q.flights)\n",
		replacement: "	for _, f := range q.flights {\n		q.Source.Advance(f.row)\n	}\n	clear(q.flights)\n",
	})
}

func networkScenarios() []scenario {
	mqtt := ways{mqtt: true}
	return []scenario{
		{
			name: "network/black-hole-before-the-first-acknowledgement", short: true,
			fault:      "packets vanish from the first moment on, without an error",
			protection: "the cursor passes a row only when it was answered",
			without:    unansweredCounts(),
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, ways{mqtt: true, stopped: true})
				if err != nil {
					return err
				}
				// What the broker says is lost; the gateway's own words arrive.
				if err := s.gateway.run(ctx); err != nil {
					return err
				}
				if err := s.linked(ctx); err != nil {
					return err
				}
				if err := s.net.swallow("upstream"); err != nil {
					return err
				}
				n := w.times(20, 5)
				if err := s.gateway.press(ctx, n); err != nil {
					return err
				}
				if err := s.gateway.condition(ctx, "link-down", true); err != nil {
					return err
				}
				w.did("%d presses while everything that the gateway sent vanished, until it noticed; then the network came back", n)
				s.net.down()
				if err := s.net.up(); err != nil {
					return err
				}
				return s.settle(ctx)
			},
		},
		{
			name: "network/accepted-but-never-acknowledged", short: true,
			fault:      "the broker gets everything and its answers are lost",
			protection: "what was not answered is sent again under the same id; dispatch keeps one of each",
			without: []change{{
				file: "sync/dispatch/store/ingest.go", old: "MISSING", replacement: "MISSING",
			}},
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, mqtt)
				if err != nil {
					return err
				}
				if err := s.net.swallow("downstream"); err != nil {
					return err
				}
				n := w.times(20, 5)
				if err := s.gateway.press(ctx, n); err != nil {
					return err
				}
				if err := s.gateway.condition(ctx, "link-down", true); err != nil {
					return err
				}
				w.did("%d presses that arrived while every answer vanished; then the network came back and all were sent again", n)
				s.net.down()
				if err := s.net.up(); err != nil {
					return err
				}
				return s.settle(ctx)
			},
		},
		{
			name:       "network/frozen-broker",
			fault:      "the broker's machine hangs: connections stay open and nothing answers",
			protection: "an answer that does not come in time ends the session",
			without:    unansweredCounts(),
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, mqtt)
				if err != nil {
					return err
				}
				if err := s.broker.freeze(); err != nil {
					return err
				}
				if err := s.gateway.press(ctx, 10); err != nil {
					return err
				}
				if err := s.gateway.condition(ctx, "link-down", true); err != nil {
					return err
				}
				w.did("broker stopped with SIGSTOP, 10 presses, until the gateway gave the session up; killed and started anew")
				if err := s.broker.again(ctx, w); err != nil {
					return err
				}
				return s.settle(ctx)
			},
		},
		{
			name: "network/flapping-during-the-backlog", short: true,
			fault:      "the link comes and goes while a backlog drains",
			protection: "every session begins after the last row that is known to be stored",
			without:    unansweredCounts(),
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, ways{mqtt: true, stopped: true})
				if err != nil {
					return err
				}
				rows, flaps := w.times(20_000, 2000), w.times(12, 4)
				if err := s.gateway.fill(ctx, rows, "mqtt"); err != nil {
					return err
				}
				if err := s.gateway.run(ctx); err != nil {
					return err
				}
				for i := range flaps {
					if err := s.linked(ctx); err != nil {
						return err
					}
					if err := s.gateway.press(ctx, 1); err != nil {
						return err
					}
					// Long enough for some rows, too short for all.
					if err := pause(ctx, time.Duration(20+10*i)*time.Millisecond); err != nil {
						return err
					}
					s.net.down()
					if err := s.net.up(); err != nil {
						return err
					}
				}
				w.did("%d rows queued, the network cut %d times in mid-flow with a press before each", rows, flaps)
				return s.settle(ctx)
			},
		},
		{
			name: "network/broker-forgets-while-dispatch-is-dead", short: true,
			fault:      "dispatch is down, the broker acknowledges for it, dies and forgets",
			protection: "a row is delivered when dispatch's receipt covers it; the rest is sent again",
			without:    withoutReceipts(),
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, mqtt)
				if err != nil {
					return err
				}
				if err := s.dispatch.kill(); err != nil {
					return err
				}
				n := w.times(50, 10)
				if err := s.gateway.press(ctx, n); err != nil {
					return err
				}
				if err := until(ctx, "the broker has taken the presses", func() (bool, error) {
					st, err := s.gateway.client.Status(ctx)
					if err != nil {
						return false, err
					}
					for _, a := range st.Alerts {
						if a.Truth == "raised" || a.Truth == "saved" {
							return false, fmt.Errorf("an alert is only %s", a.Truth)
						}
					}
					return len(st.Alerts) > 0, nil
				}); err != nil {
					return err
				}
				w.did("dispatch killed, %d presses acknowledged by the broker, broker killed (it keeps nothing), both started again", n)
				if err := s.broker.again(ctx, w); err != nil {
					return err
				}
				if err := s.dispatch.run(ctx); err != nil {
					return err
				}
				return s.settle(ctx)
			},
		},
		{
			name:       "network/duplicate-client-id",
			fault:      "a second device with a copied card takes the session away, again and again",
			protection: "sessions that are taken away end without passing rows, and a condition names the cause",
			without:    unansweredCounts(),
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, mqtt)
				if err != nil {
					return err
				}
				thief := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + s.broker.address).SetClientID("nabat-" + site + "-main").
					SetAutoReconnect(true).SetMaxReconnectInterval(200 * time.Millisecond).SetConnectTimeout(5 * time.Second))
				if t := thief.Connect(); !t.WaitTimeout(10*time.Second) || t.Error() != nil {
					return fmt.Errorf("connect the second device: %w", t.Error())
				}
				for range 10 {
					if err := s.gateway.press(ctx, 1); err != nil {
						return err
					}
					if err := pause(ctx, 300*time.Millisecond); err != nil {
						return err
					}
				}
				thief.Disconnect(100)
				w.did("a second client with the gateway's id connected whenever it was thrown out, during 10 presses; then it went away")
				return s.settle(ctx)
			},
		},
		{
			name:       "network/more-than-65535-queued",
			fault:      "more events wait than MQTT has packet ids",
			protection: "16 rows of a lane are on their way at most; the rest waits in the journal",
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, ways{mqtt: true, stopped: true})
				if err != nil {
					return err
				}
				const rows = 70_000
				if err := s.gateway.fill(ctx, rows, "mqtt"); err != nil {
					return err
				}
				if err := s.gateway.run(ctx); err != nil {
					return err
				}
				if err := s.gateway.press(ctx, 10); err != nil {
					return err
				}
				w.did("%d rows queued before the start, 10 presses on top", rows)
				if err := untilWithin(ctx, 4*time.Minute, "everything is delivered", s.empty(ctx)); err != nil {
					return err
				}
				return s.settle(ctx)
			},
		},
		{
			name: "network/back-off-waits-out-a-restored-link", short: true,
			fault:      "after a long outage the link is back, and the gateway still waits",
			protection: "a new alarm cuts the back-off short",
			without: []change{
				{file: "sync/cursor/backoff.go", old: "Base: time.Second, Cap: time.Minute, Urgent: 2 * time.Second,", replacement: "Base: time.Hour, Cap: time.Hour, Urgent: time.Hour,"},
				{file: "sync/cursor/runner.go", old: "	case <-r.alarm.wake:\n	case <-network:", replacement: "	case <-network:"},
			},
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, mqtt)
				if err != nil {
					return err
				}
				s.net.down()
				if err := s.gateway.condition(ctx, "link-down", true); err != nil {
					return err
				}
				if err := pause(ctx, time.Duration(w.times(20, 5))*time.Second); err != nil {
					return err
				}
				if err := s.net.up(); err != nil {
					return err
				}
				if err := s.gateway.press(ctx, 1); err != nil {
					return err
				}
				w.did("network away until several attempts had failed, then back, then a press")
				return s.settle(ctx)
			},
		},
	}
}
