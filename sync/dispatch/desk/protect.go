package desk

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// policy lets a page load its own files and nothing else: no inline script or
// style, no frame, no plug-in, no other host, no HTML made from strings.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

const (
	// maxBody bounds every request's body except a configuration's.
	maxBody = 16 << 10
	// maxConfig bounds an uploaded configuration, in bytes.
	maxConfig = 256 << 10
)

// protect puts the headers on every answer, bounds every body, and refuses
// other hosts' names and writes that another site's page caused.
func (s *Server) protect(next http.Handler) http.Handler {
	next = s.onlyOurs(http.NewCrossOriginProtection().Handler(next))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		// "no-referrer" would make browsers send "Origin: null" with our own forms.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		limit := int64(maxBody)
		if strings.HasSuffix(r.URL.Path, "/config") {
			limit = 2 * maxConfig
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		next.ServeHTTP(w, r)
	})
}

// address returns who is calling, the zero Addr when that is not an address.
// Forwarding headers are not believed: anyone can write them.
func address(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// ours reports whether a Host header names this service: an address, a name
// that only the local network can give (one label, .local), or a configured
// one. Any other name may be a stranger's who lets it point here (DNS
// rebinding), so that his page would count as ours in a browser here.
func (s *Server) ours(host string) bool {
	if ap, err := netip.ParseAddrPort(host); err == nil {
		return ap.Addr().Zone() == ""
	}
	if ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")); err == nil {
		return ip.Zone() == ""
	}
	name := host
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		if _, err := strconv.ParseUint(name[i+1:], 10, 16); err != nil {
			return false
		}
		name = name[:i]
	}
	name = plainName(name)
	if name == "" || strings.ContainsAny(name, ":[]") {
		return false
	}
	return !strings.Contains(name, ".") || strings.HasSuffix(name, ".local") || s.hosts[name]
}

// plainName makes names comparable.
func plainName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// onlyOurs answers 421 to a request that was meant for another name.
func (s *Server) onlyOurs(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.ours(r.Host) {
			http.Error(w, "this service does not answer to that name: use its address, or add the name to its host names", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}
