package glyph

import (
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var imgs = flag.String("displays", "", "also write the rendered displays to this folder")

const alphabets = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" +
	"АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдеёжзийклмнопрстуфхцчшщъыьэюя" +
	"ӘҒҚҢӨҰҮҺІәғқңөұүһі" + "0123456789" + ".,:;!?()-–—+=/%&'\"«»№…·←→↑↓≈"

func load(t testing.TB) *Font {
	f, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestEveryLetterOfTheThreeLanguagesIsThere(t *testing.T) {
	f := load(t)
	for _, r := range alphabets {
		g, ok := f.Of(r)
		if !ok || g == (Glyph{}) {
			t.Errorf("letter %q (U+%04X) has no picture", r, r)
		}
	}
	if _, ok := f.Of('漢'); ok {
		t.Error("a letter that nobody drew is there")
	}
}

// Letters of one alphabet that look the same could not be read.
func TestLettersOfOneAlphabetDiffer(t *testing.T) {
	f := load(t)
	for _, set := range []string{
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
		"АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдеёжзийклмнопрстуфхцчшщъыьэюяӘҒҚҢӨҰҮҺІәғқңөұүһі0123456789",
	} {
		seen := make(map[Glyph]rune)
		for _, r := range set {
			g, _ := f.Of(r)
			if other, ok := seen[g]; ok {
				t.Errorf("%q looks like %q", r, other)
			}
			seen[g] = r
		}
	}
}

func TestBadFontsAreRefused(t *testing.T) {
	rows := strings.Repeat("#####\n", Height)
	for name, text := range map[string]string{
		"too few rows":            "A\n#####\n",
		"a picture too many":      "A\n##### #####\n" + rows,
		"a wrong pixel":           "A\n####x\n" + rows,
		"twice":                   "A\n" + rows + "A\n" + rows,
		"two letters in one":      "AB\n" + rows,
		"like one that is absent": "= A B\n",
	} {
		if _, err := parse(text); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestDrawScalesAndMeasures(t *testing.T) {
	f := load(t)
	img := image.NewGray(image.Rect(0, 0, 40, 20))
	f.Draw(img, image.Pt(2, 1), "I", Pitch, 2, color.White)
	for y := range 16 {
		for x := range 10 {
			g, _ := f.Of('I')
			if got, want := img.GrayAt(2+x, 1+y).Y == 255, g.Lit(x/2, y/2); got != want {
				t.Fatalf("pixel %d,%d is %v", x, y, got)
			}
		}
	}
	if got := f.Measure("Сақ", Pitch, 2); got != 34 {
		t.Errorf("three letters are %d wide, want 34", got)
	}
	if f.Measure("", Pitch, 1) != 0 {
		t.Error("nothing has a width")
	}
}

// Sheet draws the whole font; the picture is compared with the one that was
// looked at.
func TestTheFontAsAPicture(t *testing.T) {
	f := load(t)
	letters := f.Letters()
	const columns, scale, cell = 26, 4, 8
	rows := (len(letters) + columns - 1) / columns
	img := image.NewGray(image.Rect(0, 0, columns*cell*scale, rows*(cell+4)*scale))
	draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
	for i, r := range letters {
		at := image.Pt((i%columns*cell+1)*scale, (i/columns*(cell+4)+2)*scale)
		f.Draw(img, at, string(r), Pitch, scale, color.Black)
	}
	for _, dir := range []string{*imgs, t.ArtifactDir()} {
		if dir == "" {
			continue
		}
		out, err := os.Create(filepath.Join(dir, "font.png"))
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(out, img); err != nil {
			t.Error(err)
		}
		if err := out.Close(); err != nil {
			t.Error(err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(source)
	f.Add("A\n#####\n")
	f.Add("= A B")
	f.Fuzz(func(t *testing.T, text string) {
		font, err := parse(text)
		if err == nil && font == nil {
			t.Fatal("neither a font nor an error")
		}
	})
}
