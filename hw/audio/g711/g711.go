// Package g711 makes telephone sound of samples: 24 kHz linear to 8 kHz µ-law or
// A-law, behind a low-pass filter.
package g711

// Law is one of the two codings of ITU-T G.711.
type Law int

// The laws, with the numbers that RTP has for them.
const (
	MuLaw Law = 0 // PCMU: America, Japan, and all paging loudspeakers
	ALaw  Law = 8 // PCMA: the rest of the world
)

// Rate is how many bytes, one a sample, a second has.
const Rate = 8000

// Step is how many samples of audio.Rate become one byte.
const Step = 3

// Silence returns the byte that says nothing.
func (l Law) Silence() byte {
	if l == ALaw {
		return alaw(0)
	}
	return mulaw(0)
}

// Encode returns one sample as a byte.
func (l Law) Encode(sample int16) byte {
	if l == ALaw {
		return alaw(sample)
	}
	return mulaw(sample)
}

// Decode returns the sample that a byte stands for.
func (l Law) Decode(b byte) int16 {
	if l == ALaw {
		return fromALaw(b)
	}
	return fromMulaw(b)
}

// bias makes the segments of µ-law powers of two; clip keeps it from overflowing.
const (
	bias = 33
	clip = 8191 - bias
)

// mulaw works on 14 bits, as the recommendation does.
func mulaw(sample int16) byte {
	v, sign := int(sample)/4, byte(0x80)
	if v < 0 {
		v, sign = -v, 0
	}
	v = min(v, clip) + bias
	segment := 0
	for s := v >> 6; s != 0; s >>= 1 {
		segment++
	}
	return ^(byte(segment<<4)|byte(v>>(segment+1))&0x0f)&0x7f | sign
}

func fromMulaw(b byte) int16 {
	b = ^b
	segment, step := int(b>>4)&7, int(b)&0x0f
	v := ((step<<1+bias)<<segment - bias) << 2
	if b&0x80 != 0 {
		return int16(-v)
	}
	return int16(v)
}

// alaw works on 13 bits; every second bit is turned around on the wire.
func alaw(sample int16) byte {
	v, sign := int(sample>>3), byte(0x80)
	if v < 0 {
		v, sign = ^v, 0
	}
	segment := 0
	for s := v >> 5; s != 0; s >>= 1 {
		segment++
	}
	step := v >> 1
	if segment > 1 {
		step = v >> segment
	}
	return (sign | byte(segment<<4) | byte(step)&0x0f) ^ 0x55
}

func fromALaw(b byte) int16 {
	b ^= 0x55
	segment, step := int(b>>4)&7, int(b)&0x0f
	v := step<<1 + 1
	if segment > 0 {
		v = (v + 32) << (segment - 1)
	}
	if b&0x80 == 0 {
		return int16(-v << 3)
	}
	return int16(v << 3)
}
