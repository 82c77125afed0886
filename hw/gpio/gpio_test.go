package gpio

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"
)

// What the pins do with a kernel behind them is tested in the guest, by the
// cases of hw/board/boardtest.

func TestChipIsFoundByLabel(t *testing.T) {
	list := []chip{
		{"/dev/gpiochip0", "gpiochip0", "pinctrl", 58}, {"/dev/gpiochip1", "gpiochip1", "twin", 8}, {"/dev/gpiochip2", "gpiochip2", "twin", 8},
	}
	got, err := find(LineID{"pinctrl", 57}, list, errors.New("another chip is broken"))
	if err != nil || got.Path != "/dev/gpiochip0" {
		t.Errorf("got %v, %v", got, err)
	}
	for _, c := range []struct {
		name, want string
		id         LineID
		list       []chip
		listErr    error
		is         error
	}{
		{"unknown label", "pinctrl (gpiochip0, 58 lines), twin (gpiochip1, 8 lines)", LineID{"nope", 0}, list, nil, unix.ENODEV},
		{"no chip at all", "no GPIO chip", LineID{"nope", 0}, nil, nil, unix.ENODEV},
		{"not all chips could be asked", "not all could be asked", LineID{"nope", 0}, list, os.ErrPermission, os.ErrPermission},
		{"two chips of one label", "not unique", LineID{"twin", 0}, list, nil, nil},
		{"offset too high", "lines 0 to 57", LineID{"pinctrl", 58}, list, nil, nil},
		{"offset negative", "lines 0 to 57", LineID{"pinctrl", -1}, list, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := find(c.id, c.list, c.listErr)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want words on %q", err, c.want)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v is not %v", err, c.is)
			}
		})
	}
}

func TestChipsAreListedOnceAndInOrder(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"gpiochip10", "gpiochip2", "gpiochip0", "gpiochip9", "gpiomem"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Raspberry Pi OS links gpiochip4 to the chip that is gpiochip0 elsewhere.
	if err := os.Symlink("gpiochip0", filepath.Join(dir, "gpiochip4")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	list, err := listChips(dir, func(path string) (chip, error) {
		if filepath.Base(path) == "gpiochip9" {
			return chip{}, broken
		}
		return chip{Path: path, Name: filepath.Base(path)}, nil
	})
	if !errors.Is(err, broken) {
		t.Errorf("the chip that does not answer is passed over in silence: %v", err)
	}
	var names []string
	for _, c := range list {
		names = append(names, c.Name)
	}
	if got := strings.Join(names, " "); got != "gpiochip0 gpiochip2 gpiochip10" {
		t.Errorf("got %s", got)
	}
}

func TestWhatIsNoGPIOChipIsRefused(t *testing.T) {
	if _, err := probe("/dev/null"); err == nil {
		t.Error("/dev/null passes for a GPIO chip")
	}
	if _, err := probe(filepath.Join(t.TempDir(), "gpiochip0")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestMissingChipIsNamed(t *testing.T) {
	id := LineID{"no such label", 1}
	_, in := OpenInput(id, gpio.PullUp, "test")
	_, out := OpenOutput(id, gpio.High, "test")
	for _, err := range []error{in, out} {
		if err == nil || !strings.Contains(err.Error(), `"no such label" not found; this machine has: `) {
			t.Errorf("got %v", err)
		}
	}
}

func TestBiasAndEdgesReachTheKernel(t *testing.T) {
	for pull, flag := range map[gpio.Pull]uapi.LineFlagV2{
		gpio.PullNoChange: 0, gpio.Float: uapi.LineFlagV2BiasDisabled, gpio.PullDown: uapi.LineFlagV2BiasPullDown, gpio.PullUp: uapi.LineFlagV2BiasPullUp,
	} {
		for edge, edges := range map[gpio.Edge]uapi.LineFlagV2{
			gpio.NoEdge: 0, gpio.RisingEdge: uapi.LineFlagV2EdgeRising, gpio.FallingEdge: uapi.LineFlagV2EdgeFalling, gpio.BothEdges: uapi.LineFlagV2EdgeBoth,
		} {
			config, err := inputConfig(pull, edge)
			if want := uapi.LineFlagV2Input | flag | edges; err != nil || config.Flags != want || config.NumAttrs != 0 {
				t.Errorf("%v %v: flags %x, %d attributes, %v; want %x and no debounce", pull, edge, config.Flags, config.NumAttrs, err, want)
			}
		}
	}
	if _, err := inputConfig(gpio.Pull(9), gpio.BothEdges); err == nil {
		t.Error("an unknown bias is taken")
	}
	if _, err := inputConfig(gpio.PullUp, gpio.Edge(9)); err == nil {
		t.Error("an unknown edge is taken")
	}
}

// raw is an event as the kernel lays it out.
func raw(at time.Duration, id uapi.LineEventID, seq uint32) []byte {
	e := uapi.LineEvent{Timestamp: uint64(at), ID: id, Offset: 7, Seqno: 1000 + seq, LineSeqno: seq}
	b, err := binary.Append(nil, binary.NativeEndian, e)
	if err != nil {
		panic(err)
	}
	return b
}

func TestEventsAreReadAsTheKernelLaysThemOut(t *testing.T) {
	if n := unsafe.Sizeof(uapi.LineEvent{}); n != eventSize {
		t.Fatalf("an event has %d bytes", n)
	}
	b := append(raw(5*time.Second, uapi.LineEventRisingEdge, 1), raw(6*time.Second, uapi.LineEventFallingEdge, 4)...)
	b = append(b, raw(7*time.Second, uapi.LineEventRisingEdge, 5)...)
	list, err := parseEvents(nil, b)
	if err != nil || len(list) != 3 {
		t.Fatalf("got %v, %v", list, err)
	}
	var count tally
	for i, want := range []struct {
		level gpio.Level
		lost  uint32
	}{{gpio.High, 0}, {gpio.Low, 2}, {gpio.High, 0}} {
		e := count.edge(list[i])
		if e.Level != want.level || e.Lost != want.lost || e.At != time.Duration(5+i)*time.Second {
			t.Errorf("edge %d: got %+v", i, e)
		}
	}
	// The kernel's count begins again after 2^32 edges.
	count = tally{last: 1<<32 - 1}
	if e := count.edge(event{seq: 0}); e.Lost != 0 {
		t.Errorf("%d edges lost at the turn of the count", e.Lost)
	}
	for name, bad := range map[string][]byte{"half an event": b[:eventSize+1], "unknown kind": raw(1, 3, 1), "no kind": raw(1, 0, 1)} {
		if _, err := parseEvents(nil, bad); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func FuzzParseEvents(f *testing.F) {
	f.Add(raw(time.Second, uapi.LineEventRisingEdge, 1))
	f.Add(raw(time.Second, uapi.LineEventFallingEdge, 1<<31))
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parseEvents(nil, b)
		if err == nil && len(list)*eventSize != len(b) {
			t.Errorf("%d events out of %d bytes", len(list), len(b))
		}
	})
}
