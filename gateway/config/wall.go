package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"nabat/gateway/alert"
)

// Contact says how a switch is built.
type Contact string

// Contacts.
const (
	// NormallyOpen closes when it is actuated.
	NormallyOpen Contact = "no"
	// NormallyClosed opens when it is actuated, so that a cut wire is noticed.
	NormallyClosed Contact = "nc"
)

// Bias is the resistor inside the chip that holds an open line at a level.
type Bias string

// Biases.
const (
	BiasPullUp   Bias = "pull-up"
	BiasPullDown Bias = "pull-down"
	// BiasNone switches the resistor off: there is one outside.
	BiasNone Bias = "none"
	// BiasAsIs leaves what the firmware or device tree chose.
	BiasAsIs Bias = "as-is"
)

// Line is one line of a GPIO chip. Chips are named by their label, because
// their numbers differ between kernels.
type Line struct {
	Chip   string
	Offset uint32
}

// Switch is how one contact is wired.
type Switch struct {
	// Line is empty on a simulated board that names none.
	Line    Line
	Contact Contact
	// ActiveLow says that the closed contact reads low: it lies between the
	// line and ground. The point is active when the contact is closed
	// (NormallyOpen) or open (NormallyClosed).
	ActiveLow bool
	Bias      Bias
}

// Input is how a button is wired.
type Input struct {
	// Point is the button's id.
	Point string
	Switch
	// Tamper is the switch that notices when the housing is opened; nil where
	// there is none.
	Tamper *Switch
}

// Output is how a lamp is wired.
type Output struct {
	// Point is the lamp's id.
	Point string
	// Line is empty on a simulated board that names none.
	Line Line
	// ActiveLow says that the lamp is lit while the line is low.
	ActiveLow bool
}

// use is what a line is used for, and where that stands.
type use struct {
	what string
	line int
}

// wall reads buttons and lamps: what must be unique across both lives here.
type wall struct {
	r       *reader
	site    *alert.Site
	board   Board
	chip    string // of lines that name none
	points  map[string]int
	lines   map[Line]use
	inputs  []Input
	outputs []Output
}

func (w *wall) buttons(top *section) {
	const example = `write id = "button-204"`
	list := top.tables("button")
	if !top.has("button") {
		top.report(top.line, "write a [[button]] section", "there is no button, so nobody could call for help")
	}
	for _, s := range list {
		id := w.point(s, "button", example)
		b := alert.Button{ID: id, Place: w.place(s)}
		b.Tap, b.Hold = w.actions(s)
		in := Input{Point: id, Switch: w.contact(s, NormallyOpen, s.title)}
		if t, ok := s.table("tamper"); ok {
			tamper := w.contact(t, NormallyClosed, s.title+"'s tamper switch")
			in.Tamper = &tamper
			t.end()
		}
		s.end()
		w.site.Buttons = append(w.site.Buttons, b)
		w.inputs = append(w.inputs, in)
	}
}

func (w *wall) lamps(top *section) {
	for _, s := range top.tables("lamp") {
		id := w.point(s, "lamp", `write id = "lamp-204"`)
		w.site.Lamps = append(w.site.Lamps, alert.Lamp{ID: id, Place: w.place(s)})
		w.outputs = append(w.outputs, Output{Point: id, Line: w.line(s, s.title), ActiveLow: s.yes("active_low", false)})
		s.end()
	}
}

// point reads the id of a point, unique over the whole wall.
func (w *wall) point(s *section, what, remedy string) string {
	id := s.id("id", remedy)
	if id == "" {
		return ""
	}
	s.title = what + " " + quote(id)
	if first, ok := w.points[id]; ok {
		s.report(s.lineOf("id"), "give each button and lamp an id of its own", "the id is used already in line %d", first)
		return id
	}
	w.points[id] = s.lineOf("id")
	return id
}

func (w *wall) place(s *section) string {
	id, line, ok := s.required("place", `write place = "…", the id of a [[place]]`)
	if !ok {
		return ""
	}
	if _, ok := w.site.Places[id]; !ok {
		s.report(line, instead(id, slices.Sorted(maps.Keys(w.site.Places))), "place = %s is not a place", quote(id))
	}
	return id
}

// contact reads the wiring of a switch.
func (w *wall) contact(s *section, absent Contact, what string) Switch {
	c := Switch{Line: w.line(s, what)}
	c.Contact = Contact(s.choice("contact", string(absent), string(NormallyOpen), string(NormallyClosed)))
	c.ActiveLow = s.yes("active_low", true)
	pull, against := BiasPullUp, BiasPullDown
	if !c.ActiveLow {
		pull, against = against, pull
	}
	c.Bias = Bias(s.choice("bias", string(pull), string(BiasPullUp), string(BiasPullDown), string(BiasNone), string(BiasAsIs)))
	if c.Bias == against {
		s.report(s.lineOf("bias"), fmt.Sprintf(`write bias = %q, or "none" for a resistor outside the chip`, pull),
			"with bias = %q and active_low = %v the open and the closed contact read the same", c.Bias, c.ActiveLow)
	}
	return c
}

// line reads chip and line, and reports a line that is in use already.
func (w *wall) line(s *section, what string) Line {
	chip, _, _ := s.str("chip")
	l := Line{Chip: cmp.Or(chip, w.chip)}
	if !s.has("line") {
		_, _ = s.get("line")
		if w.board == BoardGPIO {
			s.report(s.line, `write line = 17, the offset of the line in its chip ("gpioinfo" lists them)`, "line is missing")
		}
		return Line{}
	}
	const highest = 1<<16 - 1
	offset := s.number("line", -1, 0, highest)
	if offset < 0 {
		return Line{}
	}
	l.Offset = uint32(offset)
	if l.Chip == "" && w.board == BoardGPIO {
		s.report(s.lineOf("line"), `write chip = "pinctrl-bcm2711", the chip's label ("gpiodetect" lists them), here or once at the top of the file`, "chip is missing")
		return Line{}
	}
	if first, ok := w.lines[l]; ok {
		s.report(s.lineOf("line"), "give each button, tamper switch, lamp and amplifier a line of its own",
			"line %d of chip %s is used already by %s in line %d of this file", l.Offset, quote(l.Chip), first.what, first.line)
		return l
	}
	w.lines[l] = use{what: what, line: s.lineOf("line")}
	return l
}
