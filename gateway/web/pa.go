package web

import "nabat/gateway/alert"

// paChanged closes at the next change of what the loudspeakers say; nil, which
// never closes, where nothing speaks.
func (s *Server) paChanged() <-chan struct{} {
	if s.opt.PA == nil {
		return nil
	}
	return s.opt.PA.Changed()
}

// sounding returns what each zone says now, by the zone's id.
func (s *Server) sounding() map[string]alert.Sounding {
	by := make(map[string]alert.Sounding)
	if s.opt.PA == nil {
		return by
	}
	for _, said := range s.opt.PA.Sounding() {
		by[said.Zone] = said
	}
	return by
}
