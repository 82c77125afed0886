package slides

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"nabat/gateway/alert"
	"nabat/gateway/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func pngOf(t testing.TB, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jpegOf(t testing.TB) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 64, 48))
	for i := range img.Pix {
		img.Pix[i] = byte(i * i)
	}
	img.Set(1, 1, color.White)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// webpOf is the smallest lossless picture: one pixel.
func webpOf() []byte {
	return []byte("RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00")
}

func put(t testing.TB, dir, name string, body []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), body, 0o644); err != nil {
		t.Fatal(err)
	}
}

func names(s *Shelf) (list []string) {
	for _, slide := range s.List() {
		for _, f := range slide.Faces {
			list = append(list, slide.Name+":"+string(f.Lang)+":"+f.File)
		}
	}
	return list
}

func conditions(reg *health.Registry) (list []string) {
	for _, c := range reg.List() {
		list = append(list, c.Name)
	}
	slices.Sort(list)
	return list
}

func TestOrderLanguagesAndUsedPictures(t *testing.T) {
	dir, reg := t.TempDir(), &health.Registry{}
	for name, body := range map[string][]byte{
		"100-last.md": []byte("last"), "9-first-kk.md": []byte("бірінші"), "9-first-ru.md": []byte("первый"), "20-map.md": []byte("![map](plan.png)"),
		"plan.png": pngOf(t, 4, 4), "notes.md": []byte("no number"), "30-photo-EN.JPG": jpegOf(t), "31-web.webp": webpOf(),
		".hidden.md": []byte("x"), "~$office.md": []byte("x"), "copy.png.part": []byte("x"), "Thumbs.db": []byte("x"),
	} {
		put(t, dir, name, body)
	}
	s := New(dir, reg)
	s.Look()
	want := []string{"9-first:kk:9-first-kk.md", "9-first:ru:9-first-ru.md", "20-map::20-map.md", "30-photo:en:30-photo-EN.JPG", "31-web::31-web.webp", "100-last::100-last.md", "notes::notes.md"}
	if got := names(s); !slices.Equal(got, want) {
		t.Errorf("slides %q, want %q", got, want)
	}
	s.Look()
	if got := conditions(reg); len(got) != 0 {
		t.Errorf("conditions %q", got)
	}
	f := s.List()[1].Faces[0]
	page, ok := s.Page(f.File, f.Hash, "/slides/")
	if !ok || !strings.HasPrefix(page[0].Nodes[0].Src, "/slides/") || !strings.HasSuffix(page[0].Nodes[0].Src, "/plan.png") {
		t.Errorf("page %+v", page)
	}
	// A new picture is a new page.
	put(t, dir, "plan.png", pngOf(t, 8, 8))
	s.Look()
	if s.List()[1].Faces[0].Hash == f.Hash {
		t.Error("the page kept its hash with another picture in it")
	}
	if _, ok := s.Page(f.File, f.Hash, "/slides/"); ok {
		t.Error("an old page is still served")
	}
}

func TestBrokenAndHalfCopiedFilesAreLeftOutAndSaid(t *testing.T) {
	dir, reg := t.TempDir(), &health.Registry{}
	whole := jpegOf(t)
	huge := pngOf(t, 2, 2)
	copy(huge[16:], []byte{0, 0, 0x40, 0, 0, 0, 0x40, 0}) // 16384 x 16384, with a wrong checksum
	flipped := pngOf(t, 200, 200)
	flipped[len(flipped)/2] ^= 1
	bad := map[string][]byte{
		"13-flipped.png": flipped,
		"1-half.jpg":     whole[:len(whole)/2], "2-half.png": pngOf(t, 300, 300)[:80], "3-empty.md": nil, "4-latin.md": {0xff, 0xfe, 'a'},
		"5-deck.pptx": []byte("PK"), "6-vector.svg": []byte("<svg/>"), "7-long.md": bytes.Repeat([]byte("x"), MaxMarkdown+1), "8-wrong.png": huge,
		"9-half.webp": webpOf()[:20], "10-page.png": []byte("<html>"), "11-big.png": bytes.Repeat([]byte{1}, MaxPicture+1), "12-wide.png": pngOf(t, MaxSide+1, 1),
	}
	for name, body := range bad {
		put(t, dir, name, body)
	}
	put(t, dir, "50-good.md", []byte("# good"))
	s := New(dir, reg)
	s.Look()
	if got := names(s); !slices.Equal(got, []string{"50-good::50-good.md"}) {
		t.Errorf("slides %q", got)
	}
	if got := conditions(reg); len(got) != 0 {
		t.Errorf("a file that may still be being copied is reported: %q", got)
	}
	s.Look()
	if got := conditions(reg); len(got) != len(bad) || !slices.Contains(got, "slide-unreadable:1-half.jpg") {
		t.Errorf("conditions %q", got)
	}
	// The copy is finished, one is repaired, the others are taken away.
	put(t, dir, "1-half.jpg", whole)
	put(t, dir, "3-empty.md", []byte("not any more"))
	for name := range bad {
		if name != "1-half.jpg" && name != "3-empty.md" {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.Look()
	if got := names(s); !slices.Equal(got, []string{"1-half::1-half.jpg", "3-empty::3-empty.md", "50-good::50-good.md"}) {
		t.Errorf("slides %q", got)
	}
	if got := conditions(reg); len(got) != 0 {
		t.Errorf("conditions %q", got)
	}
}

func TestNothingOutsideTheDirectoryIsServed(t *testing.T) {
	outer, reg := t.TempDir(), &health.Registry{}
	dir := filepath.Join(outer, "slides")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	secret := pngOf(t, 7, 7)
	put(t, outer, "secret.png", secret)
	for link, target := range map[string]string{"1-out.png": "../secret.png", "2-abs.png": filepath.Join(outer, "secret.png"), "3-up": ".."} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "4-pipe.md"), 0o644); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "5-page.md", []byte("![a](../secret.png) ![b](/etc/passwd) ![c](http://other.test/x.png) ![d](..%2fsecret.png) ![e](1-out.png)"))
	s := New(dir, reg)
	s.Look() // would wait for ever for somebody to write into the pipe
	s.Look()
	if got := names(s); !slices.Equal(got, []string{"5-page::5-page.md"}) {
		t.Errorf("slides %q", got)
	}
	f := s.List()[0].Faces[0]
	page, _ := s.Page(f.File, f.Hash, "/slides/")
	if b, err := json.Marshal(page); err != nil || bytes.Contains(b, []byte("src")) {
		t.Errorf("page %s %v", b, err)
	}
	for _, name := range []string{"../secret.png", "1-out.png", "2-abs.png", "3-up/secret.png", "..", ""} {
		if _, _, ok := s.Picture(t.Context(), name, hashOf(secret)); ok {
			t.Errorf("%s is served", name)
		}
	}
	// A checked picture that becomes a link to the outside later.
	put(t, dir, "6-photo.png", secret)
	s.Look()
	if _, media, ok := s.Picture(t.Context(), "6-photo.png", hashOf(secret)); !ok || media != "image/png" {
		t.Fatal("the picture is not served")
	}
	if err := os.Remove(filepath.Join(dir, "6-photo.png")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../secret.png", filepath.Join(dir, "6-photo.png")); err != nil {
		t.Fatal(err)
	}
	if _, _, ok := s.Picture(t.Context(), "6-photo.png", hashOf(secret)); ok {
		t.Error("a link that took a picture's place is followed")
	}
}

func TestOnlyWhatWasCheckedIsServed(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "1.png", pngOf(t, 5, 5))
	s := New(dir, nil)
	s.Look()
	f := s.List()[0].Faces[0]
	put(t, dir, "1.png", pngOf(t, 6, 6)[:60])
	if _, _, ok := s.Picture(t.Context(), f.File, f.Hash); ok {
		t.Error("a half copied picture is served")
	}
	for range readers {
		s.seats <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, ok := s.Picture(ctx, f.File, f.Hash); ok {
		t.Error("more pictures in memory than there are seats")
	}
}

func TestNoHTMLAndNoLinkComesThrough(t *testing.T) {
	src := "# A &amp; B &lt;i&gt;\n\n<script>alert(1)</script>\n\ntext <b onclick=x>bold</b> [words](javascript:alert(1)) <https://example.org>\n\n" +
		"1. one\n2. **two** *three* `four`\n\n> quote\n\n---\n\n    code <b>\n\n|a|b|\n|-|-|\n|c|d|\n\nline  \nnext\nsoft\n"
	b, err := json.Marshal(parse([]byte(src)))
	if err != nil {
		t.Fatal(err)
	}
	for _, never := range []string{"script", "onclick", "javascript", "href", `"a"]`} {
		if bytes.Contains(b, []byte(never)) {
			t.Errorf("%q came through: %s", never, b)
		}
	}
	for _, want := range []string{`"x":"A \u0026 B \u003ci\u003e"`, `"t":"ol"`, `"t":"strong"`, `"t":"blockquote"`, `"t":"hr"`, `"t":"th"`, `"t":"td"`, `"t":"br"`, "words", "https://example.org", `code \u003cb\u003e`, "four", "bold"} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("%q is missing: %s", want, b)
		}
	}
}

func TestManyFilesAreBounded(t *testing.T) {
	dir, reg := t.TempDir(), &health.Registry{}
	for i := range MaxFiles + 30 {
		put(t, dir, fmt.Sprintf("%03d.md", i), []byte("x"))
	}
	s := New(dir, reg)
	s.Look()
	s.Look()
	if n := len(s.List()); n != MaxFiles {
		t.Errorf("%d slides", n)
	}
	if got := conditions(reg); !slices.Equal(got, []string{fmt.Sprintf("slide-unreadable:%03d.md", MaxFiles)}) {
		t.Errorf("conditions %q", got)
	}
}

func TestADirectoryThatComesLater(t *testing.T) {
	dir, reg := filepath.Join(t.TempDir(), "slides"), &health.Registry{}
	synctest.Test(t, func(t *testing.T) {
		s := New(dir, reg)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		synctest.Wait()
		if got := conditions(reg); !slices.Equal(got, []string{"slides-absent"}) {
			t.Errorf("conditions %q", got)
		}
		changed := s.Changed()
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Error(err)
		}
		put(t, dir, "1-kk.md", []byte("сәлем"))
		<-changed
		if got := names(s); !slices.Equal(got, []string{"1:kk:1-kk.md"}) || len(conditions(reg)) != 0 {
			t.Errorf("slides %q, conditions %q", got, conditions(reg))
		}
		changed = s.Changed()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
		<-changed
		if len(s.List()) != 0 {
			t.Error("slides of a directory that is gone")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestSplit(t *testing.T) {
	for name, want := range map[string]struct {
		base string
		lang alert.Language
	}{
		"10-a-ru.md": {"10-a", alert.Russian}, "a-KK.png": {"a", alert.Kazakh}, "guru.md": {"guru", ""}, "-ru.md": {"-ru", ""}, "Объявление-en.md": {"Объявление", alert.English},
	} {
		if base, lang := split(name); base != want.base || lang != want.lang {
			t.Errorf("%s: %q %q", name, base, lang)
		}
	}
}

func FuzzPicture(f *testing.F) {
	f.Add(pngOf(f, 3, 3))
	f.Add(jpegOf(f))
	f.Add(webpOf())
	f.Add([]byte("RIFF\xff\xff\xff\xffWEBPVP8X"))
	f.Add([]byte("\xff\xd8\xff\xc0\x00\x02"))
	f.Fuzz(func(t *testing.T, body []byte) {
		media, err := checkPicture(body)
		if (media == "") != (err != nil) {
			t.Errorf("%q, %v", media, err)
		}
	})
}

func FuzzMarkdown(f *testing.F) {
	f.Add([]byte("# a\n\n- b\n\n![c](d.png)\n\n|e|\n|-|\n|f|\n"))
	f.Add([]byte(strings.Repeat("> ", 300) + "deep"))
	f.Add([]byte("<script>x</script>[a](javascript:b)"))
	f.Fuzz(func(t *testing.T, src []byte) {
		var check func(list []Node, depth int)
		check = func(list []Node, depth int) {
			if depth > maxDepth+2 {
				t.Fatalf("nodes %d deep", depth)
			}
			for _, n := range list {
				if n.Tag != "" && !slices.Contains(Tags(), n.Tag) {
					t.Fatalf("tag %q", n.Tag)
				}
				if n.Src != "" && !strings.HasPrefix(n.Src, "/slides/") {
					t.Fatalf("address %q", n.Src)
				}
				check(n.Nodes, depth+1)
			}
		}
		check(resolve(parse(src), "/slides/", map[string]file{"d.png": {name: "d.png", media: "image/png", hash: "0"}}), 0)
	})
}
