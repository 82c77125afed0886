//go:build browser

package web

import "testing"

// The wall shows each simulated display dot by dot, and what it shows now.
func TestBrowserWallShowsDisplays(t *testing.T) {
	b := newBrowser(t)
	pictures := &testPictures{}
	s := newTestServer(t, newHouse(), func(o *Options) { o.Wall, o.Pictures = newTestWall(), pictures })
	srv := serve(t, s)
	p := b.tab(t, 1280, 900)
	p.open(srv.URL + "/wall?lang=en")
	lit := `(() => {
		const img = document.querySelector('[data-display="stairs"] img');
		if (!img?.complete || img.naturalWidth !== 128 || img.width !== 384 || getComputedStyle(img).imageRendering !== "pixelated") return null;
		const c = document.createElement("canvas"), d = c.getContext("2d");
		d.drawImage(img, 0, 0);
		return d.getImageData(0, 0, 1, 1).data[0] === 255;
	})()`
	p.eventually(lit + ` === false`)
	pictures.light()
	p.eventually(lit + ` === true`)
}
