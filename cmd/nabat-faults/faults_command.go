package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/uuid"

	"nabat/gateway/alert"
	"nabat/sync/command"
	"nabat/sync/event"
)

// attack is a command that must not act. make returns the message, given a
// rightful command that clears the one open alert and was never sent.
type attack struct {
	name, fault, protection string
	reason                  command.Reason
	retained                bool
	without                 []change
	make                    func(ctx context.Context, c *commander, right command.Claims) (string, error)
}

func commandScenarios() []scenario {
	attacks := []attack{
		{
			name: "retained", fault: "a command that the broker had kept is replayed at every reconnect (shutters closed by themselves)",
			protection: "retained commands are refused", reason: command.Retained, retained: true,
			without: []change{{file: "sync/command/accept.go", old: "	case retained:\n", replacement: "	case retained && len(compact) == 0:\n"}},
			make:    func(_ context.Context, c *commander, right command.Claims) (string, error) { return c.key.Sign(right) },
		},
		{
			name: "expired", fault: "a command arrives long after it was meant",
			protection: "exp is looked at with a synchronised clock, a challenge otherwise", reason: command.Expired,
			without: []change{{file: "sync/command/judge.go", old: "late >= 0 {\n", replacement: "late >= MaxLife {\n"}},
			make: func(ctx context.Context, c *commander, right command.Claims) (string, error) {
				// Issued after the gateway's start: what is older is refused for that.
				right.Expires = right.Issued + 2
				if err := pause(ctx, 3100*time.Millisecond); err != nil {
					return "", err
				}
				return c.key.Sign(right)
			},
		},
		{
			name: "for-another-gateway", fault: "a command for one school is sent to another",
			protection: "the audience is one gateway", reason: command.Audience,
			without: []change{{file: "sync/command/accept.go", old: "	if c.Audience != g.o.Audience {\n", replacement: "	if c.Audience == \"\" {\n"}},
			make: func(_ context.Context, c *commander, right command.Claims) (string, error) {
				right.Audience = site + "/other"
				return c.key.Sign(right)
			},
		},
		{
			name: "unsigned", fault: "whoever can reach the broker sends a command",
			protection: "a command without a signature is refused, whatever its header says", reason: command.Unsigned,
			without: []change{{file: "sync/command/accept.go", old: "	jws, err := parse(compact)\n", replacement: believesNone}},
			make: func(_ context.Context, _ *commander, right command.Claims) (string, error) {
				claims, err := json.Marshal(right)
				if err != nil {
					return "", fmt.Errorf("write claims: %w", err)
				}
				enc := base64.RawURLEncoding
				return enc.EncodeToString([]byte(`{"alg":"none","typ":"nabat-command+jwt"}`)) + "." + enc.EncodeToString(claims) + ".", nil
			},
		},
		{
			name: "wrong-key", fault: "a command is signed by somebody else under the right key's name",
			protection: "the signature is checked against the key that the gateway trusts", reason: command.Signature,
			without: []change{{file: "sync/command/accept.go", old: "	payload, err := jws.Verify(ed25519.PublicKey(key.Public))\n", replacement: "	_, err := jws.Verify(ed25519.PublicKey(key.Public))\n	payload, err := jws.UnsafePayloadWithoutVerification(), err\n	err = nil\n"}},
			make: func(_ context.Context, c *commander, right command.Claims) (string, error) {
				_, key, err := ed25519.GenerateKey(nil)
				if err != nil {
					return "", fmt.Errorf("make a key: %w", err)
				}
				return resign(c, right, key)
			},
		},
		{
			name: "reordered", fault: "an older command arrives after a newer one",
			protection: "the counter has to grow", reason: command.Replayed,
			without: []change{counterMayFall()},
			make: func(ctx context.Context, c *commander, right command.Claims) (string, error) {
				newer := c.claims(command.Acknowledge, right.Alert, right.Number)
				newer.Counter = right.Counter + 5
				if err := c.send(ctx, newer); err != nil {
					return "", err
				}
				if err := c.gateway.truth(ctx, "accepted"); err != nil {
					return "", err
				}
				return c.key.Sign(right)
			},
		},
	}
	var list []scenario
	for _, a := range attacks {
		list = append(list, scenario{
			name: "command/" + a.name, short: true, with: pretendedSync(), fault: a.fault, protection: a.protection, without: a.without,
			run: func(ctx context.Context, w *world) error { return a.run(ctx, w) },
		})
	}
	return append(list,
		scenario{
			name: "command/replayed", short: true, with: pretendedSync(), fault: "a recorded command is sent a second time",
			protection: "a counter is used up, durably, before the command acts",
			without:    []change{counterMayFall(), noIDMemory()},
			run:        func(ctx context.Context, w *world) error { return replayed(ctx, w, nil) },
		},
		scenario{
			name: "command/counter-restored-from-a-backup", short: true, with: pretendedSync(), fault: "the gateway's card is restored from a backup, and a recorded command is sent again",
			protection: "what was issued before the start is taken only with the gateway's fresh challenge",
			without:    []change{{file: "sync/command/judge.go", old: "	if issued.Add(time.Second).Before(start) {", replacement: "	if issued.Add(MaxLife).Before(start) {"}},
			run: func(ctx context.Context, w *world) error {
				return replayed(ctx, w, func(s *stand, backup map[string][]byte) error {
					for path, b := range backup {
						if err := os.WriteFile(path, b, 0o600); err != nil {
							return fmt.Errorf("restore a backup: %w", err)
						}
					}
					return nil
				})
			},
		},
	)
}

// believesNone reads a command without a signature as careless readers of this
// format do.
const believesNone = `	if parts := bytes.Split(compact, []byte(".")); len(parts) == 3 && len(parts[2]) == 0 {
		payload, err := base64.RawURLEncoding.DecodeString(string(parts[1]))
		if err != nil {
			return Command{}, refuse(Malformed, "%w", err)
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		c, err := g.decide(compact, payload, "")
		if r, ok := errors.AsType[*Refusal](err); ok {
			r.Counter = c.Counter
			return Command{}, r
		}
		return c, err
	}
	jws, err := parse(compact)
`

// commander is dispatch's signing half, in our own hands.
type commander struct {
	*stand
	key     *command.Signer
	client  paho.Client
	counter uint64
	topics  event.Topics
}

func (s *stand) commander() (*commander, error) {
	topics, err := event.NewTopics(site, "main")
	if err != nil {
		return nil, err
	}
	key, err := s.dispatch.signer()
	if err != nil {
		return nil, err
	}
	c := &commander{stand: s, key: key, topics: topics, counter: 1000}
	c.client = paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + s.broker.address).SetClientID("commander").SetConnectTimeout(5 * time.Second))
	if t := c.client.Connect(); !t.WaitTimeout(10*time.Second) || t.Error() != nil {
		return nil, fmt.Errorf("connect to the broker: %w", t.Error())
	}
	s.atEnd(func() error { c.client.Disconnect(100); return nil })
	return c, nil
}

// claims are those of a rightful command of this moment.
func (c *commander) claims(verb command.Verb, id string, number uint64) command.Claims {
	c.counter++
	now := time.Now()
	cl := command.Claims{
		Audience: site + "/main", ID: uuid.Must(uuid.NewV7()).String(), Issued: now.Unix(), Expires: now.Add(time.Hour).Unix(),
		Counter: c.counter, Verb: verb, Who: "operator-1", Alert: id, Number: number,
	}
	if verb == command.Clear {
		cl.Outcome = alert.Resolved
	}
	return cl
}

// send signs and sends a command as dispatch would.
func (c *commander) send(_ context.Context, cl command.Claims) error {
	jws, err := c.key.Sign(cl)
	if err != nil {
		return fmt.Errorf("sign a command: %w", err)
	}
	return c.publish(jws, false)
}

func (c *commander) publish(jws string, retained bool) error {
	if t := c.client.Publish(c.topics.Command(), 1, retained, jws); !t.WaitTimeout(10*time.Second) || t.Error() != nil {
		return fmt.Errorf("publish a command: %w", t.Error())
	}
	return nil
}

// resign signs the same claims with another key under the same name.
func resign(c *commander, claims command.Claims, key ed25519.PrivateKey) (string, error) {
	jws, err := c.key.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("sign a command: %w", err)
	}
	i := strings.LastIndexByte(jws, '.')
	return jws[:i+1] + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(jws[:i]))), nil
}

// truth waits until the open alert has come so far.
func (g *gateway) truth(ctx context.Context, want string) error {
	return g.w.until(ctx, "the alert is "+want, func() (bool, error) {
		st, err := g.client.Status(ctx)
		if err != nil {
			return false, err
		}
		if len(st.Alerts) != 1 {
			return false, fmt.Errorf("%d alerts are open", len(st.Alerts))
		}
		return st.Alerts[0].Truth == want, nil
	})
}

// open returns the one open alert and its highest press.
func (g *gateway) open(ctx context.Context) (id string, number uint64, err error) {
	rows, err := g.journal(ctx)
	if err != nil {
		return "", 0, err
	}
	for _, r := range rows {
		if r.typ == alert.Raised {
			id, number = r.event.Subject, r.event.Number
		}
	}
	return id, number, nil
}

func (a attack) run(ctx context.Context, w *world) error {
	s, err := w.stand(ctx, ways{mqtt: true, stopped: true})
	if err != nil {
		return err
	}
	if err := s.gateway.setClock(0, true); err != nil {
		return err
	}
	if err := s.gateway.run(ctx); err != nil {
		return err
	}
	if err := s.linked(ctx); err != nil {
		return err
	}
	if err := s.gateway.press(ctx, 1); err != nil {
		return err
	}
	if err := s.gateway.truth(ctx, "received"); err != nil {
		return err
	}
	c, err := s.commander()
	if err != nil {
		return err
	}
	id, number, err := s.gateway.open(ctx)
	if err != nil {
		return err
	}
	jws, err := a.make(ctx, c, c.claims(command.Clear, id, number))
	if err != nil {
		return err
	}
	if a.retained {
		s.net.down()
	}
	if err := c.publish(jws, a.retained); err != nil {
		return err
	}
	if a.retained {
		if err := s.net.up(); err != nil {
			return err
		}
	}
	if err := s.refused(ctx, a.reason); err != nil {
		return err
	}
	// A rightful command still works.
	last := c.claims(command.Clear, id, number)
	last.Counter += 100
	if err := c.send(ctx, last); err != nil {
		return err
	}
	if err := s.cleared(ctx, true); err != nil {
		return err
	}
	w.did("a command that clears the alert, %s; it was refused (%s) and journalled, the alert stayed open, and the next rightful command cleared it", a.name, a.reason)
	return s.settle(ctx)
}

// refused waits until the journal has a refusal for the reason, and checks that
// the alert is open still.
func (s *stand) refused(ctx context.Context, reason command.Reason) error {
	if err := s.until(ctx, "the command is refused: "+string(reason), func() (bool, error) {
		if err := s.cleared(ctx, false); err != nil {
			return false, err
		}
		n, err := s.gateway.refusals(ctx)
		return n[string(reason)] > 0, errors.Join(err, fmt.Errorf("refused so far: %v", n))
	}); err != nil {
		return err
	}
	return s.cleared(ctx, false)
}

// cleared waits until no alert is open, or checks that one is.
func (s *stand) cleared(ctx context.Context, want bool) error {
	if !want {
		st, err := s.gateway.client.Status(ctx)
		if err == nil && len(st.Alerts) == 0 {
			return fmt.Errorf("%w: the forged command has cleared the alert", errWrong)
		}
		return err
	}
	return s.until(ctx, "the alert is cleared", func() (bool, error) {
		st, err := s.gateway.client.Status(ctx)
		return err == nil && len(st.Alerts) == 0, err
	})
}

// replayed lets a command act once, records it, and sends it again after the
// next press of the same button. restore, if not nil, puts the gateway's files
// back to what they were before the command.
func replayed(ctx context.Context, w *world, restore func(*stand, map[string][]byte) error) error {
	s, err := w.stand(ctx, ways{mqtt: true, stopped: true})
	if err != nil {
		return err
	}
	if err := s.gateway.setClock(0, true); err != nil {
		return err
	}
	if err := s.gateway.run(ctx); err != nil {
		return err
	}
	if err := s.linked(ctx); err != nil {
		return err
	}
	c, err := s.commander()
	if err != nil {
		return err
	}
	// A first drill, so that there is a counter to go back to; the second is the
	// one that somebody records.
	if _, err := s.drill(ctx, c); err != nil {
		return err
	}
	backup, err := s.gateway.commandFiles()
	if err != nil {
		return err
	}
	jws, err := s.drill(ctx, c)
	if err != nil {
		return err
	}
	if restore != nil {
		if err := s.gateway.stop(ctx); err != nil {
			return err
		}
		if err := restore(s, backup); err != nil {
			return err
		}
		// Commands are dated in seconds.
		if err := pause(ctx, 1100*time.Millisecond); err != nil {
			return err
		}
		if err := s.gateway.run(ctx); err != nil {
			return err
		}
		if err := s.linked(ctx); err != nil {
			return err
		}
	}
	if err := c.publish(jws, false); err != nil {
		return err
	}
	if err := s.until(ctx, "the copy is refused", func() (bool, error) {
		n, err := s.gateway.refusals(ctx)
		st, errStatus := s.gateway.client.Status(ctx)
		if errStatus == nil && len(st.Alerts) > 0 {
			return false, fmt.Errorf("%w: the copy started the drill again", errWrong)
		}
		return n[string(command.Replayed)]+n[string(command.BeforeStart)]+n[string(command.ChallengeMissing)]+n[string(command.ChallengeWrong)] > 0, errors.Join(err, errStatus)
	}); err != nil {
		return err
	}
	if err := s.alerts(ctx, 0); err != nil {
		return err
	}
	w.did("a drill was started by a command and ended; a copy of the command was refused and journalled, and no drill began")
	return s.settle(ctx)
}

// drill starts a drill by a command and ends it by another. It returns the first.
func (s *stand) drill(ctx context.Context, c *commander) (jws string, err error) {
	start := c.claims(command.DrillStart, "", 0)
	start.Kind, start.Place, start.Level = alert.Fire, "room-b", alert.LevelEmergency
	if jws, err = c.key.Sign(start); err != nil {
		return "", fmt.Errorf("sign a drill: %w", err)
	}
	if err := c.publish(jws, false); err != nil {
		return "", err
	}
	if err := s.alerts(ctx, 1); err != nil {
		return "", err
	}
	if err := c.send(ctx, c.claims(command.DrillEnd, "", 0)); err != nil {
		return "", err
	}
	return jws, s.alerts(ctx, 0)
}

// commandFiles reads what the gateway remembers of commands.
func (g *gateway) commandFiles() (map[string][]byte, error) {
	files, err := filepath.Glob(filepath.Join(g.dir, "commands*"))
	if err != nil {
		return nil, fmt.Errorf("make a backup: %w", err)
	}
	backup := make(map[string][]byte)
	for _, f := range files {
		if backup[f], err = os.ReadFile(f); err != nil {
			return nil, fmt.Errorf("make a backup: %w", err)
		}
	}
	return backup, nil
}

// alerts waits until so many alerts are open.
func (s *stand) alerts(ctx context.Context, want int) error {
	return s.until(ctx, fmt.Sprintf("%d alerts are open", want), func() (bool, error) {
		st, err := s.gateway.client.Status(ctx)
		if err != nil {
			return false, err
		}
		return len(st.Alerts) == want, fmt.Errorf("%d are", len(st.Alerts))
	})
}
