package desk

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"nabat/gateway/alert"
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
	words   map[alert.Language]dictionary
}

func newAssets() (*assets, error) {
	a := &assets{served: make(map[string][]byte), words: make(map[alert.Language]dictionary)}
	sum := sha256.New()
	var icons strings.Builder
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
		short := strings.TrimPrefix(name, "assets/")
		if path.Ext(name) != ".html" {
			a.served[short] = body
		}
		if icon, ok := strings.CutPrefix(strings.TrimSuffix(short, ".svg"), "icons/"); ok {
			_, inner, _ := bytes.Cut(body, []byte(">"))
			inner, _, _ = bytes.Cut(inner, []byte("</svg>"))
			fmt.Fprintf(&icons, `<symbol id="icon-%s" viewBox="0 0 100 100">%s</symbol>`, icon, inner)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read embedded assets: %w", err)
	}
	for _, l := range alert.Languages() {
		a.words[l] = dictionaryIn(l)
		fmt.Fprintf(sum, "%s %s\n", l, a.words[l].all())
	}
	a.version = hex.EncodeToString(sum.Sum(nil)[:6])
	a.icons = template.HTML(icons.String()) //nolint:gosec // our own embedded files
	if a.pages, err = template.ParseFS(files, "assets/*.html"); err != nil {
		return nil, fmt.Errorf("parse embedded pages: %w", err)
	}
	return a, nil
}

// icon returns the name of a kind's pictogram.
func (a *assets) icon(k alert.Kind) string {
	if _, ok := a.served["icons/"+string(k)+".svg"]; ok && k != "bell" {
		return string(k)
	}
	return "other"
}

func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	body, ok := a.served[name]
	if !ok || r.PathValue("version") != a.version {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	switch path.Ext(name) {
	case ".js":
		h.Set("Content-Type", "text/javascript; charset=utf-8")
	case ".css":
		h.Set("Content-Type", "text/css; charset=utf-8")
	default:
		h.Set("Content-Type", "image/svg+xml")
	}
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	// A failed write means that the browser has gone; nobody is left to tell.
	_, _ = w.Write(body)
}
