package announce

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/gateway/timetable"
)

// school is a site with two zones, two languages and some messages.
func school() *alert.Site {
	three := func(s string) alert.Text { return alert.Text{RU: s + "-ru", KK: s + "-kk", EN: s + "-en"} }
	return &alert.Site{
		ID: "school", Language: alert.Russian, Spoken: []alert.Language{alert.Kazakh, alert.Russian},
		Places: map[string]alert.Place{
			"room-204": {ID: "room-204", Path: []alert.Text{three("floor"), three("room")}},
			"hall":     {ID: "hall", Path: []alert.Text{three("hall")}},
		},
		Zones: []alert.Zone{{ID: "north"}, {ID: "south"}},
		Messages: []alert.Message{
			{ID: "bell", Silent: true, Chime: alert.ChimeBell, Priority: alert.PriorityRoutine},
			{ID: "lesson", Text: three("lesson"), Priority: alert.PriorityRoutine},
		},
		Plans: []alert.Plan{
			{Kind: alert.Fire, Level: alert.LevelEmergency, Zones: []string{"*"}, Response: alert.Evacuate, ShowPlace: true},
			{Kind: alert.Intruder, Level: alert.LevelEmergency, Zones: []string{"*"}, Response: alert.Shelter, Instruction: alert.Text{RU: "shelter-ru"}},
			{Kind: alert.Medical, Level: alert.LevelEmergency, Zones: []string{"north"}, Response: alert.Avoid},
		},
	}
}

// scene makes views out of what happens.
type scene struct {
	clock   *stamps
	src     *source
	state   alert.State
	number  uint64
	notices []alert.Notice
	ended   []alert.Ended
}

func (s *scene) show() {
	s.src.show(&alert.View{
		At: s.clock.Now(), State: s.state, Open: s.state.Open(), Notices: slices.Clone(s.notices), Ended: slices.Clone(s.ended),
	})
}

func (s *scene) raise(k alert.Kind, l alert.Level, st alert.Status) (id string) {
	s.number++
	id = fmt.Sprintf("%s-%d", k, s.number)
	numbering := "n"
	if st == alert.Exercise {
		numbering = "n-drill"
	}
	if a, ok := s.state.Alert(alert.Key{Numbering: numbering, Place: "room-204", Kind: k}); ok && a.Open() {
		id = a.ID
	}
	s.state = s.state.Next(alert.Event{
		Type: alert.Raised, Subject: id, At: s.clock.Now(), Numbering: numbering, Number: s.number,
		Kind: k, Level: l, Status: st, Place: &alert.Location{ID: "room-204", Path: []string{"floor", "room"}},
	})
	s.ended = slices.DeleteFunc(s.ended, func(e alert.Ended) bool { return e.Alert.ID == id })
	s.show()
	return id
}

func (s *scene) clear(id string) {
	a, ok := s.state.Find(id)
	if !ok || !a.Open() {
		return
	}
	place := a.Place
	s.state = s.state.Next(alert.Event{
		Type: alert.Cleared, Subject: id, At: s.clock.Now(), Numbering: a.Numbering, Number: a.Last.Number,
		Kind: a.Kind, Place: &place, Outcome: alert.Resolved,
	})
	if a.Level() == alert.LevelEmergency {
		s.ended = slices.Insert(s.ended, 0, alert.Ended{Alert: a, At: s.clock.Now()})
	}
	s.show()
}

func (s *scene) announce(id, text string, p alert.Priority, zones ...string) {
	s.number++
	n := alert.Notice{
		ID: id, Text: alert.Text{RU: text + "-ru", KK: text + "-kk"}, Zones: zones, Priority: p, Began: s.clock.Now(),
		For: time.Hour, Status: alert.Actual,
	}
	n.Began.Mono += time.Duration(s.number) // no two at once
	s.notices = append([]alert.Notice{n}, s.notices...)
	s.show()
}

func (s *scene) end(id string) {
	s.notices = slices.DeleteFunc(slices.Clone(s.notices), func(n alert.Notice) bool { return n.ID == id })
	s.show()
}

// stage is a running job in a bubble of time.
type stage struct {
	*scene
	t      *testing.T
	voices *voices
	health *health.Registry
	job    *Job

	mu    sync.Mutex // guards what follows
	table timetable.Table
	log   []alert.Event
}

// play sets up a job; open starts it.
func play(t *testing.T) *stage {
	clock, src := newStamps(), newSource()
	return &stage{
		scene: &scene{clock: clock, src: src}, t: t, voices: newVoices(), health: &health.Registry{},
	}
}

func (s *stage) driver() *driver { return newDriver(s.voices) }

func (s *stage) open(site *alert.Site, speakers ...Speaker) (stop func()) {
	s.t.Helper()
	job, err := New(Options{
		Site: site, Source: s.src, Clock: s.clock, Health: s.health, Voices: s.voices, Speakers: speakers,
		Location: time.UTC,
		Timetable: func() timetable.Table {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.table
		},
		Record: func(e alert.Event) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.log = append(s.log, e)
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.job = job
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- job.Run(ctx) }()
	synctest.Wait()
	s.show()
	synctest.Wait()
	stopped := false
	return func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("Run after cancel: %v", err)
		}
	}
}

func (s *stage) events() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, e := range s.log {
		list = append(list, fmt.Sprintf("%s in %s x%d: %s", e.Subject, strings.Join(e.Zones, ","), e.Count, e.Detail))
	}
	return list
}

func (s *stage) conditions() string {
	var list []string
	for _, c := range s.health.List() {
		list = append(list, c.Name)
	}
	return strings.Join(list, " ")
}

// wait lets the fake clock run on and everyone come to rest.
func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
