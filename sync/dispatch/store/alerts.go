package store

import (
	"context"
	"time"

	"nabat/gateway/alert"
	"nabat/sync/event"
)

// LateAfter is the age at delivery from which an event is late: call back, do
// not send blindly.
const LateAfter = 2 * time.Minute

// Alert is an alert as dispatch knows it.
type Alert struct {
	Gateway Gateway
	// Name is what people call the gateway.
	Name string
	// Alert is the fold of everything that came about it. Of an alert that was
	// followed by another at the same place it is the fold of its own events.
	alert.Alert
	// Stands says that a press stands that nobody has cleared.
	Stands bool
	// Pressed is when its first press was, corrected where the gateway's clock
	// could not be trusted.
	Pressed Moment
	// Stored is when its first event was stored here, Changed when the last.
	Stored, Changed time.Time
	// Late says that its newest press was stored more than LateAfter after it
	// was made.
	Late bool
	// Teams are the teams assigned to it, the latest first.
	Teams []Assignment
}

// Moment is a time of a gateway as well as we know it.
type Moment struct {
	// At is zero where nothing is known.
	At time.Time
	// Corrected says that the gateway's clock was not synchronised and At was
	// computed from its boot's monotonic clock.
	Corrected bool
	// Estimated says that the boot was never seen synchronised: At is then the
	// latest time that it can have been, going by when the gateway spoke to us,
	// or, without even that, what its clock said.
	Estimated bool
}

// Entry is one event of a timeline.
type Entry struct {
	Event event.Event
	// Data is the event in the gateway's words; zero where Refused.
	Data alert.Event
	// Pressed is when the point was actuated, zero for events that are not
	// presses; Made is when the gateway made (saved) the event.
	Pressed, Made Moment
	// Deliveries are the arrivals here, the first first, one a link.
	Deliveries []Delivery
	// Late says that the first of them was more than LateAfter behind.
	Late bool
	// Refused is why the data could not be understood; empty when it could.
	Refused string
}

// Delivery is one arrival of an event.
type Delivery struct {
	Link string
	At   time.Time
}

// OpenAlerts returns the alerts of all gateways that nobody has cleared:
// emergencies first, real ones before drills and tests, then the oldest first.
func (s *Store) OpenAlerts(ctx context.Context) ([]Alert, error) { return s.openAlerts(ctx) }

// Alert returns one alert, open or not, or ErrNotFound.
func (s *Store) Alert(ctx context.Context, g Gateway, id string) (Alert, error) {
	return s.alert(ctx, g, id)
}

// Timeline returns all events of an alert in the order of their making as far
// as it is known, else of their numbers.
func (s *Store) Timeline(ctx context.Context, g Gateway, id string) ([]Entry, error) {
	return s.timeline(ctx, g, id)
}

// Filter chooses alerts for History. Zero members choose everything.
type Filter struct {
	Site   string
	ID     string // of the gateway
	Kind   alert.Kind
	Status alert.Status
	// From and To bound when the first event was stored.
	From, To time.Time
	// Before is Page.Next of the page before.
	Before int64
	// Limit is the size of a page: at most 500, zero means 50.
	Limit int
}

// Page is one page of History.
type Page struct {
	Alerts []Alert
	// Next goes into Filter.Before; zero on the last page.
	Next int64
}

// History returns alerts, open and closed, those stored last first.
func (s *Store) History(ctx context.Context, f Filter) (Page, error) { return s.history(ctx, f) }
