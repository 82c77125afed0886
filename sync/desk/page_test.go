package desk

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"nabat/gateway/alert"
)

// get asks the desk's page as a browser would.
func get(d *Desk, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	d.Handler(alert.Kazakh).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestPageSpeaksThreeLanguages(t *testing.T) {
	d := open(t)
	titles := map[alert.Language]string{
		alert.Russian: "Диспетчерская (демонстрация)", alert.Kazakh: "Диспетчерлік (көрсетілім)", alert.English: "Dispatch (demonstration)",
	}
	for query, want := range map[string]alert.Language{
		"?lang=ru": alert.Russian, "?lang=kk": alert.Kazakh, "?lang=en": alert.English, "": alert.Kazakh, "?lang=xx": alert.Kazakh,
	} {
		w := get(d, "/dispatch"+query)
		body := w.Body.String()
		if w.Code != http.StatusOK || !strings.Contains(body, `<html lang="`+string(want)+`">`) || !strings.Contains(body, "<h1>"+titles[want]+"</h1>") {
			t.Errorf("%q: %d, not in %s", query, w.Code, want)
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
			t.Errorf("%q: policy %q", query, csp)
		}
		for _, kind := range alert.Kinds() {
			if !strings.Contains(body, `<data value="`+string(kind)+`">`) {
				t.Errorf("%s has no word for %s", want, kind)
			}
		}
	}
	for path, kind := range map[string]string{"/dispatch/dispatch.css": "text/css", "/dispatch/dispatch.js": "javascript"} {
		if w := get(d, path); w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Content-Type"), kind) {
			t.Errorf("%s: %d, %s", path, w.Code, w.Header().Get("Content-Type"))
		}
	}
}

func TestEveryWordExistsInEveryLanguage(t *testing.T) {
	english, err := json.Marshal(words(alert.English))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := json.Unmarshal(english, &want); err != nil {
		t.Fatal(err)
	}
	for _, l := range alert.Languages() {
		b, err := json.Marshal(words(l))
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		for name, text := range got {
			if text == "" || l != alert.English && name != "Kinds" && text == want[name] {
				t.Errorf("%s: %s is %q", l, name, text)
			}
		}
		for _, kind := range alert.Kinds() {
			if words(l).Kinds[kind] == "" {
				t.Errorf("%s: no word for %s", l, kind)
			}
		}
	}
}

func TestStateIsWhatWasReceived(t *testing.T) {
	d := run(t, open(t))
	if body := get(d, "/dispatch/state").Body.String(); !strings.Contains(body, `"open":[],"events":[]`) {
		t.Errorf("an empty desk says %s", body)
	}
	g := connect(t, d)
	g.send(pressed(t, "e1", 1))
	eventually(t, "the event", func() bool { return d.snapshot().Total == 1 })
	w := get(d, "/dispatch/state")
	var s snapshot
	if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%s: %v", w.Body, err)
	}
	if len(s.Open) != 1 || len(s.Events) != 1 {
		t.Fatalf("%s", w.Body)
	}
	if a := s.Open[0]; a.Kind != alert.Medical || a.Level != alert.LevelEmergency || a.Status != alert.Actual || a.Presses != 1 || a.Accepted || len(a.Path) != 2 || a.Age < 0 {
		t.Errorf("the open alert is %+v", a)
	}
	if e := s.Events[0]; e.ID != "e1-1" || e.Type != "alert.raised" || e.Kind != "medical" || e.Place != "room-204" || e.Point != "button-204" || e.DelayMS < 0 {
		t.Errorf("the event is %+v", e)
	}
}
