package hallway

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nabat/gateway/alert"
	"nabat/gateway/words"
	"nabat/hw/display/glyph"
)

func (p *pane) now(h *house) []page { return p.scene(h.View(), h.stamp()).pages }

// Whatever happens at quiet places, every display shows the same as if nothing
// had happened there.
func TestQuietAlertsNeverReachAHallway(t *testing.T) {
	kinds := append(alert.Kinds(), "gas")
	rapid.Check(t, func(r *rapid.T) {
		with, without := newHouse(), newHouse()
		for range rapid.IntRange(1, 10).Draw(r, "presses") {
			kind := rapid.SampledFrom(kinds).Draw(r, "kind")
			status := rapid.SampledFrom([]alert.Status{alert.Actual, alert.Exercise, alert.Test}).Draw(r, "status")
			if rapid.Bool().Draw(r, "quiet") {
				with.press(kind, alert.LevelHelp, status, "secret")
				without.number++ // numbers are counted, not shown
				continue
			}
			with.press(kind, alert.LevelEmergency, status, "room-204")
			without.press(kind, alert.LevelEmergency, status, "room-204")
		}
		if rapid.Bool().Draw(r, "cleared") {
			with.clear()
			without.clear()
		}
		for _, d := range []Display{{}, {ID: "guard"}, {Zones: []string{"gym"}}, {Zones: []string{alert.Everywhere}}} {
			got, want := paneOf(t, with, d).now(with), paneOf(t, without, d).now(without)
			if !reflect.DeepEqual(got, want) {
				r.Fatalf("display %+v betrays a quiet press:\n%+v\n%+v", d, got, want)
			}
		}
	})
}

func titles(pages []page) (list []string) {
	for _, p := range pages {
		list = append(list, strings.ReplaceAll(p.Title, "\u00a0", " "))
	}
	return list
}

func TestADisplayShowsWhatIsMeantForIt(t *testing.T) {
	h := newHouse()
	h.press(alert.Violence, alert.LevelEmergency, alert.Actual, "room-204")
	h.press(alert.Stranger, alert.LevelEmergency, alert.Actual, "room-204")
	ru := []alert.Language{alert.Russian}
	for _, c := range []struct {
		d    Display
		want []string
	}{
		{Display{ID: "hall", Languages: ru}, []string{"Насилие"}},
		{Display{ID: "guard", Languages: ru, Zones: []string{"yard"}}, []string{"Посторонний в здании"}},
		{Display{ID: "guard", Languages: ru, Zones: []string{"gym"}}, []string{"Насилие", "Посторонний в здании"}},
	} {
		if got := titles(paneOf(t, h, c.d).now(h)); !slices.Equal(got, c.want) {
			t.Errorf("%s in zones %v shows %q, want %q", c.d.ID, c.d.Zones, got, c.want)
		}
	}
	if got := titles(paneOf(t, h, Display{ID: "yard", Zones: []string{"yard"}, Languages: ru}).now(h)); got[0] != "12:45" {
		t.Errorf("a display of another zone shows %q", got)
	}
}

func TestAnEmergencySaysWhatToDoAndWhere(t *testing.T) {
	h := newHouse()
	h.press(alert.Fire, alert.LevelEmergency, alert.Actual, "canteen")
	pages := paneOf(t, h, Display{Direction: "left"}).now(h)
	want := []page{
		{Title: "Өрт", Do: "Ғимараттан шығыңыз", Way: "Солға шығыңыз", Where: "Асхана", Arrow: '←', Tone: alarm},
		{Title: "Пожар", Do: "Выходите из здания", Way: "Выход налево", Where: "Столовая", Arrow: '←', Tone: alarm},
		{Title: "Fire", Do: "Leave the building", Way: "Exit left", Where: "Canteen", Arrow: '←', Tone: alarm},
	}
	if !reflect.DeepEqual(pages, want) {
		t.Errorf("%+v", pages)
	}
	h.clear()
	h.press("gas", alert.LevelEmergency, alert.Actual, "canteen")
	gas := paneOf(t, h, Display{Languages: []alert.Language{alert.English}}).now(h)[0]
	if gas.Do != "Do not switch lights on" || gas.Where != "" || gas.Arrow != 0 || gas.Title != "Smell of gas" {
		t.Errorf("the site's own words: %+v", gas)
	}
	h.clear()
	h.press(alert.Violence, alert.LevelEmergency, alert.Actual, "canteen")
	if p := paneOf(t, h, Display{Direction: "left"}).now(h)[0]; p.Arrow != 0 || p.Way != "" {
		t.Errorf("who is to stay is shown the way out: %+v", p)
	}
}

func TestADrillSaysSoOnEveryPage(t *testing.T) {
	h := newHouse()
	h.press(alert.Fire, alert.LevelEmergency, alert.Exercise, "canteen")
	p := paneOf(t, h, Display{})
	for i, one := range p.now(h) {
		if want := words.In(p.languages()[i]).Get("status.Exercise"); one.Banner != want || one.Tone != practice {
			t.Errorf("page %+v, want the banner %q", one, want)
		}
	}
	h.press(alert.Stranger, alert.LevelEmergency, alert.Exercise, "room-204")
	h.press(alert.Fire, alert.LevelEmergency, alert.Actual, "room-204")
	for _, one := range p.now(h) {
		if one.Banner != "" {
			t.Errorf("beside a real alert: %+v", one)
		}
	}
	h.clear()
	if got := titles(p.now(h)); !slices.Equal(got, []string{"Қауіп өтті", "Отбой тревоги", "All clear", "12:45"}) {
		t.Errorf("afterwards: %q", got)
	}
}

func TestNoticesAreForTheirScreensAndZones(t *testing.T) {
	h := newHouse()
	text := alert.Text{RU: "Собрание в 15:00", KK: "Жиналыс 15:00-де"}
	notice := func(n alert.Notice) { h.do(func(v *alert.View) { v.Notices = []alert.Notice{n} }) }
	shows := func(d Display) bool {
		return paneOf(t, h, d).now(h)[0].Do == text.KK
	}
	for _, c := range []struct {
		n                alert.Notice
		hall, gym, guard bool
	}{
		{alert.Notice{}, true, true, true},
		{alert.Notice{Screens: []string{"guard"}}, false, false, true},
		{alert.Notice{Zones: []string{"gym"}}, true, true, false},
		{alert.Notice{Zones: []string{"gym"}, Screens: []string{"*"}}, true, true, false},
	} {
		c.n.Text, c.n.Status = text, alert.Actual
		notice(c.n)
		got := []bool{shows(Display{}), shows(Display{ID: "g", Zones: []string{"gym"}}), shows(Display{ID: "guard", Zones: []string{"yard"}})}
		if want := []bool{c.hall, c.gym, c.guard}; !slices.Equal(got, want) {
			t.Errorf("%+v: hall, gym, guard show it: %v, want %v", c.n, got, want)
		}
	}
	notice(alert.Notice{Text: text, Status: alert.Exercise})
	if p := paneOf(t, h, Display{}).now(h); p[0].Banner != "Оқу дабылы" || len(p) != 3 || p[2].Title != "12:45" {
		t.Errorf("%+v", p)
	}
	h.press(alert.Fire, alert.LevelEmergency, alert.Actual, "canteen")
	if p := paneOf(t, h, Display{}).now(h); p[0].Title != "Өрт" || len(p) != 3 {
		t.Errorf("an emergency beside a notice: %+v", p)
	}
}

func TestTheClockIsRightOrNotThere(t *testing.T) {
	h := newHouse()
	p := paneOf(t, h, Display{})
	if got := p.now(h); got[0].Title != "12:45" || got[1].Do != "Қоңырау 12:50" || got[1].Where != "5-сабақ" || got[2].Do != "Звонок в 12:50" {
		t.Errorf("%+v", got)
	}
	h.stamp = func() alert.Stamp { return alert.Stamp{Wall: time.Date(1970, 1, 1, 0, 3, 0, 0, time.UTC)} }
	for _, one := range p.now(h) {
		if strings.Contains(one.Title+one.Do, ":") || one.Clock {
			t.Errorf("a clock that nobody set shows %+v", one)
		}
	}
}

// Every letter that the gateway's own words can bring to a display is in both
// fonts.
func TestEveryWordCanBeShown(t *testing.T) {
	small, err := glyph.Load()
	if err != nil {
		t.Fatal(err)
	}
	big, err := loadTypeface()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range alert.Languages() {
		for key, text := range words.In(l).With("hallway.", "kind.", "status.", "n.places") {
			for _, r := range text + "←→↑↓≈·№" + strings.ToUpper(text) {
				if _, ok := small.Of(r); !ok && !strings.ContainsRune("{}|", r) {
					t.Errorf("%s %s: the bitmap font has no %q", l, key, r)
				}
				if i, err := big.font.GlyphIndex(nil, r); (err != nil || i == 0) && !strings.ContainsRune("{}|", r) {
					t.Errorf("%s %s: the large font has no %q", l, key, r)
				}
			}
		}
	}
}
