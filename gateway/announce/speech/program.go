package speech

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
	"unicode"

	"golang.org/x/sys/unix"

	"nabat/gateway/alert"
	"nabat/gateway/announce/clip"
)

const (
	// known is what every voice can say.
	known = "1"
	// speed is in words a minute: slower than in a room, because halls echo.
	speed = "150"
	// maxOutput bounds what a run writes: clip.MaxDuration at 48 kHz.
	maxOutput = 12 << 20
	// maxMemory bounds the address space of a run.
	maxMemory = 256 << 20
	// voiceLetters are those of a voice's name, so that it is no path and no option.
	voiceLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_+"
	// lowest is the priority of a run: the last to get the processor.
	lowest = 19
)

// Errors about the synthesiser.
var (
	errStart   = errors.New("it does not start")
	errOutput  = errors.New("it writes without end")
	errTimeout = errors.New("it does not finish")
	errNothing = errors.New("it gives no sound")
	errVoice   = errors.New("a voice's name has letters, digits, '-', '_' and '+' only")
)

// voice returns the name of a language's voice.
func (l *Library) voice(language alert.Language) string {
	if v := l.o.Voices[language]; v != "" {
		return v
	}
	return string(language)
}

// version returns who would speak: the program, its version, and all else that a
// clip depends on.
func (l *Library) version(ctx context.Context) (string, error) {
	out, err := l.run(ctx, nil, "--version")
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(out), "\n")
	// Where its data lies makes no difference to the sound.
	line, _, _ = strings.Cut(line, " Data at:")
	return fmt.Sprintf("%.100s, %s words a minute, level %s", strings.TrimSpace(line), speed, clip.LevelVersion), nil
}

// speak has a text spoken and makes a clip of it.
func (l *Library) speak(ctx context.Context, language alert.Language, text string) ([]int16, error) {
	voice := l.voice(language)
	if strings.ContainsFunc(voice, func(r rune) bool { return !strings.ContainsRune(voiceLetters, r) }) || strings.HasPrefix(voice, "-") {
		return nil, fmt.Errorf("voice %q: %w", voice, errVoice)
	}
	// The text comes by the standard input, so that none is taken for an option.
	out, err := l.run(ctx, []byte(plain(text)+"\n"), "-b", "1", "-s", speed, "-v", voice, "--stdin", "--stdout")
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: %w", l.o.Program, errNothing)
	}
	samples, err := clip.FromWAV(bytes.NewReader(out))
	if err != nil {
		return nil, fmt.Errorf("what %s writes: %w", l.o.Program, err)
	}
	return samples, nil
}

// plain returns the text without what the synthesiser does not read as text: it
// ends at a zero byte, and "[[" begins its own notation of sounds.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, " "))
	for strings.Contains(text, "[[") {
		text = strings.ReplaceAll(text, "[[", "[ [")
	}
	return text
}

// run runs the program, bounded in time, memory and output, at the lowest
// priority, and returns what it wrote.
func (l *Library) run(ctx context.Context, input []byte, args ...string) ([]byte, error) {
	bounded, cancel := context.WithTimeoutCause(ctx, l.o.Timeout, errTimeout)
	defer cancel()
	bounded, stop := context.WithCancelCause(bounded)
	defer stop(nil)
	cmd := exec.CommandContext(bounded, l.o.Program, args...)
	out, complaint := &bound{room: maxOutput, full: func() { stop(errOutput) }}, &bound{room: 1 << 10, full: func() {}}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), out, complaint
	// espeak-ng calls the sound server at every start, even for its version, and
	// hangs when that hangs. It is told a server that cannot be.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "PULSE_SERVER=unix:/dev/null/none"}
	if data, ok := os.LookupEnv("ESPEAK_DATA_PATH"); ok {
		cmd.Env = append(cmd.Env, "ESPEAK_DATA_PATH="+data)
	}
	// A group of its own, so that what the program starts ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", l.o.Program, errStart, err)
	}
	l.restrain(cmd.Process.Pid)
	err := cmd.Wait()
	if cause := context.Cause(bounded); cause != nil {
		return nil, fmt.Errorf("%s within %v: %w", l.o.Program, l.o.Timeout, cause)
	}
	if err != nil {
		if len(input) > 0 && string(input) != known+"\n" {
			return nil, fmt.Errorf("%s: %w", l.o.Program, err) // its complaint may hold the text
		}
		return nil, fmt.Errorf("%s: %w: %s", l.o.Program, err, strings.TrimSpace(complaint.String()))
	}
	return out.Bytes(), nil
}

// restrain bounds a process that has just begun. Where the system forbids a
// part of it, the bound in time remains.
func (l *Library) restrain(pid int) {
	err := unix.Setpriority(unix.PRIO_PROCESS, pid, lowest)
	for resource, most := range map[int]uint64{
		unix.RLIMIT_AS: maxMemory, unix.RLIMIT_CORE: 0, unix.RLIMIT_CPU: uint64(l.o.Timeout/time.Second) + 1,
	} {
		limit := unix.Rlimit{Cur: most, Max: most}
		err = errors.Join(err, unix.Prlimit(pid, resource, &limit, nil))
	}
	if err != nil && !errors.Is(err, unix.ESRCH) {
		l.o.Log.Debug("the synthesiser runs with fewer bounds", "error", err)
	}
}

// bound is a buffer of a bounded length; what goes beyond is an error.
type bound struct {
	bytes.Buffer
	room int
	full func()
}

// Write takes b if there is room for it.
func (w *bound) Write(b []byte) (int, error) {
	if w.Len()+len(b) > w.room {
		w.full()
		return 0, errOutput
	}
	return w.Buffer.Write(b)
}
