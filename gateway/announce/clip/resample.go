package clip

import "math"

const (
	// crossings is how many zero crossings the sinc has on each side.
	crossings = 40
	// phases is how finely the kernel's table is divided between two zero
	// crossings; between its entries it is linear, 100 dB below the signal.
	phases = 512
	// beta shapes the Kaiser window: images and aliases are 85 dB down.
	beta = 9.0
	// edge is where the filter has fallen to half, as a part of the lower of the
	// two Nyquist frequencies; above that frequency nothing is left.
	edge = 0.93
)

// resampler turns one rate into another by a windowed sinc whose phase is
// counted in whole numbers, so that nothing drifts.
type resampler struct {
	from, to int64
	scale    float64 // zero crossings in one input sample
	half     int64   // input samples on each side of an output sample
	kernel   []float32
	in       []float32
	base     int64 // the number of in[0]
	seen     int64 // input samples so far
	next     int64 // the number of the next output sample
	out      []float32
}

func newResampler(from, to int) *resampler {
	r := &resampler{from: int64(from), to: int64(to)}
	if from == to {
		return r
	}
	r.scale = edge * min(1, float64(to)/float64(from))
	r.half = int64(math.Ceil(crossings / r.scale))
	r.kernel = make([]float32, crossings*phases+2)
	for i := range r.kernel {
		u := float64(i) / phases
		if u >= crossings {
			break
		}
		r.kernel[i] = float32(r.scale * sinc(u) * kaiser(u/crossings))
	}
	r.in = make([]float32, r.half) // silence before the beginning
	r.base = -r.half
	return r
}

// push takes input and appends to out what is known by then.
func (r *resampler) push(x []float32) {
	r.seen += int64(len(x))
	if r.kernel == nil {
		r.out = append(r.out, x...)
		return
	}
	r.in = append(r.in, x...)
	r.run(r.base + int64(len(r.in)))
	// What lies before the reach of the next output sample is not needed again.
	if drop := r.next*r.from/r.to - r.half - r.base; drop > 0 {
		r.in = r.in[:copy(r.in, r.in[drop:])]
		r.base += drop
	}
}

// end returns all of the output.
func (r *resampler) end() []float32 {
	if r.kernel == nil {
		return r.out
	}
	seen := r.seen
	r.push(make([]float32, r.half+2))
	length := (seen*r.to + r.from - 1) / r.from
	return r.out[:min(length, int64(len(r.out)))]
}

// run makes the output samples that need input before the number known only.
func (r *resampler) run(known int64) {
	for {
		at := r.next * r.from
		centre, rest := at/r.to, at%r.to
		if centre+r.half+1 > known {
			return
		}
		// The distance of sample centre+1-half, in table entries.
		step := r.scale * phases
		first := centre - r.half + 1
		u := (float64(r.half-1) + float64(rest)/float64(r.to)) * step
		var sum float32
		for _, x := range r.in[first-r.base : centre+r.half+1-r.base] {
			d := math.Abs(u)
			u -= step
			i := int(d)
			if i > crossings*phases {
				continue
			}
			part := float32(d - float64(i))
			sum += x * (r.kernel[i] + part*(r.kernel[i+1]-r.kernel[i]))
		}
		r.out = append(r.out, sum)
		r.next++
	}
}

func sinc(u float64) float64 {
	if u == 0 {
		return 1
	}
	return math.Sin(math.Pi*u) / (math.Pi * u)
}

// kaiser returns the Kaiser window at a position from 0, its middle, to 1.
func kaiser(u float64) float64 {
	return bessel(beta*math.Sqrt(max(0, 1-u*u))) / bessel(beta)
}

// bessel returns the modified Bessel function of the first kind and order 0.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= (x / 2 / k) * (x / 2 / k)
		sum += term
	}
	return sum
}
