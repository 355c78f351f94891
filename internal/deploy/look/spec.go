package look

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Parse reads [protocol://]host:port[/server name], as people write it. An IPv6
// address stands in brackets. Without a protocol it is TLS.
func Parse(text string) (Spec, error) {
	rest, s := strings.TrimSpace(text), Spec{Protocol: TLS}
	if protocol, after, ok := strings.Cut(rest, "://"); ok {
		s.Protocol, rest = strings.ToLower(protocol), after
	}
	if starts[s.Protocol] == nil {
		known := strings.Join(slices.Sorted(maps.Keys(starts)), ", ")
		return Spec{}, fmt.Errorf("%q: there is no protocol %q; there are %s", text, s.Protocol, known)
	}
	rest, name, named := strings.Cut(rest, "/")
	if named && !isName(name) {
		return Spec{}, fmt.Errorf("%q: %q is not a server name", text, name)
	}
	host, port, err := net.SplitHostPort(rest)
	if err != nil {
		return Spec{}, fmt.Errorf("%q is not [protocol://]host:port[/server name]", text)
	}
	if !isHost(host, strings.HasPrefix(rest, "[")) {
		return Spec{}, fmt.Errorf("%q: %q is not a host", text, host)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return Spec{}, fmt.Errorf("%q: %q is not a port", text, port)
	}
	s.Host, s.Port, s.Name = host, int(number), name
	return s, nil
}

// String writes what Parse reads.
func (s Spec) String() string {
	text := net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	if s.protocol() != TLS {
		text = s.Protocol + "://" + text
	}
	if s.Name != "" {
		text += "/" + s.Name
	}
	return text
}

// isHost reports whether it is a name or an IP address, with brackets round it only
// if it is of version 6.
func isHost(s string, inBrackets bool) bool {
	if address, err := netip.ParseAddr(s); err == nil {
		return address.Is6() == inBrackets
	}
	return !inBrackets && isName(s)
}

// isName reports whether it has the form of a host name. What browsers do, and the
// underscores that people use, are good enough.
func isName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if len(s) > 253 {
		return false
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		isOther := func(r rune) bool {
			return r != '-' && r != '_' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
		}
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, isOther) {
			return false
		}
	}
	return true
}
