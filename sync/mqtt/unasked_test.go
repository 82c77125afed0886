package mqtt

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// answered is a token that has an answer.
type answered struct {
	paho.DummyToken
	err error
}

func (a *answered) Error() error { return a.err }

func (a *answered) Done() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// TestAQuestionThatNeverLeftEndsTheSession: on a machine that is very busy the
// client gives up on a subscription before it has written it. A session without
// it would last for weeks, and nothing in it would ever count as delivered.
func TestAQuestionThatNeverLeftEndsTheSession(t *testing.T) {
	broken := errors.New("subscribe was broken by timeout")
	for name, b := range map[string]beginning{
		"receipts": {birth: &answered{}, receipts: &answered{err: broken}, commands: &answered{}},
		"commands": {birth: &answered{}, receipts: &answered{}, commands: &answered{err: broken}},
	} {
		t.Run(name, func(t *testing.T) {
			here, there := net.Pipe()
			defer there.Close()
			s := &session{
				p:    &Publisher{t: Timing{}.withDefaults(), report: newReporter(nil, nil, nil)},
				wire: newWire(here, here, time.Second), lost: make(chan struct{}),
			}
			defer s.wire.abort()
			s.life, s.end = context.WithCancel(t.Context())
			defer s.end()
			if s.check(b) {
				t.Error("the session goes on")
			}
			if !errors.Is(s.Err(), broken) {
				t.Errorf("it ended by %v", s.Err())
			}
		})
	}
}
