package pki

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Bounds of an SSHOrder; all in all the certificate may have maxSSHLine.
const (
	MaxSSHPrincipals = 256  // what OpenSSH reads
	MaxSSHPrincipal  = 255  // bytes
	MaxSSHAddresses  = 256  // sources
	MaxSSHExtensions = 64   // names
	MaxSSHValue      = 4096 // bytes of a force command or the value of an extension

	maxSSHKeyID = 255 // bytes; clients name files after it
	maxSSHName  = 64  // bytes of the name of an extension (RFC 4251, section 6)
)

// sshFlags are the extensions that have no value. With one, OpenSSH refuses the
// whole certificate.
var sshFlags = []string{
	"no-touch-required", "permit-X11-forwarding", "permit-agent-forwarding", "permit-port-forwarding", "permit-pty", "permit-user-rc",
}

// sshCritical are the options that servers must obey. As an extension they would be
// ignored.
var sshCritical = []string{sshForceCommand, sshSourceAddress, "verify-required"}

// check fails with ErrBadSSHOrder, or answers the critical options.
func (o SSHOrder) check() (map[string]string, error) {
	if o.KeyID == "" || !isSSHText(o.KeyID, maxSSHKeyID) {
		return nil, fmt.Errorf("%w: key id %.64q", ErrBadSSHOrder, o.KeyID)
	}
	if n := len(o.Nonce); n != 0 && n != sshNonceSize {
		return nil, fmt.Errorf("%w: a nonce of %d bytes", ErrBadSSHOrder, n)
	}
	for _, check := range []func() error{o.checkPrincipals, o.checkTimes, o.checkExtensions} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	return o.criticalOptions()
}

// checkPrincipals also refuses that there are none: such a certificate would be
// good for every user or host, or for none, depending on who reads it.
func (o SSHOrder) checkPrincipals() error {
	if n := len(o.Principals); n == 0 || n > MaxSSHPrincipals {
		return fmt.Errorf("%w: %d principals", ErrBadSSHOrder, n)
	}
	for _, p := range o.Principals {
		if p == "" || p != strings.TrimSpace(p) || strings.Contains(p, ",") || !isSSHText(p, MaxSSHPrincipal) {
			return fmt.Errorf("%w: principal %.64q", ErrBadSSHOrder, p)
		}
	}
	return nil
}

func (o SSHOrder) checkTimes() error {
	from, to := o.NotBefore.Unix(), o.NotAfter.Unix()
	if from < 0 || to <= from || to-from > int64(MaxSSHValidity.Seconds()) {
		return fmt.Errorf("%w: valid from %s to %s", ErrBadSSHOrder, o.NotBefore, o.NotAfter)
	}
	return nil
}

func (o SSHOrder) checkExtensions() error {
	if n := len(o.Extensions); n > MaxSSHExtensions {
		return fmt.Errorf("%w: %d extensions", ErrBadSSHOrder, n)
	}
	for name, value := range o.Extensions {
		switch {
		case !isSSHName(name), slices.Contains(sshCritical, name):
			return fmt.Errorf("%w: extension %.64q", ErrBadSSHOrder, name)
		case !isSSHText(value, MaxSSHValue), value != "" && slices.Contains(sshFlags, name):
			return fmt.Errorf("%w: the value of extension %s", ErrBadSSHOrder, name)
		}
	}
	return nil
}

// isSSHName reports whether a name is of printable ASCII without blanks, commas and
// a second at sign (RFC 4251, section 6).
func isSSHName(s string) bool {
	foreign := func(r rune) bool { return r <= ' ' || r > '~' || r == ',' }
	return s != "" && len(s) <= maxSSHName && !strings.ContainsFunc(s, foreign) && strings.Count(s, "@") <= 1
}

// criticalOptions fails for a host: clients refuse hosts whose certificates have any.
func (o SSHOrder) criticalOptions() (map[string]string, error) {
	options := map[string]string{}
	if o.ForceCommand != "" {
		options[sshForceCommand] = o.ForceCommand
	}
	if !isSSHText(o.ForceCommand, MaxSSHValue) {
		return nil, fmt.Errorf("%w: force command %.64q", ErrBadSSHOrder, o.ForceCommand)
	}
	if n := len(o.SourceAddresses); n > MaxSSHAddresses {
		return nil, fmt.Errorf("%w: %d source addresses", ErrBadSSHOrder, n)
	}
	var sources []string
	for _, a := range o.SourceAddresses {
		source, ok := sshSource(a)
		if !ok {
			return nil, fmt.Errorf("%w: source address %.64q", ErrBadSSHOrder, a)
		}
		sources = append(sources, source)
	}
	if len(sources) > 0 {
		options[sshSourceAddress] = strings.Join(sources, ",")
	}
	if o.Host && len(options) > 0 {
		return nil, fmt.Errorf("%w: a host with a force command or source addresses", ErrBadSSHOrder)
	}
	return options, nil
}

// sshSource is an IP address or a network in the form that OpenSSH matches: it knows
// IPv4 only as such, and refuses a login when any bit after a network's mask is set.
func sshSource(s string) (string, bool) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Unmap().String(), addr.Zone() == ""
	}
	network, err := netip.ParsePrefix(s)
	if err != nil || network.Addr().Is4In6() {
		return "", false
	}
	return network.Masked().String(), true
}
