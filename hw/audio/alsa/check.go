package alsa

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"nabat/hw/audio"
)

// provedFor is how long a device that was opened well is believed to be there.
// Opening it wakes the amplifier of some cards, which is heard as a click.
const provedFor = time.Minute

// kernel is where Linux says which cards there are.
type kernel struct{ proc, dev string }

// Check asks the kernel for the card that the device names, which opens nothing
// and makes no sound; a card that another program holds is as good as a free one.
// A device that names no card is opened, and closed before it is told to play, at
// most once a minute while all is well. Whether the device takes our rate is seen
// by the first Write only.
func (d *Driver) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := d.path(); err != nil {
		return err
	}
	if card, device, ok := cardOf(d.device); ok {
		return d.kernel.check(d.device, card, device)
	}
	if d.device == "default" && d.kernel.check(d.device, "0", -1) == nil {
		return nil
	}
	d.mu.Lock()
	fresh := !d.proved.IsZero() && time.Since(d.proved) < provedFor
	d.mu.Unlock()
	if fresh {
		return nil
	}
	p, err := d.start(ctx)
	if err == nil {
		// Killed, not ended: at the end of its input it would play a period of
		// silence, and that wakes the amplifier.
		p.kill()
	}
	if errors.Is(err, errBusy) {
		err = nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.proved = time.Time{}
	if err == nil {
		d.proved = time.Now()
	}
	return err
}

// cardOf returns the card, by number or id, and the device number (-1 when not
// said) of an ALSA name such as plughw:1,0 or sysdefault:CARD=Headphones.
func cardOf(name string) (card string, device int, ok bool) {
	kind, args, found := strings.Cut(name, ":")
	// Only names that ALSA itself defines with a card; others may mean anything.
	if !found || !regexp.MustCompile(`^(plug)?hw$|^(sys)?default$|^dmix$|^front$|^surround\d\d$|^iec958$|^hdmi$|^usbstream$`).MatchString(kind) {
		return "", 0, false
	}
	device = -1
	for i, arg := range strings.Split(args, ",") {
		key, value, named := strings.Cut(arg, "=")
		if !named {
			key, value = [...]string{"CARD", "DEV", "SUBDEV"}[min(i, 2)], arg
		}
		switch strings.TrimSpace(key) {
		case "CARD":
			card = strings.TrimSpace(value)
		case "DEV":
			// The DEV of hdmi: counts its sockets, not the kernel's devices.
			if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && strings.HasSuffix(kind, "hw") {
				device = n
			}
		}
	}
	// A card is a path below: nothing that could lead elsewhere.
	if card == "" || !regexp.MustCompile(`^[A-Za-z0-9_-]+$`).MatchString(card) {
		return "", 0, false
	}
	return card, device, true
}

// check says whether a card is there, can play, and may be opened by us.
func (k kernel) check(name, card string, device int) error {
	number, err := k.number(card)
	if err != nil {
		return fmt.Errorf("%w: no sound card for %s: plug it in; `aplay -L` lists those that are there: %w", audio.ErrAbsent, name, err)
	}
	pattern := "pcmC" + strconv.Itoa(number) + "D*p"
	if device >= 0 {
		pattern = "pcmC" + strconv.Itoa(number) + "D" + strconv.Itoa(device) + "p"
	}
	nodes, err := filepath.Glob(filepath.Join(k.dev, pattern))
	if err != nil {
		return err
	}
	if len(nodes) == 0 {
		return fmt.Errorf("%w: the sound card of %s has no output %s; `aplay -l` lists those that are there", audio.ErrAbsent, name, pattern)
	}
	var denied error
	for _, node := range nodes {
		if err := unix.Access(node, unix.R_OK|unix.W_OK); err != nil {
			denied = fmt.Errorf("%s, the sound card of %s, is not ours to open: add the gateway's user to the group audio: %w", node, name, err)
			continue
		}
		return nil
	}
	return denied
}

// number is the number of a card that is given by number or id.
func (k kernel) number(card string) (int, error) {
	if n, err := strconv.Atoi(card); err == nil && n >= 0 {
		_, err := os.Stat(filepath.Join(k.proc, "card"+strconv.Itoa(n)))
		return n, err
	}
	target, err := os.Readlink(filepath.Join(k.proc, card)) // an id is a link to cardN
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimPrefix(target, "card"))
	if err != nil {
		return 0, errors.New("the kernel's " + card + " is no card")
	}
	return n, nil
}
