package sms_test

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
	"nabat/sync/cursor/cursortest"
	"nabat/sync/sms"
	"nabat/sync/sms/modemtest"
)

// The crash test runs this binary a second time, as the gateway that is killed:
// these name the modem and the table for it.
const (
	crashDevice = "NABAT_TEST_SMS_DEVICE"
	crashTable  = "NABAT_TEST_SMS_TABLE"
)

// TestTheOneThatIsKilled is no test but the program that TestKilledBetween kills.
func TestTheOneThatIsKilled(t *testing.T) {
	if os.Getenv(crashDevice) == "" {
		return
	}
	lane := cursortest.NewMemory(journal.Alarm)
	r := &rig{t: t, lane: lane, now: stamp()}
	d, err := sms.New(sms.Options{
		Site: site(), Contacts: contacts(), Device: os.Getenv(crashDevice), PerHour: 100, Stale: time.Hour,
		Path: os.Getenv(crashTable), Alarms: lane.Lane(), Alert: r.alert, Now: r.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.happen(alert.Raised, "a", 1)
	r.happen(alert.Escalated, "a", 1, to("second-channel"))
	if err := d.Run(context.Background()); err != nil {
		t.Error(err)
	}
}

// A gateway that is killed after the modem got the message and before it
// answered does not send it again, although the journal gives it the event once
// more; the recipient learns of the doubt.
func TestKilledBetweenHandOverAndAnswer(t *testing.T) {
	r := newRig(t)
	handed := make(chan struct{})
	killed := make(chan struct{})
	first := true
	r.modem.Set(func(s *modemtest.Settings) {
		s.Submit = func(modemtest.Part) modemtest.Reply {
			if !first {
				return modemtest.Reply{}
			}
			first = false
			close(handed)
			<-killed
			return modemtest.Reply{Silent: true}
		}
	})
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTheOneThatIsKilled$")
	cmd.Env = append(os.Environ(), crashDevice+"="+r.modem.Device(), crashTable+"="+r.o.Path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-handed:
	case <-time.After(patience):
		t.Error("the modem got nothing from the program")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // it was killed
	close(killed)
	r.happen(alert.Raised, "a", 1)
	r.happen(alert.Escalated, "a", 1, to("second-channel"))
	r.start()
	r.expect(map[string][]string{"+77010000003": {askEN, unsureEN}})
}
