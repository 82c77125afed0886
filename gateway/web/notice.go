package web

import (
	"slices"

	"nabat/gateway/alert"
)

// maxNotices is how many announcements a lobby screen shows at once.
const maxNotices = 3

// lobbyNotice is one announcement on a screen.
type lobbyNotice struct {
	Key    string       `json:"key"`
	Status alert.Status `json:"status"`
	// Texts holds the words in each language that has any, the screen's own
	// first.
	Texts []noticeText `json:"texts"`
}

type noticeText struct {
	Lang alert.Language `json:"lang"`
	Text string         `json:"text"`
	// Status says that the words belong to a drill; empty otherwise.
	Status string `json:"status,omitempty"`
}

func (s *Server) lobbyNotices(view *alert.View, screen alert.Screen, lang alert.Language) []lobbyNotice {
	var shown []lobbyNotice
	for _, n := range view.Notices {
		if !showsNotice(screen, n) {
			continue
		}
		if len(shown) == maxNotices {
			break
		}
		shown = append(shown, lobbyNotice{Key: n.ID, Status: n.Status, Texts: s.noticeTexts(n, screenLanguages(screen, lang))})
	}
	return shown
}

// noticeTexts returns the words in those of the languages that were given, the
// screen's own first; where none of them was, in any that was.
func (s *Server) noticeTexts(n alert.Notice, langs []alert.Language) []noticeText {
	var texts []noticeText
	for _, l := range slices.Concat(langs, alert.Languages()) {
		own := textOf(n.Text, l)
		if own == "" || slices.ContainsFunc(texts, func(t noticeText) bool { return t.Lang == l }) || (len(texts) > 0 && !slices.Contains(langs, l)) {
			continue
		}
		text := noticeText{Lang: l, Text: own}
		if n.Status != alert.Actual {
			text.Status = s.words[l].Get("status." + string(n.Status))
		}
		texts = append(texts, text)
	}
	return texts
}

// consoleNotice is one announcement as staff see it.
type consoleNotice struct {
	ID     string       `json:"id"`
	Text   string       `json:"text"`
	Status alert.Status `json:"status"`
	Who    string       `json:"who"`
	// Began and Ends are moments like those of alerts.
	Began int64 `json:"began"`
	Ends  int64 `json:"ends"`
	// Screens are the lobby screens that show it, none for all.
	Screens []string `json:"screens,omitempty"`
	// Zones are the names of those that say it; All says that it is every zone.
	Zones []string `json:"zones,omitempty"`
	All   bool     `json:"all"`
}

func (s *Server) consoleNotices(lang alert.Language, now alert.Stamp, view *alert.View) []consoleNotice {
	list := make([]consoleNotice, 0, len(view.Notices))
	for _, n := range view.Notices {
		began := moment(now, n.Began)
		list = append(list, consoleNotice{
			ID: n.ID, Text: n.Text.In(lang), Status: n.Status, Who: s.whoName(lang, alert.Mark{Who: n.Who, Origin: n.Origin}),
			Began: began, Ends: began + n.For.Milliseconds(), Screens: n.Screens,
			Zones: s.zoneNames(lang, n.Zones), All: slices.Contains(n.Zones, alert.Everywhere),
		})
	}
	return list
}
