package audiotest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"nabat/hw/audio"
)

// WriteWAV writes samples as a WAV file, for programs that play files.
func WriteWAV(path string, samples []int16) error {
	var b bytes.Buffer
	size := uint32(2 * len(samples))
	b.WriteString("RIFF")
	le := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&b, binary.LittleEndian, v) // a buffer takes all
		}
	}
	le(36 + size)
	b.WriteString("WAVEfmt ")
	le(uint32(16), uint16(1), uint16(1), uint32(audio.Rate), uint32(2*audio.Rate), uint16(2), uint16(16))
	b.WriteString("data")
	le(size, samples)
	return os.WriteFile(path, b.Bytes(), 0o600)
}

// Paplay plays a file with the program that everybody has, as it comes: the
// floor that a start is held against. It returns when the program has ended.
func (s *Server) Paplay(ctx context.Context, sink, file string) error {
	cmd := exec.CommandContext(ctx, "paplay", "--device="+sink, file)
	cmd.Env = s.Env()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("paplay %s: %w: %s", file, err, bytes.TrimSpace(out))
	}
	return nil
}
