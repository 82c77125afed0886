package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

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
			without:    keepsRepetitions(),
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
				s.net.down()
				if err := s.broker.again(ctx, w); err != nil {
					return err
				}
				// What a broker takes while nobody listens comes again, but later.
				if err := s.broker.heard(ctx, w, 0); err != nil {
					return err
				}
				if err := s.net.up(); err != nil {
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
					// Long enough for some rows, too short for all. What is sent in it
					// vanishes, as it does before a modem notices.
					if err := s.net.swallow("upstream"); err != nil {
						return err
					}
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
				if err := s.until(ctx, "the broker has taken the presses", func() (bool, error) {
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
				s.net.down()
				if err := s.broker.again(ctx, w); err != nil {
					return err
				}
				if err := s.dispatch.run(ctx); err != nil {
					return err
				}
				if err := s.net.up(); err != nil {
					return err
				}
				return s.settle(ctx)
			},
		},
		{
			name:       "network/duplicate-client-id",
			fault:      "a second device with a copied card takes the session away, again and again",
			protection: "sessions that are taken away end without passing rows; a condition names the cause, and the fight is not fought fast",
			bare:       "a lost session is a lost session, whatever ended it",
			without:    []change{{file: "sync/mqtt/suspect.go", old: "	if p.stolen >= maxStolen {\n", replacement: "	if p.stolen >= 1<<20 {\n"}},
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
				w.atEnd(func() error { thief.Disconnect(100); return nil })
				if err := s.gateway.press(ctx, 10); err != nil {
					return err
				}
				if err := s.gateway.condition(ctx, "link-duplicate", true); err != nil {
					return err
				}
				if err := s.gateway.press(ctx, 10); err != nil {
					return err
				}
				thief.Disconnect(100)
				w.did("a second client with the gateway's id came back whenever it was thrown out, during 20 presses, until the gateway named it; then it went away")
				return s.settle(ctx)
			},
		},
		{
			name:       "network/more-than-65535-queued",
			fault:      "more events wait than MQTT has packet ids",
			protection: "16 rows of a lane are on their way at most; the rest waits in the journal",
			without: append(unansweredCounts(),
				change{file: "sync/mqtt/options.go", old: "	window      = 16\n", replacement: "	window      = 1 << 20\n"},
				change{file: "sync/mqtt/wire.go", old: "const maxUnwritten = 2*window*(maxMaxEvent+1024) + 1<<20", replacement: "const maxUnwritten = 1 << 30"}),
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
				// While the broker hangs, whoever can sends all that there is.
				if err := s.linked(ctx); err != nil {
					return err
				}
				if err := s.broker.freeze(); err != nil {
					return err
				}
				if err := s.gateway.press(ctx, 10); err != nil {
					return err
				}
				if err := pause(ctx, 4*time.Second); err != nil {
					return err
				}
				if err := s.broker.thaw(); err != nil {
					return err
				}
				w.did("%d rows queued before the start, 10 presses on top; the broker hung for 4 s in the middle", rows)
				if err := s.untilWithin(ctx, 4*time.Minute, "everything is delivered", s.empty(ctx)); err != nil {
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
		{
			name:       "network/half-open-link",
			fault:      "a router forgets the connection: neither side hears of it, while new ones would work",
			protection: "an answer that does not come in time ends the session, and a new one is made",
			bare:       "nothing bounds how long an answer may take",
			without: append(slices.Clone(unansweredCounts()), change{
				file: "sync/mqtt/options.go", old: "{&t.Patience, 10 * time.Second}, {&t.Unacked", replacement: "{&t.Patience, 10 * time.Hour}, {&t.Unacked",
			}, change{
				file: "sync/mqtt/options.go", old: "{&t.KeepAlive, 15 * time.Second},", replacement: "{&t.KeepAlive, 10 * time.Hour},",
			}),
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, ways{mqtt: true, router: true})
				if err != nil {
					return err
				}
				if err := s.gateway.press(ctx, 2); err != nil {
					return err
				}
				if err := s.delivered(ctx); err != nil {
					return err
				}
				s.router.forget()
				if err := s.gateway.press(ctx, 10); err != nil {
					return err
				}
				w.did("a router between gateway and broker swallowed both directions of the connection that there was, and let new ones through; 10 presses")
				return s.settle(ctx)
			},
		},
		{
			name:       "network/refused-credentials",
			fault:      "somebody changes the password at the broker; the gateway is told later",
			protection: "a condition names it, the rows wait, and the file is read anew at each attempt",
			bare:       "the password is read once",
			without:    []change{{file: "sync/mqtt/publisher.go", old: "	password, err := p.password()\n", replacement: "	password, err := \"old\", error(nil)\n"}},
			run:        refusedCredentials,
		},
	}
}

// refusedCredentials changes the password at the broker, then at the gateway.
func refusedCredentials(ctx context.Context, w *world) error {
	secret := w.path("password")
	if err := os.WriteFile(secret, []byte("old\n"), 0o600); err != nil {
		return fmt.Errorf("write a password: %w", err)
	}
	s, err := w.stand(ctx, ways{mqtt: true, password: secret})
	if err != nil {
		return err
	}
	if err := s.gateway.press(ctx, 2); err != nil {
		return err
	}
	if err := s.delivered(ctx); err != nil {
		return err
	}
	if err := s.broker.accounts(ctx, "new"); err != nil {
		return err
	}
	if err := s.broker.again(ctx, w); err != nil {
		return err
	}
	if err := s.broker.heard(ctx, w, 0); err != nil {
		return err
	}
	if err := s.gateway.press(ctx, 4); err != nil {
		return err
	}
	if err := s.gateway.condition(ctx, "link-refused", true); err != nil {
		return err
	}
	if err := os.WriteFile(secret, []byte("new\n"), 0o600); err != nil {
		return fmt.Errorf("write a password: %w", err)
	}
	// A new alarm does not wait for the next attempt, which may be a minute away.
	if err := s.gateway.press(ctx, 1); err != nil {
		return err
	}
	w.did("another password at the broker, 4 presses, until the gateway complained; then the right one in its file, and a press")
	return s.settle(ctx)
}
