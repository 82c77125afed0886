package config

import (
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/timetable"
)

// SpeakerType says which driver an output has.
type SpeakerType string

// Types of loudspeaker outputs.
const (
	// SpeakerALSA is a sound card of this machine, through aplay.
	SpeakerALSA SpeakerType = "alsa"
	// SpeakerPulse is a PulseAudio or PipeWire server.
	SpeakerPulse SpeakerType = "pulse"
	// SpeakerRTP is a multicast group of IP loudspeakers.
	SpeakerRTP SpeakerType = "rtp"
	// SpeakerSIP is a paging adapter or telephone that is called.
	SpeakerSIP SpeakerType = "sip"
)

// Speaker is one output for sound.
type Speaker struct {
	ID string
	// Zones are the ids of the zones that hear it, each written out; none where
	// the installer wants it silent for a while.
	Zones []string
	Type  SpeakerType
	// Device is the ALSA device ("default", "plughw:1,0") or the name of the
	// sink at a sound server; empty means the default one.
	Device string
	// Server is the address of a sound server; empty means the user's own.
	Server string
	RTP    RTP
	SIP    SIP
	// Amplifier is the id of the relay that is keyed while it sounds, or empty.
	Amplifier string
	// Gain makes bells and notices quieter, EmergencyGain emergencies, in
	// decibels, -40 to 0.
	Gain, EmergencyGain float64
}

// RTP is about a multicast group.
type RTP struct {
	// Group is host:port, with an IPv4 address; the preset "algo" takes an empty
	// one, which means its first zone.
	Group string
	// Preset names the convention of a maker: "algo", "cyberdata", "snom",
	// "yealink", or empty.
	Preset string
	// Emergency is the group that emergencies go to, where the maker's devices
	// let one group pass over another; empty means Group.
	Emergency string
	// Interface is the name of the network interface; empty lets the kernel choose.
	Interface string
	// TTL is how many routers a packet may pass, and one more, 1 to 255.
	TTL int
	// DSCP marks packets for switches, 1 to 63; -1 leaves them unmarked.
	DSCP int
}

// SIP is about a device that is called.
type SIP struct {
	// URI is whom to call, as "sip:500@10.0.0.9".
	URI string
	// From is how the gateway names itself, as "sip:nabat@10.0.0.2", or empty.
	From string
	// Username and PasswordFile answer a challenge; both are set or neither.
	Username     string
	PasswordFile string
	// Transport is "udp", "tcp" or "tls".
	Transport string
	// Interface is the name of the network interface; empty lets the kernel choose.
	Interface string
}

// Amplifier is a relay that switches an amplifier on.
type Amplifier struct {
	ID        string
	Line      Line
	ActiveLow bool
	// Lead is how long it is keyed before the first sample, Tail after the last.
	Lead, Tail time.Duration
}

// Announcements is about what the loudspeakers say.
type Announcements struct {
	// Voices name espeak-ng's voice by language, where the usual one is not wanted.
	Voices map[alert.Language]string
	// Cache is the absolute path of the directory of rendered clips; empty
	// means "clips" in the data directory.
	Cache string
	// Synthesiser is the program that renders speech; empty means espeak-ng.
	Synthesiser string
	// Timetable is when bells and informing spots are due.
	Timetable timetable.Table
	// Calendar is the path of an iCalendar file that feeds the timetable, read
	// again when it changes; empty means none.
	Calendar string
}

// Lobby is about what lobby screens show while nothing is wrong.
type Lobby struct {
	// Slides is the absolute path of a directory of Markdown files and images;
	// empty means none.
	Slides string
	// SlideFor is how long one slide stands.
	SlideFor time.Duration
}

// DisplayType says which driver a hallway display has.
type DisplayType string

// Types of hallway displays.
const (
	DisplaySSD1306     DisplayType = "ssd1306"     // a small OLED on I2C
	DisplayMAX7219     DisplayType = "max7219"     // a chain of 8x8 matrices on SPI
	DisplayHD44780     DisplayType = "hd44780"     // a character LCD behind a PCF8574 on I2C
	DisplayEPaper      DisplayType = "epaper"      // a Waveshare 2.13 inch panel on SPI
	DisplayFramebuffer DisplayType = "framebuffer" // any screen that the kernel draws on
)

// Display is one hallway display.
type Display struct {
	ID   string
	Type DisplayType
	// Zones are those whose alerts it shows; none means all.
	Zones     []string
	Languages []alert.Language
	// Bus is the I2C bus, SPI port or framebuffer device, as "/dev/i2c-1".
	Bus string
	// Address is the I2C address; 0 for a display on another bus.
	Address int
	// Width and Height are pixels, or cells of a character display. Both are 0
	// for a framebuffer, which knows its own.
	Width, Height int
	// Direction, when set, is an arrow and a text that evacuations show here:
	// "left", "right", "up", "down".
	Direction string
	// DC, Reset and Busy are lines of an e-paper panel.
	DC, Reset, Busy Line
}
