package clip

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"nabat/hw/audio"
)

// Errors about WAV files; each is wrapped with what was found.
var (
	// ErrWAV: it is not a WAV file that can be read.
	ErrWAV = errors.New("save it as a WAV file, PCM, mono or stereo, 8 to 192 kHz")
	// ErrCut: the file ends before its sound does.
	ErrCut = errors.New("the file is cut short; copy it again")
	// ErrTooLong: it sounds for longer than MaxDuration.
	ErrTooLong = fmt.Errorf("it lasts longer than %v", MaxDuration)
)

const (
	// streamed is the least length that programs write which do not know how much
	// sound will follow; the sound then ends with the stream.
	streamed = 0x7fff0000
	// maxAside bounds what a file may hold besides its sound.
	maxAside = 16 << 20
	// maxPeak bounds samples of floating-point files, where 1 is full scale.
	maxPeak = 16

	formatPCM        = 1
	formatFloat      = 3
	formatExtensible = 0xfffe
)

// format is what a fmt chunk says.
type format struct {
	float    bool
	channels int
	rate     int
	bytes    int // of one sample
}

// ReadWAV reads a WAV file and returns it as one channel at audio.Rate, where 1
// is full scale; nothing is levelled yet. It reads PCM of 8, 16, 24 and 32 bits
// and 32-bit floating point, up to eight channels, 8 to 192 kHz. What it returns
// and what it keeps meanwhile are bounded whatever the input says.
func ReadWAV(r io.Reader) ([]float32, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	var head [12]byte
	if _, err := io.ReadFull(b, head[:]); err != nil {
		return nil, readError(err, "the head")
	}
	if string(head[:4]) != "RIFF" || string(head[8:]) != "WAVE" {
		return nil, fmt.Errorf("it begins with %q: %w", head[:4], ErrWAV)
	}
	var f *format
	for aside := int64(0); ; {
		var chunk [8]byte
		if _, err := io.ReadFull(b, chunk[:]); err != nil {
			return nil, readError(err, "the list of chunks")
		}
		id, size := string(chunk[:4]), int64(binary.LittleEndian.Uint32(chunk[4:]))
		if id == "data" {
			if f == nil {
				return nil, fmt.Errorf("the sound comes before its format: %w", ErrWAV)
			}
			return f.samples(b, size)
		}
		aside += size + size&1
		if aside > maxAside {
			return nil, fmt.Errorf("chunk %q of %d bytes before the sound: %w", id, size, ErrWAV)
		}
		pad := size & 1
		if id == "fmt " {
			if f != nil {
				return nil, fmt.Errorf("it has two formats: %w", ErrWAV)
			}
			var err error
			if f, err = readFormat(b, size); err != nil {
				return nil, err
			}
			size -= min(size, fmtSize)
		}
		if _, err := io.CopyN(io.Discard, b, size+pad); err != nil {
			return nil, readError(err, fmt.Sprintf("chunk %q", id))
		}
	}
}

// fmtSize is how much of a fmt chunk has a meaning here.
const fmtSize = 40

// readFormat reads at most fmtSize bytes of a fmt chunk.
func readFormat(r io.Reader, size int64) (*format, error) {
	var b [fmtSize]byte
	n := min(size, fmtSize)
	if n < 16 {
		return nil, fmt.Errorf("its format has %d bytes, want 16: %w", size, ErrWAV)
	}
	if _, err := io.ReadFull(r, b[:n]); err != nil {
		return nil, readError(err, "the format")
	}
	kind := binary.LittleEndian.Uint16(b[0:])
	channels, rate := int(binary.LittleEndian.Uint16(b[2:])), int64(binary.LittleEndian.Uint32(b[4:]))
	align, bits := int(binary.LittleEndian.Uint16(b[12:])), int(binary.LittleEndian.Uint16(b[14:]))
	if kind == formatExtensible {
		if n < fmtSize {
			return nil, fmt.Errorf("its extensible format has %d bytes, want %d: %w", size, fmtSize, ErrWAV)
		}
		kind = binary.LittleEndian.Uint16(b[24:]) // the first two bytes of the sub-format's GUID
	}
	switch {
	case kind == formatPCM && (bits == 8 || bits == 16 || bits == 24 || bits == 32):
	case kind == formatFloat && bits == 32:
	default:
		return nil, fmt.Errorf("its format is number %d with %d bits: %w", kind, bits, ErrWAV)
	}
	if channels < 1 || channels > 8 {
		return nil, fmt.Errorf("it has %d channels: %w", channels, ErrWAV)
	}
	if rate < 8000 || rate > 192000 {
		return nil, fmt.Errorf("it has %d samples a second: %w", rate, ErrWAV)
	}
	if align != channels*bits/8 {
		return nil, fmt.Errorf("a sample of %d channels and %d bits takes %d bytes: %w", channels, bits, align, ErrWAV)
	}
	return &format{float: kind == formatFloat, channels: channels, rate: int(rate), bytes: bits / 8}, nil
}

// samples reads the sound, size bytes of it or, when it was streamed, all.
func (f *format) samples(r io.Reader, size int64) ([]float32, error) {
	frame := f.channels * f.bytes
	whole := size < streamed
	if whole {
		r = io.LimitReader(r, size)
	}
	rs := newResampler(f.rate, audio.Rate)
	block := make([]byte, 4096*frame)
	mono := make([]float32, 4096)
	for got := int64(0); ; {
		n, err := io.ReadFull(r, block)
		got += int64(n)
		frames := n / frame
		for i := range frames {
			mono[i] = f.mix(block[i*frame:])
		}
		rs.push(mono[:frames])
		if len(rs.out) > MaxSamples {
			return nil, ErrTooLong
		}
		switch {
		case err == nil:
			continue
		case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return nil, fmt.Errorf("read its sound: %w", err)
		case whole && got < size:
			return nil, fmt.Errorf("%d bytes of sound where %d were announced: %w", got, size, ErrCut)
		}
		out := rs.end()
		if len(out) > MaxSamples {
			return nil, ErrTooLong
		}
		return out, nil
	}
}

// mix returns the mean of the channels of the frame that b begins with.
func (f *format) mix(b []byte) float32 {
	var sum float32
	for c := range f.channels {
		s := b[c*f.bytes:]
		switch {
		case f.float:
			v := math.Float32frombits(binary.LittleEndian.Uint32(s))
			if v == v { // not a number is silence
				sum += max(-maxPeak, min(maxPeak, v))
			}
		case f.bytes == 1:
			sum += (float32(s[0]) - 128) / (1 << 7)
		case f.bytes == 2:
			sum += float32(int16(binary.LittleEndian.Uint16(s))) / (1 << 15)
		case f.bytes == 3:
			sum += float32(int32(uint32(s[0])<<8|uint32(s[1])<<16|uint32(s[2])<<24)) / (1 << 31)
		default:
			sum += float32(int32(binary.LittleEndian.Uint32(s))) / (1 << 31)
		}
	}
	return sum / float32(f.channels)
}

func readError(err error, what string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it ends within %s: %w", what, ErrCut)
	}
	return fmt.Errorf("read %s: %w", what, err)
}

// WriteWAV writes a clip as a WAV file: PCM, 16 bits, mono, audio.Rate.
func WriteWAV(w io.Writer, samples []int16) error {
	if len(samples) > MaxSamples {
		return ErrTooLong
	}
	size := 2 * len(samples)
	b := make([]byte, 0, 44+size)
	b = append(b, "RIFF"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(36+size))
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, formatPCM)
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint32(b, audio.Rate)
	b = binary.LittleEndian.AppendUint32(b, 2*audio.Rate)
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, 16)
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	for _, s := range samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("write the clip: %w", err)
	}
	return nil
}
