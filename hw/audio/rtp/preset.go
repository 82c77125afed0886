package rtp

// Preset names the convention of a maker of IP loudspeakers.
type Preset string

// Presets.
const (
	// Generic is any receiver of G.711 in RTP.
	Generic Preset = ""
	// Algo listens on 224.0.2.60, one port a zone from 50000 on.
	Algo Preset = "algo"
	// CyberData listens on even ports, ten groups of rising priority.
	CyberData Preset = "cyberdata"
	// Snom phones and PA1 adapters listen on up to ten groups.
	Snom Preset = "snom"
	// Yealink phones listen on 10 to 31 groups, the first of highest priority.
	Yealink Preset = "yealink"
)
