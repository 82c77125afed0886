//go:build guest

package guest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	showTo = flag.String("displays", "", "write the pictures of the displays, enlarged, to this folder")
	remake = flag.Bool("remake", false, "make the pictures that the displays are compared with anew; look at them afterwards")
)

const goldenDir = "displays/testdata"

// displaysProgram builds the tests of the displays, and returns them with the
// pictures that they compare with.
func displaysProgram(t *testing.T) []Entry {
	t.Helper()
	program := filepath.Join(t.TempDir(), "displays")
	if err := (Target{}).BuildTest(t.Context(), program, "./hw/guest/displays", "inguest"); err != nil {
		t.Fatal(err)
	}
	files := []Entry{Program(program, "displays")}
	if *remake {
		return files
	}
	pictures, err := filepath.Glob(filepath.Join(goldenDir, "*.png"))
	if err != nil || len(pictures) == 0 {
		t.Fatalf("no pictures in %s: %v", goldenDir, err)
	}
	for _, p := range pictures {
		files = append(files, Entry{Path: "/golden/" + filepath.Base(p), Source: p})
	}
	return files
}

// TestDisplaysOverTheKernelsBuses runs the drivers of the displays and the job
// that draws on them over the kernel's I2C and SPI, and compares what the
// displays make of the bytes with pictures that a person has looked at.
func TestDisplaysOverTheKernelsBuses(t *testing.T) {
	kit, err := Prepare(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
	defer stop()
	passed := 0
	err = kit.Boot(ctx, Job{
		Modules: []string{"gpio_sim", "i2c_dev", "nabat_bus"},
		Files:   displaysProgram(t),
		Script:  "mount -t debugfs debug /sys/kernel/debug && displays -test.v -test.timeout 9m -test.skip TestScreen",
	}, func(line string) {
		name, picture, ok := strings.Cut(strings.TrimPrefix(line, "PICTURE "), " ")
		if !ok || !strings.HasPrefix(line, "PICTURE ") {
			t.Log(line)
			if strings.HasPrefix(line, "--- PASS: ") {
				passed++
			}
			return
		}
		b, err := base64.StdEncoding.DecodeString(picture)
		if err != nil {
			t.Errorf("picture %s: %v", name, err)
			return
		}
		file := filepath.Join(goldenDir, name+".png")
		if !*remake {
			file = filepath.Join(t.ArtifactDir(), name+".png")
			t.Logf("what is shown in place of %s: %s", name, file)
		}
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Error(err)
	}
	if passed != 6 {
		t.Errorf("%d tests passed in the guest, want 6", passed)
	}
}

// TestPicturesForPeople writes the pictures that the displays are compared with
// as people see the displays, where it is told to.
func TestPicturesForPeople(t *testing.T) {
	dir := *showTo
	if dir == "" {
		dir = t.ArtifactDir()
	}
	pictures, err := filepath.Glob(filepath.Join(goldenDir, "*.png"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range pictures {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		save(t, filepath.Join(dir, filepath.Base(file)), shown(filepath.Base(file), img))
	}
}

func save(t *testing.T, file string, img image.Image) {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// shown enlarges a picture: lights stand apart, a character display is green,
// an OLED bluish, and a screen stays as it is.
func shown(name string, img image.Image) image.Image {
	if strings.HasPrefix(name, "screen") {
		return img
	}
	on, off, scale, dot := color.RGBA{0xEE, 0xF6, 0xFF, 0xFF}, color.RGBA{0x08, 0x0A, 0x10, 0xFF}, 3, 3
	switch {
	case strings.HasPrefix(name, "matrix"):
		on, off, scale, dot = color.RGBA{0xFF, 0x30, 0x20, 0xFF}, color.RGBA{0x18, 0x08, 0x08, 0xFF}, 6, 4
	case strings.HasPrefix(name, "lcd"):
		on, off, scale, dot = color.RGBA{0x10, 0x20, 0x08, 0xFF}, color.RGBA{0x9A, 0xC0, 0x30, 0xFF}, 4, 4
	case strings.HasPrefix(name, "paper"):
		on, off = color.RGBA{0xE8, 0xE8, 0xE0, 0xFF}, color.RGBA{0x20, 0x20, 0x20, 0xFF}
	}
	size := img.Bounds().Size().Mul(scale)
	big := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(big, big.Bounds(), image.NewUniform(off), image.Point{}, draw.Src)
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			if r, _, _, _ := img.At(x, y).RGBA(); r >= 0x8000 {
				draw.Draw(big, image.Rect(x*scale, y*scale, x*scale+dot, y*scale+dot), image.NewUniform(on), image.Point{}, draw.Src)
			}
		}
	}
	return big
}

// TestScreenOfTheMachine looks at what the machine sends to its monitor while
// the framebuffer's driver draws on it.
func TestScreenOfTheMachine(t *testing.T) {
	kit, err := Prepare(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	monitor, dump := filepath.Join(dir, "qmp"), filepath.Join(dir, "screen.ppm")
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	defer stop()
	golden := filepath.Join(goldenDir, "screen-emergency-kk.png")
	var want, got image.Image
	if !*remake {
		b, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if want, err = png.Decode(bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
	}
	var failed error
	err = kit.Boot(ctx, Job{
		Modules: []string{"bochs"},
		Files:   displaysProgram(t),
		// The kernel's own cursor would blink through.
		Script: "printf '\\033[?25l' > /dev/tty0; echo 0 > /sys/class/graphics/fbcon/cursor_blink; displays -test.v -test.timeout 4m -test.run TestScreen",
		QEMU:   []string{"-device", "VGA,edid=on,xres=800,yres=480", "-qmp", "unix:" + monitor + ",server=on,wait=off"},
	}, func(line string) {
		t.Log(line)
		if !strings.HasPrefix(line, "SCREEN READY") {
			return
		}
		got, failed = look(ctx, monitor, dump, want)
		stop() // power off: that was all
	})
	if failed != nil || got == nil {
		t.Fatalf("no picture of the screen: %v; %v", failed, err)
	}
	if *remake {
		save(t, golden, got)
	} else if d := different(got, want); d != 0 {
		file := filepath.Join(t.ArtifactDir(), "screen.png")
		save(t, file, got)
		t.Errorf("%d pixels differ from %s; see %s", d, golden, file)
	}
}

// look looks at the screen until it shows what is wanted, and at last however
// it looks then.
func look(ctx context.Context, monitor, file string, want image.Image) (got image.Image, err error) {
	for range 20 {
		if got, err = screendump(ctx, monitor, file); err != nil {
			return nil, err
		}
		if want != nil && different(got, want) == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return got, ctx.Err()
		case <-time.After(time.Second):
		}
	}
	return got, nil
}

func different(a, b image.Image) (n int) {
	if a.Bounds() != b.Bounds() {
		return a.Bounds().Dx() * a.Bounds().Dy()
	}
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			if color.RGBAModel.Convert(a.At(x, y)) != color.RGBAModel.Convert(b.At(x, y)) {
				n++
			}
		}
	}
	return n
}

// screendump asks QEMU for what its display adapter sends to the monitor.
func screendump(ctx context.Context, monitor, file string) (image.Image, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", monitor)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, err
	}
	answers := json.NewDecoder(conn)
	ask := func(command string) error {
		if _, err := fmt.Fprintln(conn, command); err != nil {
			return err
		}
		for {
			var a struct {
				Return, Error json.RawMessage
			}
			if err := answers.Decode(&a); err != nil {
				return err
			}
			if a.Error != nil {
				return fmt.Errorf("QEMU refuses %s: %s", command, a.Error)
			}
			if a.Return != nil {
				return nil
			}
		}
	}
	if err := errors.Join(ask(`{"execute":"qmp_capabilities"}`), ask(fmt.Sprintf(`{"execute":"screendump","arguments":{"filename":%q}}`, file))); err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return portablePixmap(bufio.NewReader(f))
}

// portablePixmap reads the form in which QEMU writes pictures.
func portablePixmap(r *bufio.Reader) (image.Image, error) {
	var width, height, most int
	if _, err := fmt.Fscanf(r, "P6\n%d %d\n%d\n", &width, &height, &most); err != nil || most != 255 || width > 4096 || height > 4096 {
		return nil, fmt.Errorf("picture of %dx%d: %w", width, height, err)
	}
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := 0; i < len(img.Pix); i += 4 {
		for c := range 3 {
			b, err := r.ReadByte()
			if err != nil {
				return nil, err
			}
			img.Pix[i+c] = b
		}
		img.Pix[i+3] = 0xFF
	}
	return img, nil
}
