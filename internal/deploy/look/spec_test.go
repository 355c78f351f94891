package look

import "testing"

// TestParse reads where to look, and writes it again.
func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want Spec
		back string // empty: as it was
	}{
		{"www.example:443", Spec{TLS, "www.example", 443, ""}, ""},
		{"smtp://mail.example:25", Spec{SMTP, "mail.example", 25, ""}, ""},
		{"tls://10.0.0.1:8443/www.example", Spec{TLS, "10.0.0.1", 8443, "www.example"}, "10.0.0.1:8443/www.example"},
		{"LDAP://[2001:db8::1]:389/dc_1.example.", Spec{LDAP, "2001:db8::1", 389, "dc_1.example."}, "ldap://[2001:db8::1]:389/dc_1.example."},
		{" postgresql://[fe80::1%eth0]:5432 ", Spec{Postgres, "fe80::1%eth0", 5432, ""}, "postgresql://[fe80::1%eth0]:5432"},
		{"localhost:65535", Spec{TLS, "localhost", 65535, ""}, ""},
	} {
		got, err := Parse(c.text)
		if err != nil || got != c.want {
			t.Errorf("%q: got %+v, %v; want %+v", c.text, got, err, c.want)
		}
		if c.back == "" {
			c.back = c.text
		}
		if got.String() != c.back {
			t.Errorf("%q: written %q, want %q", c.text, got, c.back)
		}
		if again, err := Parse(got.String()); err != nil || again != got {
			t.Errorf("%q: read again %+v, %v", got, again, err)
		}
	}
}

// TestParseRefuses says what makes no sense.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const form = " is not [protocol://]host:port[/server name]"
	for text, want := range map[string]string{
		"":                          `""` + form,
		"www.example":               `"www.example"` + form,
		"2001:db8::1:443":           `"2001:db8::1:443"` + form,
		"[2001:db8::1]":             `"[2001:db8::1]"` + form,
		":443":                      `":443": "" is not a host`,
		"www..example:443":          `"www..example:443": "www..example" is not a host`,
		"w w:443":                   `"w w:443": "w w" is not a host`,
		"[www.example]:443":         `"[www.example]:443": "www.example" is not a host`,
		"[10.0.0.1]:443":            `"[10.0.0.1]:443": "10.0.0.1" is not a host`,
		"www.example:0":             `"www.example:0": "0" is not a port`,
		"www.example:65536":         `"www.example:65536": "65536" is not a port`,
		"www.example:+1":            `"www.example:+1": "+1" is not a port`,
		"www.example:https":         `"www.example:https": "https" is not a port`,
		"www.example:443/":          `"www.example:443/": "" is not a server name`,
		"www.example:443/10.0.0.1":  `"www.example:443/10.0.0.1": "10.0.0.1" is not a server name`,
		"www.example:443/a/b":       `"www.example:443/a/b": "a/b" is not a server name`,
		"www.example:443/bücher.de": `"www.example:443/bücher.de": "bücher.de" is not a server name`,
		"gopher://www.example:70":   `"gopher://www.example:70": there is no protocol "gopher"; there are ftp, imap, ldap, pop3, postgresql, smtp, tls`,
	} {
		if got, err := Parse(text); err == nil || err.Error() != want {
			t.Errorf("%q: got %+v, %v; want %s", text, got, err, want)
		}
	}
}
