package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"nabat/gateway/alert"
	"nabat/gateway/control"
	"nabat/hw/audio/audiotest"
	"nabat/hw/audio/rtp/rtptest"
)

func TestALoudspeakerThatIsGoneOrHangsSilencesNoOther(t *testing.T) {
	t.Parallel()
	hall, gym := audiotest.Run(t, "pa"), audiotest.Run(t, "pa")
	group, phone := rtptest.Listen(t, "127.0.0.1:0", ""), rtptest.Listen(t, "127.0.0.1:0", "")
	line := freePort(t)
	dir := t.TempDir()
	path, pages := writeConfig(t, dir, []string{"a"}, house+pulseSpeaker("hall", "house", hall)+pulseSpeaker("gym", "house", gym)+
		rtpSpeaker("yard", "yard", group)+fmt.Sprintf(`
[[speaker]]
id = "card"
zones = ["house"]
type = "alsa"
device = "plughw:CARD=none"
[[speaker]]
id = "cable"
zones = ["yard"]
type = "rtp"
[speaker.rtp]
group = "224.0.2.60:50001"
interface = "none0"
[[speaker]]
id = "canteen"
zones = ["yard"]
type = "sip"
[speaker.sip]
uri = "sip:500@127.0.0.1:%d"
from = "sip:nabat@127.0.0.1"
`, line))
	p := start(t, path, dir)
	inHall, inGym, inYard := atSink(t, hall, "pa"), atSink(t, gym, "pa"), atSocket(t, group)
	for _, absent := range []string{"card", "cable", "canteen"} {
		p.waitFor(t, absent+" as a condition with its remedy, before anything is said", func(s control.Status) bool {
			return strings.Contains(troubleOf(s, absent), "cannot be heard")
		})
	}
	p.press(t, "a")
	others := func(why string) {
		t.Helper()
		t.Log(why)
		inHall.forget()
		inYard.forget()
		inHall.untilHeard(alert.ChimeEmergency)
		inYard.untilHeard(alert.ChimeEmergency)
	}
	inGym.untilChime(alert.ChimeEmergency, 1)
	others("three of the six loudspeakers are not there")
	s := p.waitFor(t, "those that cannot be heard are counted", func(s control.Status) bool {
		return len(s.Sounding) == 2 && s.Sounding[0].Silent == 1 && s.Sounding[1].Silent == 2
	})
	if s.Sounding[0].Speakers != 2 || s.Sounding[1].Speakers != 1 {
		t.Errorf("sounding: %+v", s.Sounding)
	}

	works := func(id string) func(control.Status) bool {
		return func(s control.Status) bool { return troubleOf(s, id) == "" }
	}
	if err := gym.Freeze(); err != nil {
		t.Fatal(err)
	}
	p.waitFor(t, "a server that hangs", func(s control.Status) bool { return conditionOf(s, "speaker-hung:gym") != "" })
	others("one hangs")
	if err := gym.Thaw(); err != nil {
		t.Fatal(err)
	}
	p.waitFor(t, "a server that goes on", works("gym"))
	inGym.forget()
	inGym.untilHeard(alert.ChimeEmergency)

	gym.Kill()
	p.waitFor(t, "a server that is gone", func(s control.Status) bool { return conditionOf(s, "speaker-absent:gym") != "" })
	others("one is gone")
	if err := gym.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.waitFor(t, "a server that is back", works("gym"))
	atSink(t, gym, "pa").untilHeard(alert.ChimeEmergency)

	switchOn(t, line, phone.Port())
	atSocket(t, phone).untilChime(alert.ChimeEmergency, 1)
	p.waitFor(t, "a telephone that answers", works("canteen"))
	clearAlert(t, mustLogin(t, pages), "a")
	inHall.untilChime(alert.ChimeAllClear, 1)
	for _, away := range []string{"card", "cable"} {
		if s := p.waitFor(t, "a status", func(control.Status) bool { return true }); conditionOf(s, "speaker-absent:"+away) == "" {
			t.Errorf("nothing is said of %s, which is still away: %+v", away, s.Conditions)
		}
	}
	p.stop(t)
}

// troubleOf is the detail of what is wrong with a loudspeaker, or "".
func troubleOf(s control.Status, id string) string {
	for _, c := range s.Conditions {
		if strings.HasPrefix(c.Name, "speaker-") && strings.HasSuffix(c.Name, ":"+id) {
			return c.Detail
		}
	}
	return ""
}

// clearAlert clears the alert of a button at the console.
func clearAlert(t *testing.T, staff *staffMember, point string) (id string) {
	t.Helper()
	id, number, err := staff.find(t.Context(), point)
	if err != nil {
		t.Fatal(err)
	}
	if err := staff.decide(t.Context(), id, "clear", map[string]any{"number": number, "outcome": alert.Resolved}); err != nil {
		t.Fatal(err)
	}
	return id
}

// freePort returns a port of this machine to which nobody listens, and which
// nobody is given who asks for any port: the test needs it a minute later.
func freePort(t *testing.T) int {
	t.Helper()
	for port := 20000 + os.Getpid()%5000; port < 32768; port++ {
		if c, err := net.ListenPacket("udp4", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			return port
		}
	}
	t.Fatal("no port below 32768 is free")
	return 0
}

// switchOn starts a telephone that answers calls, and wants their sound at
// another port.
func switchOn(t *testing.T, port, sound int) {
	t.Helper()
	cmd := exec.Command("sipp", "-sf", "../../hw/audio/sip/testdata/answers.xml", "-i", "127.0.0.1", "-p", fmt.Sprint(port), "-t", "u1",
		"-aa", "-nostdin", "-timeout", "300s", "-key", "soundport", fmt.Sprint(sound))
	cmd.Env = append(os.Environ(), "TERM=dumb")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("start a telephone (apt install sip-tester): %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the telephone said: %s", said.Bytes()[max(0, said.Len()-2000):])
		}
	})
}
