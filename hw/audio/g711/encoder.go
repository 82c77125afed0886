package g711

import "math"

// taps is the length of the low-pass filter: flat to 3.3 kHz, and 60 dB down
// from 4.4 kHz on, so that what folds back lies above the telephone's band.
const taps = 97

// Encoder turns a stream of samples at 24 kHz into bytes at 8 kHz, three into
// one. It remembers the end of what it was given, so that the seams between
// calls are not heard. One goroutine uses it.
type Encoder struct {
	law    Law
	filter [taps]float32
	// past is the last samples, the newest at the end; it holds taps-1 of them
	// and those that have not made up a step.
	past []float32
	// used says that something was encoded since the last Reset.
	used bool
}

// NewEncoder returns an encoder in silence.
func NewEncoder(law Law) *Encoder {
	e := &Encoder{law: law}
	const cutoff, beta = 3850.0 / 24000, 5.65 // beta: 60 dB
	var sum float64
	var f [taps]float64
	for i := range f {
		x := float64(i - taps/2)
		f[i] = 2 * cutoff
		if x != 0 {
			f[i] = math.Sin(2*math.Pi*cutoff*x) / (math.Pi * x)
		}
		r := x / (taps / 2)
		f[i] *= bessel(beta*math.Sqrt(max(0, 1-r*r))) / bessel(beta)
		sum += f[i]
	}
	for i := range f {
		e.filter[i] = float32(f[i] / sum)
	}
	e.Reset()
	return e
}

// bessel is the modified Bessel function of order zero, of which Kaiser's window is made.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= (x / (2 * k)) * (x / (2 * k))
		sum += term
	}
	return sum
}

// Reset forgets what came before.
func (e *Encoder) Reset() {
	e.past = append(e.past[:0], make([]float32, taps-1)...)
	e.used = false
}

// Encode appends the bytes of samples to dst. Up to two samples wait for the
// next call; what comes out is 2 ms behind what goes in.
func (e *Encoder) Encode(dst []byte, samples []int16) []byte {
	e.used = e.used || len(samples) > 0
	for _, s := range samples {
		e.past = append(e.past, float32(s))
	}
	from := 0
	for ; from+taps-1+Step <= len(e.past); from += Step {
		var sum float32
		for i, s := range e.past[from : from+taps] {
			sum += e.filter[i] * s
		}
		sum = max(-32768, min(32767, sum))
		dst = append(dst, e.law.Encode(int16(math.RoundToEven(float64(sum)))))
	}
	e.past = append(e.past[:0], e.past[from:]...)
	return dst
}

// Finish appends what is still in the filter to dst, which is nothing after a
// Reset, and resets the encoder.
func (e *Encoder) Finish(dst []byte) []byte {
	if !e.used {
		return dst
	}
	dst = e.Encode(dst, make([]int16, taps/2+Step-1))
	e.Reset()
	return dst
}
