package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"

	"nabat/gateway/alert"
	"nabat/gateway/words"
)

//go:embed assets
var files embed.FS

// assets are the embedded files. Their addresses carry a hash of all of them,
// so browsers keep them for ever and a page notices that it is outdated.
type assets struct {
	version string
	served  map[string][]byte // by name: css, js, svg
	pages   *template.Template
	icons   template.HTML // every pictogram as a <symbol>
}

func newAssets() (*assets, error) {
	a := &assets{served: make(map[string][]byte)}
	sum := sha256.New()
	var names []string
	err := fs.WalkDir(files, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n", name, len(body))
		sum.Write(body)
		if path.Ext(name) != ".html" {
			a.served[strings.TrimPrefix(name, "assets/")] = body
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read embedded assets: %w", err)
	}
	// The texts are part of the pages too: a release that changes only a
	// translation must reach the screens.
	for _, l := range alert.Languages() {
		w := words.In(l)
		for _, key := range sortedKeys(w) {
			fmt.Fprintf(sum, "%s %s=%s\n", l, key, w[key])
		}
	}
	a.version = hex.EncodeToString(sum.Sum(nil)[:6])
	a.icons = sprite(a.served, names)
	if a.pages, err = template.ParseFS(files, "assets/*.html"); err != nil {
		return nil, fmt.Errorf("parse embedded pages: %w", err)
	}
	return a, nil
}

func sortedKeys(w words.Words) []string {
	keys := make([]string, 0, len(w))
	for k := range w {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// sprite turns the files of icons and signs into symbols for the page itself, so that
// showing an alert needs no request at the moment of the alert.
func sprite(served map[string][]byte, names []string) template.HTML {
	var b strings.Builder
	for _, name := range names {
		file := strings.TrimPrefix(name, "assets/")
		id, ok := strings.CutPrefix(strings.TrimSuffix(file, ".svg"), "icons/")
		if id = "icon-" + id; !ok {
			if id, ok = strings.CutPrefix(strings.TrimSuffix(file, ".svg"), "signs/"); !ok {
				continue
			}
			id = "sign-" + id
		}
		_, inner, _ := bytes.Cut(served[file], []byte(">"))
		inner, _, _ = bytes.Cut(inner, []byte("</svg>"))
		fmt.Fprintf(&b, `<symbol id="%s" viewBox="0 0 100 100">%s</symbol>`, id, inner)
	}
	return template.HTML(b.String()) //nolint:gosec // our own embedded files
}

// icon returns the name of a kind's pictogram.
func (a *assets) icon(k alert.Kind) string {
	if _, ok := a.served["icons/"+string(k)+".svg"]; ok && k != "bell" && !strings.HasPrefix(string(k), "speaker") {
		return string(k)
	}
	return "other"
}

func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	body, ok := a.served[r.PathValue("file")]
	if !ok || r.PathValue("version") != a.version {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", contentType(r.PathValue("file")))
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	// A failed write means that the browser has gone; nobody is left to tell.
	_, _ = w.Write(body)
}

func contentType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return mime.TypeByExtension(ext)
	}
}
