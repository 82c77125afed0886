package web

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// testPictures are two displays, one of which is drawn on.
type testPictures struct {
	mu      sync.Mutex
	version uint64 // guarded by mu
	lit     bool   // guarded by mu
}

func (p *testPictures) Displays() []DisplayPicture {
	p.mu.Lock()
	defer p.mu.Unlock()
	return []DisplayPicture{{ID: "stairs", Width: 128, Height: 64, Version: p.version}, {ID: "broken", Width: 8, Height: 8}}
}

func (p *testPictures) PNG(id string) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if id != "stairs" {
		return nil, errors.New("no picture")
	}
	canvas := image.NewGray(image.Rect(0, 0, 128, 64))
	if p.lit {
		canvas.SetGray(0, 0, color.Gray{Y: 255})
	}
	var b bytes.Buffer
	err := png.Encode(&b, canvas)
	return b.Bytes(), err
}

func (p *testPictures) light() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.version, p.lit = p.version+1, true
}

func TestSimulatedDisplaysAreShownOnTheWallOnly(t *testing.T) {
	pictures := &testPictures{}
	for _, c := range []struct {
		name string
		set  func(*Options)
		want int
	}{
		{"on a simulated wall", func(o *Options) { o.Wall, o.Pictures = newTestWall(), pictures }, http.StatusOK},
		{"without displays", func(o *Options) { o.Wall = newTestWall() }, http.StatusNotFound},
		{"on a real board", func(o *Options) { o.Pictures = pictures }, http.StatusNotFound},
	} {
		s := newTestServer(t, newHouse(), c.set)
		ask := func(path string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+path, nil))
			return w
		}
		if w := ask("/api/v1/wall/displays"); w.Code != c.want || w.Code == http.StatusOK && !strings.Contains(w.Body.String(), `{"id":"stairs","width":128,"height":64,"version":0}`) {
			t.Errorf("%s: the list: %d %s", c.name, w.Code, w.Body)
		}
		w := ask("/api/v1/wall/displays/stairs.png")
		if (w.Code == http.StatusOK) != (c.want == http.StatusOK) {
			t.Errorf("%s: the picture: %d", c.name, w.Code)
		}
		if c.want != http.StatusOK {
			continue
		}
		if picture, err := png.Decode(w.Body); err != nil || picture.Bounds().Dx() != 128 || w.Header().Get("Content-Type") != "image/png" {
			t.Errorf("%s: the picture: %v", c.name, err)
		}
		for path, want := range map[string]int{"none.png": http.StatusNotFound, "stairs": http.StatusNotFound, "broken.png": http.StatusInternalServerError} {
			if w := ask("/api/v1/wall/displays/" + path); w.Code != want {
				t.Errorf("%s: %d, want %d", path, w.Code, want)
			}
		}
	}
}
