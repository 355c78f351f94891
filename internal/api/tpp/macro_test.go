package tpp

import (
	"strings"
	"testing"
	"unicode/utf8"
)

const ticketDN = `\VED\Workflow Tickets\8c6a`

// shopMacros know a ticket about a certificate.
var shopMacros = macros{
	self: ticketDN,
	config: func(dn, attribute string) []string {
		return map[string][]string{
			ticketDN + `|Owner Object`:                     {`\VED\Policy\Shop\www`},
			ticketDN + `|Adaptable Workflow Approvers`:     {alice, bob},
			`\VED\Policy\Shop\www|X509 Subject`:            {"www.example.com"},
			`\VED\Policy\Shop, Inc\a]b|Description`:        {"comma"},
			`\VED\Policy\Shop\www|CN`:                      {"two letters"},
			`\VED\Policy\Shop\www|Description`:             {`$Config[\VED\Policy\Shop\www,X509 Subject]$`},
			`\VED\Policy\Shop\www|Group Membership`:        {"IT", "Support", "Everyone"},
			`\VED\Policy\Shop\www|Consumers, with a comma`: {"never"},
			`\VED\Policy\Shop\www|List`:                    {"a,b", `c\d`},
			`\VED\Policy\Shop\www|Tail`:                    {`x,"Group Membership"`},
		}[dn+"|"+attribute]
	},
	policy: func(dn, attribute string) []string {
		return map[string][]string{
			`\VED\Policy\Shop\www|Certificate Authority`: {`\VED\Policy\CAs\Internal CA`},
		}[dn+"|"+attribute]
	},
}

// TestExpand has a row for every form of a macro, and for what looks like one.
func TestExpand(t *testing.T) {
	const www = `\VED\Policy\Shop\www`
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"no macro", "Costs $5, or 10$ [net].", "Costs $5, or 10$ [net]."},
		{"the ticket", "$SelfDN$", ticketDN},
		{"in any case", "$SELFDN$$selfdn$", ticketDN + ticketDN},
		{"a name", `$CN[\VED\Policy\Shop\www]$`, "www"},
		{"a parent", `$ParentDN[\VED\Policy\Shop\www]$`, `\VED\Policy\Shop`},
		{"the parent of the root", `($ParentDN[\VED]$)`, `()`},
		{"own value", `$Config[\VED\Policy\Shop\www,X509 Subject]$`, "www.example.com"},
		{"own value is not the policy's", `($Config[\VED\Policy\Shop\www,Certificate Authority]$)`, "()"},
		{"effective value", `$Policy[\VED\Policy\Shop\www,Certificate Authority]$`, `\VED\Policy\CAs\Internal CA`},
		{"the vendor's sample for renewal",
			`The certificate with common name of "$Config[$Config[$SelfDN$,Owner Object]$,X509 Subject]$" is being enrolled.`,
			`The certificate with common name of "www.example.com" is being enrolled.`},
		{"the vendor's sample for enrollment", `the $CN[$Policy[$Config[$SelfDN$,Owner Object]$,Certificate Authority]$]$ CA`, "the Internal CA CA"},
		{"the vendor's sample for installation", `the $CN[$ParentDN[$Config[$SelfDN$,Owner Object]$]$]$ device`, "the Shop device"},
		{"the approvers that pytpp writes", `$CONFIG[$SELFDN$,'Adaptable Workflow Approvers']$`, alice + ", " + bob},
		{"double quotes and blanks", `$Config[ "\VED\Policy\Shop\www" , "X509 Subject" ]$`, "www.example.com"},
		{"a DN with a comma and a bracket", `$Config[\VED\Policy\Shop, Inc\a]b,Description]$`, "comma"},
		{"a list argument", `$Config[` + www + `,"Group Membership",",\"]$`, "IT,Support,Everyone"},
		{"a list argument in single quotes", `$Config[` + www + `,'Group Membership','; ']$`, "IT;Support;Everyone"},
		{"a list argument whose delimiter is in a value", `$Config[` + www + `,"Group Membership","S&"]$`, "ITS&SupportSEveryone"},
		{"a list argument leaves other characters", `$Config[` + www + `,"List",",\"]$`, `a\,b,c\d`},
		{"an attribute of two characters is no list argument", `$Config[\VED\Policy\Shop\www,"CN"]$`, "two letters"},
		{"commas in a value do not separate", `($Config[$Config[` + www + `,Tail]$]$)`, `($Config[$Config[` + www + `,Tail]$]$)`},
		{"macros in a value stay", `$Config[` + www + `,Description]$`, `$Config[` + www + `,X509 Subject]$`},
		{"an object that is not there", `($Config[\VED\none,X509 Subject]$$CN[$Config[\VED\none,x]$]$)`, "()"},
		{"what is no DN has no name", `($CN[www]$)`, "()"},
		{"no attribute", `$Config[$SelfDN$]$ $Config[$SelfDN$,]$`, `$Config[$SelfDN$]$ $Config[$SelfDN$,]$`},
		{"an unknown macro", `$Day$ $Event.Component$ $Sum[1]$ $SelfDN[1]$ $CN$`, `$Day$ $Event.Component$ $Sum[1]$ $SelfDN[1]$ $CN$`},
		{"an unknown macro around a known one", `$Identity[$SelfDN$]$`, `$Identity[$SelfDN$]$`},
		{"an unknown macro inside a known one", `($CN[$Identity[x]$]$)`, "()"},
		{"a dollar before a macro", "$$SelfDN$", "$" + ticketDN},
		{"a word before a macro", "$USD$SelfDN$", "$USD" + ticketDN},
		{"an end without a beginning", "]$SelfDN$", "]" + ticketDN},
		{"a beginning without an end", "$Config[$SelfDN$,x", "$Config[" + ticketDN + ",x"},
		{"an end without a dollar", `$CN[\VED]`, `$CN[\VED]`},
		{"bytes that are no text", "\xff$SelfDN$\xff", "\xff" + ticketDN + "\xff"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := expand(c.text, shopMacros); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestExpandHoldsItsLimits leaves what is beyond them as it is.
func TestExpandHoldsItsLimits(t *testing.T) {
	nested := func(n int) string {
		return strings.Repeat("$ParentDN[", n) + strings.Repeat(`\a`, n+1) + strings.Repeat("]$", n)
	}
	if got := expand(nested(maxMacroDepth), shopMacros); got != `\a` {
		t.Errorf("the deepest that is allowed gave %s", got)
	}
	if text := nested(maxMacroDepth + 1); expand(text, shopMacros) != text {
		t.Error("what is nested too deep was expanded")
	}

	looks := 0
	count := macros{config: func(string, string) []string { looks++; return nil }}
	if got := expand(strings.Repeat("$Config[a,b]$", maxMacros+2), count); got != "$Config[a,b]$$Config[a,b]$" || looks != maxMacros {
		t.Errorf("got %s after %d looks", got, looks)
	}

	large := macros{self: strings.Repeat("x", maxExpansion/2)}
	if got, want := expand("$SelfDN$$SelfDN$$SelfDN$", large), strings.Repeat(large.self, 2)+"$SelfDN$"; got != want {
		t.Errorf("got %d bytes, want %d", len(got), len(want))
	}
}

// FuzzExpand must end, within the limits, and leave alone what has no dollar.
func FuzzExpand(f *testing.F) {
	for _, seed := range []string{
		"$SelfDN$", `$Config[$Config[$SelfDN$,Owner Object]$,"X509 Subject",",\"]$`, "$CN[$ParentDN[$SelfDN$]$]$",
		"$a[$b[,]$", strings.Repeat("$Config[", 20), "]$,$",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := expand(text, shopMacros)
		if len(got) > len(text)+maxExpansion {
			t.Errorf("%d bytes became %d", len(text), len(got))
		}
		if !strings.Contains(text, "$") && got != text {
			t.Errorf("%q became %q", text, got)
		}
		if utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Errorf("%q became %q", text, got)
		}
	})
}
