package web

import (
	"net/http"
	"net/netip"
)

// policy lets a page load its own files and nothing else: no inline script or
// style, no frame, no plug-in, no other host, no HTML made from strings.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// maxBody bounds every request's body; the longest honest one is an
// announcement in three languages.
const maxBody = 8 << 10

// protect puts the headers on every answer, bounds every body, and refuses
// other hosts' names and writes that another site's page caused.
func (s *Server) protect(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	next = s.onlyOurs(crossOrigin.Handler(next))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		// Not "no-referrer": that makes browsers send "Origin: null" with our
		// own forms, and over plain HTTP, where Sec-Fetch-Site is not sent,
		// nothing else would prove that the form is ours.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// address returns who is calling, the zero Addr when that is not an address
// (a unix socket). Forwarding headers are not believed: anyone can write them.
func address(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}
