// Package control is the gateway's local door: HTTP and JSON over a unix
// socket, for the commands "nabat status", "nabat press" and "nabat announce" on
// the same machine.
package control

import (
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/health"
)

// SocketName is the socket's name in the data directory.
const SocketName = "nabat.sock"

// Status is what a person on site should know. All ages are whole seconds and
// are measured by the gateway, so that the reader's clock does not matter.
type Status struct {
	Version string `json:"version"`
	Site    string `json:"site"`
	Gateway string `json:"gateway"`
	// Board is "gpio" or "sim".
	Board         string `json:"board"`
	UptimeSeconds int64  `json:"uptime_seconds"`

	Points     []Point            `json:"points"`
	Alerts     []Alert            `json:"alerts"`
	Notices    []Notice           `json:"notices,omitempty"`
	Sounding   []alert.Sounding   `json:"sounding,omitempty"`
	Screens    []Screen           `json:"screens,omitempty"`
	Links      []Link             `json:"links"`
	Queue      []Queue            `json:"queue"`
	Conditions []health.Condition `json:"conditions"`
	Clock      Clock              `json:"clock"`
	Journal    Journal            `json:"journal"`
	// Assigned is the SHA-256 of the configuration in use where dispatch has
	// assigned it; empty where it is the installer's file.
	Assigned string `json:"assigned_configuration,omitempty"`
}

// Point is one button or lamp.
type Point struct {
	ID     string   `json:"id"`
	Place  []string `json:"place,omitempty"`
	Armed  bool     `json:"armed"`
	Active bool     `json:"active"`
	// Fault is empty or a fault of the vocabulary of the wall.
	Fault  string `json:"fault,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// Alert is one open alert.
type Alert struct {
	ID   string     `json:"id"`
	Kind alert.Kind `json:"kind"`
	// KindName is the name of a kind of the site's own.
	KindName alert.Text   `json:"kind_name,omitzero"`
	Level    alert.Level  `json:"level"`
	Status   alert.Status `json:"status"`
	Place    []string     `json:"place,omitempty"`
	Point    string       `json:"point,omitempty"`
	// Truth is how far the call has come: raised, saved, sent, received or accepted.
	Truth      string `json:"truth"`
	AgeSeconds int64  `json:"age_seconds"`
	// Team is what dispatch has said of a team, nil where it has said nothing.
	Team *Team `json:"team,omitempty"`
}

// Team is on its way to an alert, or there.
type Team struct {
	Who string `json:"who,omitempty"`
	// Arrived says that it is there; ETA is when it is expected otherwise, zero
	// where nobody knows.
	Arrived bool      `json:"arrived"`
	ETA     time.Time `json:"eta,omitzero"`
	// AgeSeconds is how long ago that was said.
	AgeSeconds int64 `json:"age_seconds"`
}

// Notice is an announcement that stands now.
type Notice struct {
	// ID ends it: nabat announce --end ID.
	ID     string       `json:"id,omitempty"`
	Text   alert.Text   `json:"text"`
	Status alert.Status `json:"status"`
	Who    string       `json:"who,omitempty"`
	// LeftSeconds is how long it stands yet.
	LeftSeconds int64 `json:"left_seconds"`
}

// ScreenOK is the state of a screen that proves itself.
const ScreenOK = "ok"

// Screen is one lobby screen and whether it proves that it shows what it should.
type Screen struct {
	ID string `json:"id"`
	// State is "ok", "waiting" (not heard of yet), "dark" or "frozen".
	State   string `json:"state"`
	Watched bool   `json:"watched"`
	// SeenSeconds is how long ago it proved itself last, -1 for never.
	SeenSeconds int64 `json:"seen_seconds"`
}

// Link is one way to the outside.
type Link struct {
	Name string `json:"name"`
	Up   bool   `json:"up"`
	// ForSeconds is how long it has been so.
	ForSeconds int64  `json:"for_seconds"`
	Detail     string `json:"detail,omitempty"`
}

// Queue is what one consumer of the journal has still to deliver in one lane.
type Queue struct {
	Consumer      string `json:"consumer"`
	Lane          string `json:"lane"`
	Depth         int64  `json:"depth"`
	OldestSeconds int64  `json:"oldest_seconds"`
	// Parked counts the events that the far end refused for good.
	Parked int64 `json:"parked"`
}

// Clock is the gateway's wall clock.
type Clock struct {
	Now    time.Time `json:"now"`
	Synced bool      `json:"synced"`
}

// Journal is the identity of the newest event, and whether events reach the disk.
type Journal struct {
	Epoch   string `json:"epoch"`
	LastSeq uint64 `json:"last_seq"`
	Durable bool   `json:"durable"`
}
