package sms_test

import (
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
	"nabat/sync/sms"
	"nabat/sync/sms/modemtest"
)

const (
	askRU = "ТРЕВОГА. Вторжение: Кабинет 204, Главный корпус, 08:15. Вызов никто не принял. Школа № 12"
	askKK = "ДАБЫЛ. Басып кіру: 204-кабинет, Бас ғимарат, 08:15. Шақыруды ешкім қабылдаған жоқ. № 12 мектеп"
	askEN = "EMERGENCY. Intruder: Room 204, Main building, 08:15. Nobody has taken the call. School No. 12"
)

func TestAStepReachesItsRoleInTheirLanguage(t *testing.T) {
	r := newRig(t)
	r.start()
	r.happen(alert.Raised, "a", 1)
	r.happen(alert.Escalated, "a", 1, to("duty")) // nobody has this role
	r.happen(alert.Escalated, "a", 1, to("head"))
	r.happen(alert.Escalated, "a", 2, func(e *alert.Event) { e.Gesture = alert.Hold })
	r.expect(map[string][]string{"+77010000001": {askRU}, "+77010000002": {askKK}})
	r.happen(alert.Escalated, "a", 2, to("second-channel"))
	r.expect(map[string][]string{"+77010000001": {askRU}, "+77010000002": {askKK}, "+77010000003": {askEN}})
}

func TestKazakhLettersArriveWhole(t *testing.T) {
	const letters = "Әә Ғғ Ққ Ңң Өө Ұұ Үү Һһ Іі"
	r := newRig(t, func(o *sms.Options) {
		s := site()
		s.Name.KK = letters
		o.Site = s
	})
	r.start()
	r.happen(alert.Raised, "a", 1)
	r.happen(alert.Escalated, "a", 1, to("head"))
	r.until("the message", func() bool { return len(r.came("+77010000002")) == 1 })
	want := "ДАБЫЛ. Басып кіру: 204-кабинет, Бас ғимарат, 08:15. Шақыруды ешкім қабылдаған жоқ. " + letters
	if got := r.came("+77010000002")[0]; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheEndIsToldToThoseWhoWereAsked(t *testing.T) {
	r := newRig(t)
	r.start()
	r.happen(alert.Raised, "a", 1)
	r.happen(alert.Escalated, "a", 1, to("second-channel"))
	r.until("the question", func() bool { return len(r.came("+77010000003")) == 1 })
	r.idle()
	r.happen(alert.Raised, "a", 2)
	r.happen(alert.Cleared, "a", 1, outcome(alert.FalsePress)) // somebody has pressed again
	r.happen(alert.Cleared, "a", 2, outcome(alert.FalsePress))
	r.happen(alert.Raised, "b", 3)
	r.happen(alert.Cleared, "b", 3, outcome(alert.Resolved)) // nobody was asked
	r.expect(map[string][]string{"+77010000003": {askEN, "All clear. Intruder: Room 204, Main building, 08:15. False press. School No. 12"}})
}

func TestWhatIsTakenAsksNobody(t *testing.T) {
	r := newRig(t)
	r.modem.Unplug()
	r.start()
	r.happen(alert.Raised, "a", 1)
	r.happen(alert.Escalated, "a", 1, to("head"))
	r.happen(alert.Acknowledged, "a", 1)
	r.until("the absence", func() bool { return r.condition("sms-modem-absent") && r.d.Stats().Waiting == 2 })
	r.modem.Plug()
	r.expect(nil)
	if r.condition("sms-modem-absent") {
		t.Error("the modem is there, and the condition holds")
	}
}

func TestDrills(t *testing.T) {
	t.Run("are not sent", func(t *testing.T) {
		r := newRig(t)
		r.start()
		r.happen(alert.Raised, "a", 1, with(alert.Exercise))
		r.happen(alert.Escalated, "a", 1, to("head"), with(alert.Exercise))
		r.happen(alert.Raised, "b", 2, with(alert.Test))
		r.happen(alert.Escalated, "b", 2, to("head"), with(alert.Test))
		r.expect(nil)
	})
	t.Run("unless asked for, and say what they are", func(t *testing.T) {
		r := newRig(t, func(o *sms.Options) { o.Drills = true })
		r.start()
		r.happen(alert.Raised, "a", 1, with(alert.Exercise))
		r.happen(alert.Escalated, "a", 1, to("second-channel"), with(alert.Exercise))
		r.expect(map[string][]string{"+77010000003": {"DRILL. " + askEN}})
	})
}

func TestOldMessagesBecomeOneSummary(t *testing.T) {
	r := newRig(t)
	r.start()
	r.idle()
	r.modem.Unplug()
	r.until("the absence", func() bool { return r.condition("sms-modem-absent") })
	r.happen(alert.Raised, "a", 1)
	r.happen(alert.Escalated, "a", 1, to("head"))
	r.happen(alert.Raised, "b", 2, func(e *alert.Event) { e.Kind = alert.Fire })
	r.happen(alert.Escalated, "b", 2, to("head"), func(e *alert.Event) { e.Kind = alert.Fire })
	r.happen(alert.Cleared, "a", 1, outcome(alert.Resolved))
	r.until("what waits", func() bool { return r.lane.Passed() == int(r.seq) })
	r.pass(10*time.Minute + time.Second)
	r.happen(alert.Raised, "c", 3, func(e *alert.Event) { e.Kind = alert.Medical })
	r.happen(alert.Escalated, "c", 3, to("second-channel"), func(e *alert.Event) { e.Kind = alert.Medical })
	r.modem.Plug()
	r.expect(map[string][]string{
		"+77010000001": {"Школа № 12: SMS не отправлялись. Не отправлены 3 сообщения. Открыто сейчас: Пожар, Кабинет 204, Главный корпус."},
		"+77010000002": {"№ 12 мектеп: SMS жіберілмеді. 3 хабарлама жіберілмеді. Қазір ашық: Өрт, 204-кабинет, Бас ғимарат."},
		"+77010000003": {"EMERGENCY. Medical emergency: Room 204, Main building, 08:25. Nobody has taken the call. School No. 12"},
	})
	r.end()
	r.start() // a restart sends no second one
	r.idle()
	if n := len(r.modem.Messages()); n != 3 {
		t.Errorf("%d messages after the restart", n)
	}
}

// A wall clock that steps by years changes no age.
func TestAStepOfTheClockMakesNothingStale(t *testing.T) {
	r := newRig(t)
	r.modem.Unplug()
	r.start()
	r.happen(alert.Raised, "a", 1)
	r.happen(alert.Escalated, "a", 1, to("second-channel"))
	r.until("the message", func() bool { return r.d.Stats().Waiting == 1 })
	r.mu.Lock()
	r.now.Wall = r.now.Wall.AddDate(10, 0, 0)
	r.mu.Unlock()
	r.modem.Plug()
	r.expect(map[string][]string{"+77010000003": {askEN}})
}

func TestAContactGetsNoMoreThanTheLimit(t *testing.T) {
	r := newRig(t, func(o *sms.Options) { o.PerHour, o.Stale = 2, 3*time.Hour })
	r.start()
	for i := range uint64(3) {
		id := string(rune('a' + i))
		r.happen(alert.Raised, id, i+1, func(e *alert.Event) { e.Place.ID = "room-" + id })
		r.happen(alert.Escalated, id, i+1, to("second-channel"), func(e *alert.Event) { e.Place.ID = "room-" + id })
	}
	r.until("two messages", func() bool { return len(r.modem.Messages()) == 2 && r.d.Stats().Waiting == 1 })
	r.happen(alert.Escalated, "c", 3, to("head"), func(e *alert.Event) { e.Place.ID = "room-c" })
	r.until("others are not held up", func() bool { return len(r.modem.Messages()) == 4 })
	r.end() // the limit survives a restart
	r.start()
	r.until("the limit", func() bool { return r.d.Stats() == sms.Stats{Ready: true, Waiting: 1} })
	if n := len(r.came("+77010000003")); n != 2 {
		t.Errorf("%d messages", n)
	}
	r.pass(time.Hour)
	r.until("the third", func() bool { return len(r.came("+77010000003")) == 3 })
}

func TestAnOldJournalTellsNobody(t *testing.T) {
	r := newRig(t)
	r.happen(alert.Raised, "a", 1)
	r.happen(alert.Escalated, "a", 1, to("head"))
	r.pass(24 * time.Hour)
	r.happen(alert.Raised, "b", 2, func(e *alert.Event) { e.At.Boot, e.At.Synced = "b0", false })
	r.happen(alert.Escalated, "b", 2, to("head"), func(e *alert.Event) { e.At.Boot, e.At.Synced = "b0", false })
	r.start()
	r.expect(nil)
}

func TestARowThatCannotBeReadIsParked(t *testing.T) {
	r := newRig(t)
	r.happen(alert.Raised, "a", 1)
	r.seq++
	bad := alert.Ref{Epoch: "e1", Seq: r.seq}
	r.lane.Append(journal.Row{Ref: bad, Type: alert.Escalated, Subject: "a", At: r.clock(), Data: []byte("{")})
	r.happen(alert.Escalated, "a", 1, to("second-channel"))
	r.start()
	r.expect(map[string][]string{"+77010000003": {askEN}})
	if r.lane.Parked()[bad] == "" {
		t.Error("it was not parked")
	}
}

func TestABrokenTableIsNoReasonToBeSilent(t *testing.T) {
	r := newRig(t, func(o *sms.Options) { o.Path = "/dev/null/sms.db" })
	r.start()
	r.happen(alert.Raised, "a", 1)
	r.happen(alert.Escalated, "a", 1, to("second-channel"))
	r.until("the condition", func() bool { return r.condition("sms-store") })
	r.until("the lane is read", func() bool { return r.lane.Passed() == 2 })
	r.happen(alert.Escalated, "a", 1, to("second-channel"))
	r.until("the message", func() bool { return len(r.came("+77010000003")) > 0 })
}

func TestTheNetworksRefusals(t *testing.T) {
	t.Run("for now", func(t *testing.T) {
		r := newRig(t)
		tries := 0
		r.modem.Set(func(s *modemtest.Settings) {
			s.Submit = func(modemtest.Part) modemtest.Reply {
				if tries++; tries <= 3 {
					return modemtest.Reply{Code: 38}
				}
				return modemtest.Reply{}
			}
		})
		r.start()
		r.happen(alert.Raised, "a", 1)
		r.happen(alert.Escalated, "a", 1, to("second-channel"))
		r.expect(map[string][]string{"+77010000003": {askEN}})
	})
	t.Run("for good", func(t *testing.T) {
		r := newRig(t)
		r.modem.Set(func(s *modemtest.Settings) {
			s.Submit = func(p modemtest.Part) modemtest.Reply {
				if p.Number == "+77010000001" {
					return modemtest.Reply{Code: 1}
				}
				return modemtest.Reply{}
			}
		})
		r.start()
		r.happen(alert.Raised, "a", 1)
		r.happen(alert.Escalated, "a", 1, to("head"))
		r.expect(map[string][]string{"+77010000002": {askKK}})
		if !r.condition("sms-refused:head-ru") || r.condition("sms-refused:head-kk") {
			t.Errorf("conditions %v", r.health.List())
		}
	})
}
