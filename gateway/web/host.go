package web

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// ours reports whether a Host header names this gateway: an address, a name
// that only the local network can give (one label, .local), or a configured
// one. Any other name may be a stranger's who lets it point at the gateway
// (DNS rebinding), so that his page would count as ours in a browser here.
func (s *Server) ours(host string) bool {
	if ap, err := netip.ParseAddrPort(host); err == nil {
		return ap.Addr().Zone() == "" // which may hold anything
	}
	if ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")); err == nil {
		return ip.Zone() == ""
	}
	name := host
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		if _, err := strconv.ParseUint(name[i+1:], 10, 16); err != nil {
			return false // what looks like a port may be the rest of a stranger's name
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
			http.Error(w, "this gateway does not answer to that name: use its address, or add the name to its configured host names", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}
