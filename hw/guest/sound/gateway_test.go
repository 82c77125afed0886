//go:build inguest

package sound

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/announce/clip"
	"nabat/gateway/control"
	"nabat/gateway/pin"
	"nabat/hw/audio"
	"nabat/hw/audio/audiotest"
	"nabat/hw/guest/gpiosim"
	"nabat/hw/point"
)

//go:embed testdata/nabat.toml
var gatewayConfig string

const (
	dataDir    = "/var/lib/nabat"
	buttonLine = 0
	lampLine   = 1
	relayLine  = 2
	lead       = 300 * time.Millisecond
	tail       = 500 * time.Millisecond
)

// hall is a gateway between a button, an amplifier's relay and a sound card.
type hall struct {
	chip   *gpiosim.Chip
	watch  *watch
	pin    string
	config string
	log    *os.File
	client *control.Client
	chimes map[alert.Chime][]int16

	cmd *exec.Cmd // nil while the gateway is not running
}

func openHall(t *testing.T) *hall {
	t.Helper()
	chip, err := gpiosim.New("wall", 4)
	if err != nil {
		t.Fatal(err)
	}
	if err := chip.Pull(buttonLine, true); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	h := &hall{chip: chip, watch: newWatch(chip, relayLine), config: filepath.Join(dir, "nabat.toml"), pin: pin.New(), chimes: make(map[alert.Chime][]int16),
		client: control.NewClient(filepath.Join(dataDir, control.SocketName))}
	for _, c := range []alert.Chime{alert.ChimeEmergency, alert.ChimeAllClear, alert.ChimeGong} {
		h.chimes[c] = clip.Chime(c)
	}
	hash, err := pin.Hash(h.pin)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.config, []byte(strings.Replace(gatewayConfig, "PIN-HASH", hash, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if h.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if h.cmd != nil {
			h.kill(t)
		}
		if err := h.watch.close(); err != nil {
			t.Error(err)
		}
		if err := chip.Delete(); err != nil {
			t.Error(err)
		}
		h.log.Close()
		if b, err := os.ReadFile(h.log.Name()); t.Failed() {
			t.Logf("the gateway's last words: %s %v", b[max(0, len(b)-8000):], err)
		}
	})
	return h
}

// start runs the gateway and waits until it hears its button.
func (h *hall) start(t *testing.T) {
	t.Helper()
	h.cmd = exec.Command("nabat", "run", "--config", h.config)
	h.cmd.Stdout, h.cmd.Stderr = h.log, h.log
	if err := h.cmd.Start(); err != nil {
		h.cmd = nil
		t.Fatal(err)
	}
	h.until(t, "the gateway to be ready", func(s control.Status) bool {
		for _, p := range s.Points {
			if p.ID == "button" && p.Armed && p.Fault == "" {
				return true
			}
		}
		return false
	})
}

// kill is kill -9.
func (h *hall) kill(t *testing.T) {
	t.Helper()
	if err := h.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = h.cmd.Wait() // it was killed
	h.cmd = nil
}

// killedWhileKeyed kills the gateway in the middle of a sound: the kernel drops
// the relay, and what plays ends with it.
func (h *hall) killedWhileKeyed(t *testing.T) {
	t.Helper()
	if high, err := h.chip.Value(relayLine); err != nil || !high || !playing() {
		t.Errorf("before the kill: keyed %v, playing %v; %v", high, playing(), err)
	}
	h.kill(t)
	if high, err := h.chip.Value(relayLine); err != nil || high {
		t.Errorf("the relay is keyed after kill -9: %v; %v", high, err)
	}
	await(t, "the sound to end", func() bool { return !playing() })
}

// until waits until the status is as it should be.
func (h *hall) until(t *testing.T, what string, ok func(control.Status) bool) {
	t.Helper()
	var s control.Status
	var err error
	defer func() {
		if t.Failed() {
			t.Logf("the status at last: %+v; %v", s, err)
		}
	}()
	await(t, what, func() bool {
		s, err = h.client.Status(t.Context())
		return err == nil && ok(s)
	})
}

// condition says whether a condition of that name holds, and its words.
func condition(s control.Status, name string) (string, bool) {
	for _, c := range s.Conditions {
		if c.Name == name {
			return c.Detail, true
		}
	}
	return "", false
}

// lit says whether the lamp of the place is lit at this moment; it may blink.
func (h *hall) lit() bool {
	high, err := h.chip.Value(lampLine)
	return err == nil && high
}

func (h *hall) press(t *testing.T) {
	t.Helper()
	if err := h.chip.Pull(buttonLine, false); err != nil {
		t.Fatal(err)
	}
	h.until(t, "the alarm", func(s control.Status) bool { return len(s.Alerts) == 1 })
	if err := h.chip.Pull(buttonLine, true); err != nil {
		t.Fatal(err)
	}
}

func (h *hall) notice(t *testing.T) {
	t.Helper()
	out, err := exec.Command("nabat", "announce", "--data", dataDir, "--for", "10m", "--en", "A test of the loudspeakers").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// clear ends the open alert as a person at the console does.
func (h *hall) clear(t *testing.T) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar}
	defer c.CloseIdleConnections()
	const base = "http://127.0.0.1:8080"
	do := func(method, path, kind, body string) []byte {
		t.Helper()
		req, err := http.NewRequestWithContext(within(t), method, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", kind)
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %s, %v: %s", method, path, resp.Status, err, b)
		}
		return b
	}
	do(http.MethodPost, "/console/login", "application/x-www-form-urlencoded", url.Values{"pin": {h.pin}, "role": {"duty"}, "lang": {"en"}}.Encode())
	var state struct {
		State struct {
			Alerts []struct {
				ID     string
				Number uint64
			}
		}
	}
	b := do(http.MethodGet, "/api/v1/state?audience=console", "application/json", "")
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(&state); err != nil || len(state.State.Alerts) != 1 {
		t.Fatalf("%v in %s", err, b)
	}
	a := state.State.Alerts[0]
	do(http.MethodPost, "/api/v1/alerts/"+a.ID+"/clear", "application/json", fmt.Sprintf(`{"number":%d,"outcome":%q}`, a.Number, alert.Resolved))
}

// hears waits until a chime has been heard whole so many times.
func (h *hall) hears(t *testing.T, heard *audiotest.Recording, c alert.Chime, times int) {
	t.Helper()
	chime := h.chimes[c]
	next, searched := len(chime), 0
	err := heard.Wait(within(t), func(samples []int16) bool {
		if len(samples) < next {
			return false
		}
		next = len(samples) + audio.Rate/4 // to look is work
		first, n := whole(samples[searched:], chime)
		if times -= n; n > 0 {
			searched += first + n*len(chime)
		} else {
			searched = len(samples) - len(chime) + 1
		}
		return times <= 0
	})
	if err != nil {
		t.Fatalf("the chime %s was not heard %d times more: %v", c, times, err)
	}
}

// rests waits until the relay is released, and fails if it did not frame what
// was heard.
func (h *hall) rests(t *testing.T) {
	t.Helper()
	await(t, "the relay to be released", func() bool { return !h.watch.keyed() })
	sounds, err := framed(h.watch.forget(), lead, tail)
	if err != nil || sounds == 0 {
		t.Errorf("%d sounds: %v", sounds, err)
	}
}

// nothing fails if anything is said within a time.
func (h *hall) nothing(t *testing.T, heard *audiotest.Recording, length time.Duration) {
	t.Helper()
	h.watch.forget()
	if !silent(more(t, heard, length)) {
		t.Error("something is said, although nothing is due")
	}
	silentAndReleased(t, h.watch.forget())
}

// TestAGatewayWithALoudspeaker plays a day of the real gateway: the scenes come
// one after the other, and each begins where the one before has ended.
func TestAGatewayWithALoudspeaker(t *testing.T) {
	h := openHall(t)
	for _, scene := range []struct {
		name string
		play func(*testing.T, *hall, *audiotest.Recording)
	}{
		{"nothing is due", nothingIsDue},
		{"an alarm is heard until it is cleared", alarm},
		{"an alarm interrupts a notice", interruption},
		{"killed in the middle of a notice", killedInANotice},
		{"killed in the middle of an alarm", killedInAnAlarm},
		{"a card that goes and comes back", cardGoes},
		{"killed in the middle of an all-clear", killedInAnAllClear},
		{"an orderly end", orderlyEnd},
	} {
		if !t.Run(scene.name, func(t *testing.T) { scene.play(t, h, listen(t, audio.Rate, 1)) }) {
			return
		}
	}
}

func nothingIsDue(t *testing.T, h *hall, heard *audiotest.Recording) {
	h.start(t)
	h.until(t, "the condition of a missing synthesiser", func(s control.Status) bool {
		_, ok := condition(s, "voice-missing")
		return ok
	})
	h.nothing(t, heard, 5*time.Second) // it looks at the loudspeaker every two
	h.until(t, "a loudspeaker without a condition", func(s control.Status) bool {
		for _, c := range s.Conditions {
			if strings.HasPrefix(c.Name, "speaker") {
				return false
			}
		}
		return true
	})
}

func alarm(t *testing.T, h *hall, heard *audiotest.Recording) {
	h.watch.forget()
	h.press(t)
	h.hears(t, heard, alert.ChimeEmergency, 2) // without a voice the chime alone is heard, again and again
	h.until(t, "a condition for each language that is left out", func(s control.Status) bool {
		for _, l := range []string{"ru", "kk", "en"} {
			if _, ok := condition(s, "unspoken:"+l); !ok {
				return false
			}
		}
		return true
	})
	await(t, "the lamp", h.lit)
	h.clear(t)
	h.hears(t, heard, alert.ChimeAllClear, 1)
	h.rests(t)
}

func interruption(t *testing.T, h *hall, heard *audiotest.Recording) {
	h.notice(t)
	sounding(t, heard, 700*time.Millisecond)
	h.press(t)
	h.hears(t, heard, alert.ChimeEmergency, 1)
	samples, gong := heard.Samples(), h.chimes[alert.ChimeGong]
	from, begun := whole(samples, gong[:audiotest.Count(500*time.Millisecond)])
	at, _ := whole(samples, h.chimes[alert.ChimeEmergency])
	if _, times := whole(samples, gong); begun != 1 || times != 0 || at < from {
		t.Fatalf("a gong was begun %d times before the alarm and heard whole %d times, want once and never", begun, times)
	}
	said := 0
	for said < len(gong) && samples[from+said] == gong[said] {
		said++
	}
	t.Logf("the gong is cut after %d ms, and %d ms later the alarm sounds", ms(said), ms(at-from-said))
	if !silent(samples[from+said : at]) {
		t.Error("between the gong and the alarm something is heard")
	}
	heard.Forget()
	h.clear(t)
	h.hears(t, heard, alert.ChimeAllClear, 1)
	h.hears(t, heard, alert.ChimeGong, 1) // the notice stands, and begins anew
	h.rests(t)
}

func killedInANotice(t *testing.T, h *hall, heard *audiotest.Recording) {
	h.notice(t)
	sounding(t, heard, 500*time.Millisecond)
	h.killedWhileKeyed(t)
	heard.Forget()
	h.watch.forget()
	h.start(t)
	h.nothing(t, heard, 6*time.Second) // a notice waits five for its words
	if !silent(heard.Samples()) {
		t.Error("something was said at the start")
	}
}

func killedInAnAlarm(t *testing.T, h *hall, heard *audiotest.Recording) {
	h.press(t)
	sounding(t, heard, 500*time.Millisecond)
	h.killedWhileKeyed(t)
	heard.Forget()
	h.watch.forget()
	killed := point.Monotonic()
	h.start(t)
	sounding(t, heard, 0) // it is open still
	t.Logf("%v after the kill the alarm is heard again (emulated; not a promise)", (point.Monotonic() - killed).Round(10*time.Millisecond))
	h.hears(t, heard, alert.ChimeEmergency, 1)
}

// cardGoes begins in an open alarm.
func cardGoes(t *testing.T, h *hall, heard *audiotest.Recording) {
	sounding(t, heard, 100*time.Millisecond)
	remove(t)
	h.until(t, "the condition of an absent loudspeaker", func(s control.Status) bool {
		detail, ok := condition(s, "speaker-absent:hall")
		return ok && strings.Contains(detail, loudspeaker)
	})
	await(t, "the relay to be released without a card", func() bool { return !h.watch.keyed() })
	h.watch.forget()
	away := point.Monotonic()
	await(t, "the card to be asked for some times more", func() bool { return point.Monotonic()-away > 3*time.Second })
	silentAndReleased(t, h.watch.forget()) // no click with each attempt
	await(t, "the lamp, which no loudspeaker concerns", h.lit)
	insert(t)
	again := listen(t, audio.Rate, 1)
	h.hears(t, again, alert.ChimeEmergency, 1)
	h.until(t, "the end of the condition", func(s control.Status) bool {
		_, ok := condition(s, "speaker-absent:hall")
		return !ok
	})
}

// killedInAnAllClear begins in an open alarm, which is cleared.
func killedInAnAllClear(t *testing.T, h *hall, heard *audiotest.Recording) {
	h.clear(t)
	h.until(t, "the alarm to be over", func(s control.Status) bool { return len(s.Alerts) == 0 })
	chord := h.chimes[alert.ChimeAllClear]
	begin := chord[:audiotest.Count(300*time.Millisecond)]
	err := heard.Wait(within(t), func(samples []int16) bool {
		_, n := whole(samples, begin)
		return n > 0
	})
	if err != nil {
		t.Fatal(err)
	}
	h.killedWhileKeyed(t)
	if _, n := whole(heard.Samples(), chord); n > 0 {
		t.Error("the all-clear was over before the kill")
	}
	heard.Forget()
	h.watch.forget()
	h.start(t)
	h.nothing(t, heard, 3*time.Second)
	if !silent(heard.Samples()) {
		t.Error("something was said at the start")
	}
}

func orderlyEnd(t *testing.T, h *hall, heard *audiotest.Recording) {
	h.press(t)
	sounding(t, heard, 500*time.Millisecond)
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err := h.cmd.Wait()
	h.cmd = nil
	if err != nil {
		t.Errorf("the gateway ended with %v", err)
	}
	if high, err := h.chip.Value(relayLine); err != nil || high || playing() {
		t.Errorf("after the end: keyed %v, playing %v; %v", high, playing(), err)
	}
}
