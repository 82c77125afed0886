package web

import (
	"nabat/gateway/alert"
)

// lobbyEnded says that an emergency or a drill which this screen showed is over.
type lobbyEnded struct {
	Status alert.Status `json:"status"`
	// At is when it ended, by the gateway's monotonic clock in milliseconds.
	At    int64       `json:"at"`
	Texts []endedText `json:"texts"`
}

type endedText struct {
	Lang alert.Language `json:"lang"`
	// Key are the words in the largest letters, Do what they mean for everyone.
	Key string `json:"key"`
	Do  string `json:"do"`
	// Care are calm words for those whom it has shaken; none after a drill.
	Care []string `json:"care,omitempty"`
}

// lobbyOver returns what has ended for a screen, the newest of each status. It
// is asked only while no public emergency is open there: all-clear is said when
// all is clear. The caller's view forgets everything at a restart.
func (s *Server) lobbyOver(view *alert.View, screen alert.Screen, lang alert.Language) []lobbyEnded {
	var list []lobbyEnded
	var seen [3]bool
	for _, e := range view.Ended {
		status := e.Alert.Status()
		i := seriousness(status)
		if seen[i] || !s.public(e.Alert, screen.ID) {
			continue
		}
		seen[i] = true
		over := lobbyEnded{Status: status, At: e.At.Mono.Milliseconds()}
		for _, l := range alarmLanguages(screen, lang) {
			w := s.words[l]
			text := endedText{Lang: l, Key: w.Get("lobby.over." + string(status)), Do: w.Get("lobby.over." + string(status) + ".do")}
			if status == alert.Actual {
				text.Care = []string{w.Get("lobby.care.over"), w.Get("lobby.care.feel"), w.Get("lobby.care.talk")}
			}
			over.Texts = append(over.Texts, text)
		}
		list = append(list, over)
	}
	return list
}
