//go:build browser

package desk

import (
	"bytes"
	"flag"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

var (
	shots    = flag.String("shots", "", "directory to keep the README's pictures in")
	allShots = flag.Bool("all-shots", false, "keep the other pictures too")
)

// maxPicture keeps the README light.
const maxPicture = 300 << 10

// TestBrowserScreenshots takes the pictures that the README shows, and more for
// people to look at. -shots DIR keeps those of the README.
func TestBrowserScreenshots(t *testing.T) {
	dir := *shots
	if dir == "" {
		dir = t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w := newTown(t)
	w.busy()
	srv := serve(t, w.desk(nil))
	other := enter(t, srv).in("boris", otherSecret)
	if status, body := other.form("/dispatch/alerts/library/hall/alert-2/take", nil, "token", other.token(), "number", "1"); status != 200 {
		t.Fatalf("take: %d %s", status, body)
	}
	token := other.token()
	if status, body := other.form("/dispatch/alerts/library/hall/alert-2/team", nil, "token", token, "number", "1", "team", "1", "eta", "12"); status != 200 {
		t.Fatalf("team: %d %s", status, body)
	}
	b := newBrowser(t)
	p := newTab(b, t, 1600, 1180)
	shoot := func(name string, readme bool) {
		t.Helper()
		body := p.picture()
		img, err := png.DecodeConfig(bytes.NewReader(body))
		if err != nil || img.Width < 300 {
			t.Fatalf("%s is not a picture: %v", name, err)
		}
		if len(body) > maxPicture {
			t.Errorf("%s takes %d KiB, want at most %d", name, len(body)>>10, maxPicture>>10)
		}
		if !readme && !*allShots {
			return
		}
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p.open(srv.URL + "/dispatch/login")
	shoot("dispatch-login.png", false)
	p.login(srv.URL, "aigerim", testPassword)
	cards := `document.querySelectorAll(".card").length === 4 && document.querySelector(".age").textContent !== ""`
	p.eventually(cards)
	shoot("dispatch.png", true)
	for _, lang := range []string{"kk", "en"} {
		p.open(srv.URL + "/dispatch?lang=" + lang)
		p.eventually(cards)
		shoot("dispatch-"+lang+".png", lang == "en")
	}
	p.click(`.card [data-act="team"]`)
	p.eventually(`document.getElementById("team").open`)
	shoot("dispatch-team.png", false)
	p.click(`#team [value=cancel]`)
	p.click(`.card [data-act="clear"]`)
	p.eventually(`document.getElementById("clear").open`)
	shoot("dispatch-clear.png", false)
	p.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}))
	p.open(srv.URL + "/dispatch")
	p.eventually(cards)
	shoot("dispatch-dark.png", false)
	p.run(emulation.SetEmulatedMedia().WithFeatures(nil))
	for name, path := range map[string]string{"alert": "/dispatch/alerts/library/hall/alert-2", "gateway": "/dispatch/gateways/school-12/main", "history": "/dispatch/history", "audit": "/dispatch/audit?verify=1", "people": "/dispatch/people"} {
		p.open(srv.URL + path)
		p.eventually(`document.getElementById("live").dataset.live === "live"`)
		shoot("dispatch-page-"+name+".png", false)
	}
	p.open(srv.URL + "/dispatch/gateways")
	p.eventually(`document.querySelectorAll("#gateways tbody tr").length === 2`)
	shoot("dispatch-page-gateways.png", false)
	p.run(chromedp.EmulateViewport(390, 844))
	p.open(srv.URL + "/dispatch")
	p.eventually(cards)
	shoot("dispatch-phone.png", false)
	p.clean(srv.URL)
}
