package output

import (
	"time"

	"nabat/gateway/alert"
)

// MinLevel is the shortest time for which a lamp stays on or off, also when
// alerts come and go faster. Two flashes are thus at least 340 ms apart: never
// more than three in any second, which is W3C's general flash threshold (WCAG
// 2.2, 2.3.1), with no exception for bursts. A lamp still answers a press
// within MinLevel.
const MinLevel = 170 * time.Millisecond

// Rhythm is what a lamp does to say one thing. A child who cannot read tells
// them apart by counting: flicker, one, two, three long ones, steady.
type Rhythm struct {
	// Name is the truth that the rhythm tells (alert.Truth's word), or "dark".
	Name string `json:"name"`
	// Steady rhythms do not blink: the lamp is On or not.
	Steady bool `json:"steady"`
	On     bool `json:"on"`
	// MS holds milliseconds on, off, on, off, …, repeated from the start. Every
	// rhythm begins with on, so that a press is answered at once.
	MS []int `json:"ms,omitempty"`
	// Meaning is what people are told about it.
	Meaning alert.Text `json:"meaning"`
}

// Rhythms is the whole language of a lamp, from dark to accepted: for the
// legend on pages and for the documentation. The more of the time a lamp is
// lit, the further the call for help has come.
func Rhythms() []Rhythm {
	return []Rhythm{
		{Name: "dark", Steady: true, On: false, Meaning: alert.Text{
			EN: "No open call here", RU: "Здесь нет открытых вызовов", KK: "Мұнда ашық шақыру жоқ"}},
		{Name: alert.TruthRaised.String(), MS: []int{170, 170}, Meaning: alert.Text{
			EN: "The press was noticed", RU: "Нажатие замечено", KK: "Басу байқалды"}},
		{Name: alert.TruthSaved.String(), MS: []int{200, 1800}, Meaning: alert.Text{
			EN: "The call is saved and cannot get lost", RU: "Вызов записан и не потеряется", KK: "Шақыру жазылды, жоғалмайды"}},
		{Name: alert.TruthSent.String(), MS: []int{200, 300, 200, 1300}, Meaning: alert.Text{
			EN: "The call has been sent", RU: "Вызов отправлен", KK: "Шақыру жіберілді"}},
		{Name: alert.TruthReceived.String(), MS: []int{500, 250, 500, 250, 500, 1000}, Meaning: alert.Text{
			EN: "Dispatch has received the call", RU: "Диспетчерская получила вызов", KK: "Диспетчерлік шақыруды алды"}},
		{Name: alert.TruthAccepted.String(), Steady: true, On: true, Meaning: alert.Text{
			EN: "A person has taken the call", RU: "Вызов принял человек", KK: "Шақыруды адам қабылдады"}},
	}
}

// Dark is the rhythm of a lamp with nothing to say.
func Dark() Rhythm { return Rhythms()[0] }

// RhythmOf returns the rhythm that tells t. An unknown truth is told as
// raised, which promises least.
func RhythmOf(t alert.Truth) Rhythm {
	all := Rhythms()
	for _, r := range all[1:] {
		if r.Name == t.String() {
			return r
		}
	}
	return all[1]
}

// At returns whether the lamp is on when the rhythm has run for elapsed, and
// for how long it stays so; left is zero for a steady rhythm.
func (r Rhythm) At(elapsed time.Duration) (on bool, left time.Duration) {
	var period time.Duration
	for _, ms := range r.MS {
		period += time.Duration(ms) * time.Millisecond
	}
	if r.Steady || period <= 0 {
		return r.On, 0
	}
	end, phase := time.Duration(0), elapsed%period
	for i, ms := range r.MS {
		end += time.Duration(ms) * time.Millisecond
		if phase < end {
			return i%2 == 0, end - phase
		}
	}
	return r.On, 0 // not reached: phase is less than the sum
}
