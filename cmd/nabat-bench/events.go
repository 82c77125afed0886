package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"nabat/gateway/alert"
)

// eventBytes is the size of the data of every event that is made here; with
// its envelope one has about 1 KiB on the wire.
const eventBytes = 600

// maker makes events of exactly eventBytes.
type maker struct {
	now       func() alert.Stamp
	numbering string
	number    uint64
}

// routine returns an event of the routine lane.
func (m *maker) routine() alert.Event {
	m.number++
	return m.fill(alert.Event{
		Type: alert.PointFault, Subject: fmt.Sprintf("button-%d", m.number%32), At: m.now(),
		Point: fmt.Sprintf("button-%d", m.number%32), Fault: "gap", Origin: "point", Place: m.place(),
	}, func(e *alert.Event, s string) { e.Detail = s })
}

// alarm returns an event of the alarm lane: a press at one of 32 places.
func (m *maker) alarm() alert.Event {
	m.number++
	return m.fill(alert.Event{
		Type: alert.Raised, Subject: fmt.Sprintf("0199e6a4-5c1b-7c3e-9a57-%012d", m.number), At: m.now(),
		Numbering: m.numbering, Number: m.number,
		Kind: alert.Intruder, Level: alert.LevelEmergency, Status: alert.Actual, Place: m.place(),
		Point: fmt.Sprintf("button-%d", m.number%32), Gesture: alert.Tap, Origin: "point",
	}, func(e *alert.Event, s string) { e.Why = s })
}

func (m *maker) place() *alert.Location {
	return &alert.Location{ID: fmt.Sprintf("room-%d", m.number%32), Path: []string{"Main building", "2nd floor", fmt.Sprintf("Room %d", m.number%32)}}
}

// fill lengthens an event to eventBytes with the words of a technician.
func (m *maker) fill(e alert.Event, set func(*alert.Event, string)) alert.Event {
	const words = "the line was read again after a gap; check the wire between the housing and the gateway for damp, then press the button once. "
	set(&e, "x")
	data, err := json.Marshal(e)
	if err != nil { // texts and numbers always encode
		return e
	}
	missing := eventBytes - len(data) + 1
	if missing > 0 {
		set(&e, strings.Repeat(words, missing/len(words)+1)[:missing])
	}
	return e
}
