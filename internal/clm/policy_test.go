package clm

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// strict is a policy that locks and forbids everything there is to lock and forbid.
func strict() Policy {
	path := tree(ServerCertificate, nil, nil, nil, rules{
		{AnyCertificate, Locality}: locked("Gent"), {AnyCertificate, Country}: locked("BE"), {AnyCertificate, Province}: locked("Oost-Vlaanderen"),
		{AnyCertificate, Organization}: locked("Shop"), {AnyCertificate, OrganizationalUnit}: locked("Web", "Mail"),
		{AnyCertificate, KeyAlgorithm}: locked("RSA"), {AnyCertificate, KeySize}: locked("3072"), {AnyCertificate, Curve}: locked("P384"),
		{AnyCertificate, DomainWhitelist}: suggested("example.com", ".corp.example"), {AnyCertificate, ProhibitWildcard}: suggested("1"),
		{AnyCertificate, ProhibitedSANs}: suggested("DNS", "Email", "IP", "UPN", "URI"),
	})
	return path[:3].PolicyFor(ServerCertificate)
}

// obedient is what strict allows.
func obedient() Demand {
	return Demand{
		Names: Names{CommonName: "www.example.com", Organization: "Shop", OrganizationalUnit: []string{"Mail", "Web"},
			Locality: "Gent", Province: "Oost-Vlaanderen", Country: "BE"},
		KeyAlgorithm: RSA, KeySize: 3072,
	}
}

// Each rule is found broken by what breaks it and by nothing else. (Page POST Certificates/Renew.)
func TestJudge(t *testing.T) {
	free := Policy{}
	for _, test := range []struct {
		name   string
		policy Policy
		change func(*Demand)
		want   []Breach
	}{
		{"all is as it shall be", strict(), func(*Demand) {}, nil},
		{"without policy all is allowed", free, func(d *Demand) { *d = Demand{} }, nil},

		{"another city", strict(), func(d *Demand) { d.Locality = "Brugge" }, []Breach{{RuleLocality, "Brugge"}}},
		{"no city", strict(), func(d *Demand) { d.Locality = "" }, []Breach{{RuleLocality, ""}}},
		{"a city in other case is another", strict(), func(d *Demand) { d.Locality = "GENT" }, []Breach{{RuleLocality, "GENT"}}},
		{"a common name outside the whitelist", strict(), func(d *Demand) { d.CommonName = "www.example.org" }, []Breach{{RuleWhitelistCN, "www.example.org"}}},
		{"a common name that ends like the whitelist", strict(), func(d *Demand) { d.CommonName = "badexample.com" }, []Breach{{RuleWhitelistCN, "badexample.com"}}},
		{"the domain of the whitelist itself", strict(), func(d *Demand) { d.CommonName = "Example.COM" }, nil},
		{"far below the domain", strict(), func(d *Demand) { d.CommonName = "a.b.c.example.com" }, nil},
		{"below a domain with a dot", strict(), func(d *Demand) { d.CommonName = "www.corp.example" }, nil},
		{"a domain with a dot is not allowed itself", strict(), func(d *Demand) { d.CommonName = "corp.example" }, []Breach{{RuleWhitelistCN, "corp.example"}}},
		{"no common name", strict(), func(d *Demand) { d.CommonName = "" }, nil},
		{"a wildcard", strict(), func(d *Demand) { d.CommonName = "*.example.com" }, []Breach{{RuleWildcardCN, "*.example.com"}}},
		{"a wildcard where they are allowed", Policy{Whitelist: []string{"example.com"}}, func(d *Demand) { d.CommonName = "*.example.com" }, nil},
		{"another country", strict(), func(d *Demand) { d.Country = "NL" }, []Breach{{RuleCountry, "NL"}}},
		{"wildcards among DNS names, each", Policy{NoWildcards: true}, func(d *Demand) { d.DNS = []string{"*.a", "b", "*.c"} },
			[]Breach{{RuleWildcardDNS, "*.a"}, {RuleWildcardDNS, "*.c"}}},
		{"DNS names", strict(), func(d *Demand) { d.DNS = []string{"a.example.com", "b.example.com"} }, []Breach{{RuleDNS, ""}}},
		{"another curve", Policy{Curve: Setting{Values: []string{"P384"}, Locked: true}}, func(d *Demand) { d.KeyAlgorithm, d.Curve = "ECDSA", "p-256" }, []Breach{{RuleCurve, "p-256"}}},
		{"the curve in another spelling", Policy{Curve: Setting{Values: []string{"p-384"}, Locked: true}}, func(d *Demand) { d.KeyAlgorithm, d.Curve = "ec", "P384" }, nil},
		{"a curve is nothing to an RSA key", strict(), func(d *Demand) { d.Curve = "P521" }, nil},
		{"an e-mail address", strict(), func(d *Demand) { d.Email = []string{"a@example.com"} }, []Breach{{RuleEmail, ""}}},
		{"an IP address", strict(), func(d *Demand) { d.IP = []string{"192.0.2.1"} }, []Breach{{RuleIP, ""}}},
		{"a UPN", strict(), func(d *Demand) { d.UPN = []string{"a@example.com"} }, []Breach{{RuleUPN, ""}}},
		{"a URI", strict(), func(d *Demand) { d.URI = []string{"spiffe://a"} }, []Breach{{RuleURI, ""}}},
		{"another algorithm; the size is then nothing", strict(), func(d *Demand) { d.KeyAlgorithm, d.Curve, d.KeySize = ECC, P384, 0 }, []Breach{{RuleKeyAlgorithm, ECC}}},
		{"a shorter key", strict(), func(d *Demand) { d.KeySize = 2048 }, []Breach{{RuleKeySize, "2048"}}},
		{"a longer key", strict(), func(d *Demand) { d.KeySize = 4096 }, nil},
		{"another organization", strict(), func(d *Demand) { d.Organization = "Shop " }, []Breach{{RuleOrganization, "Shop "}}},
		{"no organization", strict(), func(d *Demand) { d.Organization = "" }, []Breach{{RuleOrganization, ""}}},
		{"a unit missing", strict(), func(d *Demand) { d.OrganizationalUnit = []string{"Web"} }, []Breach{{RuleUnitMissing, "Mail"}}},
		{"no units", strict(), func(d *Demand) { d.OrganizationalUnit = nil }, []Breach{{RuleUnitMissing, "Web"}, {RuleUnitMissing, "Mail"}}},
		{"a unit too many", strict(), func(d *Demand) { d.OrganizationalUnit = []string{"Web", "Ops", "Mail"} }, []Breach{{RuleUnitForbidden, "Ops"}}},
		{"another state", strict(), func(d *Demand) { d.Province = "" }, []Breach{{RuleProvince, ""}}},
		{"DNS names outside the whitelist, in one", Policy{Whitelist: []string{"example.com"}}, func(d *Demand) { d.DNS = []string{"a.org", "b.example.com", "c.org"} },
			[]Breach{{RuleWhitelistDNS, "a.org, c.org"}}},
		{"a key that has served", strict(), func(d *Demand) { d.KeyReused = true }, []Breach{{RuleKeyReuse, ""}}},
		{"a key that has served where it may", Policy{KeyReuse: true}, func(d *Demand) { d.KeyReused = true }, nil},
		{"suggestions bind nobody", suggesting(), func(d *Demand) { *d = Demand{KeyAlgorithm: RSA, KeySize: 1024} }, nil},

		{"everything at once, in order", strict(), func(d *Demand) {
			*d = Demand{Names: Names{CommonName: "*.org", OrganizationalUnit: []string{"Ops"}, DNS: []string{"*.net"}, Email: []string{"e"}, IP: []string{"i"}, URI: []string{"r"}, UPN: []string{"n"}},
				KeyAlgorithm: ECC, Curve: P256, KeyReused: true}
		}, []Breach{
			{RuleLocality, ""}, {RuleWhitelistCN, "*.org"}, {RuleWildcardCN, "*.org"}, {RuleCountry, ""}, {RuleWildcardDNS, "*.net"}, {RuleDNS, ""},
			{RuleCurve, P256}, {RuleEmail, ""}, {RuleIP, ""}, {RuleUPN, ""}, {RuleURI, ""}, {RuleKeyAlgorithm, ECC}, {RuleOrganization, ""},
			{RuleUnitMissing, "Web"}, {RuleUnitMissing, "Mail"}, {RuleUnitForbidden, "Ops"}, {RuleProvince, ""}, {RuleWhitelistDNS, "*.net"}, {RuleKeyReuse, ""},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := obedient()
			test.change(&d)
			if diff := cmp.Diff(test.want, test.policy.Judge(d)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// suggesting is strict without locks and prohibitions.
func suggesting() Policy {
	p := strict()
	for _, s := range []*Setting{&p.Locality, &p.Country, &p.Province, &p.Organization, &p.Unit, &p.KeyAlgorithm, &p.KeySize, &p.Curve} {
		s.Locked = false
	}
	p.Whitelist, p.NoWildcards, p.NoDNS, p.NoEmail, p.NoIP, p.NoUPN, p.NoURI = nil, false, false, false, false, false, false
	return p
}

// Prohibited kinds of names are known by all the words that clients have for them.
func TestProhibitedNames(t *testing.T) {
	for _, test := range []struct {
		word string
		is   func(Policy) bool
	}{
		{"DNS", func(p Policy) bool { return p.NoDNS }},
		{"dns", func(p Policy) bool { return p.NoDNS }},
		{"Email", func(p Policy) bool { return p.NoEmail }},
		{"RFC822", func(p Policy) bool { return p.NoEmail }},
		{"IP", func(p Policy) bool { return p.NoIP }},
		{"IP address", func(p Policy) bool { return p.NoIP }},
		{"UPN", func(p Policy) bool { return p.NoUPN }},
		{"URI", func(p Policy) bool { return p.NoURI }},
	} {
		path := tree(ServerCertificate, nil, nil, nil, rules{{AnyCertificate, ProhibitedSANs}: suggested(test.word)})
		if !test.is(path[:3].PolicyFor(ServerCertificate)) {
			t.Errorf("%s is not understood", test.word)
		}
	}
}

// What a demand leaves out is taken from policy, what it says stays.
func TestFill(t *testing.T) {
	empty := Policy{}
	policy := suggesting()
	ecc := Policy{KeyAlgorithm: Setting{Values: []string{"EC"}}, Curve: Setting{Values: []string{"P521"}}}
	for _, test := range []struct {
		name   string
		policy Policy
		in     Demand
		want   Demand
	}{
		{"nothing from nothing: an RSA key of the usual size", empty, Demand{}, Demand{KeyAlgorithm: RSA, KeySize: DefaultKeySize}},
		{"an EC key: the usual curve", empty, Demand{KeyAlgorithm: "ecdsa"}, Demand{KeyAlgorithm: ECC, Curve: P256}},
		{"everything from policy", policy, Demand{Names: Names{CommonName: "www"}}, Demand{
			Names:        Names{CommonName: "www", Organization: "Shop", OrganizationalUnit: []string{"Web", "Mail"}, Locality: "Gent", Province: "Oost-Vlaanderen", Country: "BE"},
			KeyAlgorithm: RSA, KeySize: 3072}},
		{"nothing from policy", policy, Demand{Names: Names{Organization: "O", OrganizationalUnit: []string{"U"}, Locality: "L", Province: "S", Country: "NL"}, KeyAlgorithm: RSA, KeySize: 4096},
			Demand{Names: Names{Organization: "O", OrganizationalUnit: []string{"U"}, Locality: "L", Province: "S", Country: "NL"}, KeyAlgorithm: RSA, KeySize: 4096}},
		{"algorithm and curve from policy", ecc, Demand{}, Demand{KeyAlgorithm: ECC, Curve: "P521"}},
		{"a size that is no number is none", Policy{KeySize: Setting{Values: []string{"long"}}}, Demand{}, Demand{KeyAlgorithm: RSA, KeySize: DefaultKeySize}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.in
			test.policy.Fill(&got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Filling does not lend the demand a list that belongs to policy.
func TestFillCopies(t *testing.T) {
	p := suggesting()
	var d Demand
	p.Fill(&d)
	d.OrganizationalUnit[0] = "changed"
	if p.Unit.Values[0] != "Web" {
		t.Error("policy has changed")
	}
}

// What was left empty and filled from policy breaks none of its rules about
// subject and key, however they are locked.
func TestFilledDemandsObey(t *testing.T) {
	settings := rapid.Custom(func(t *rapid.T) Setting {
		return Setting{Values: rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 3).Draw(t, "values"), Locked: rapid.Bool().Draw(t, "locked")}
	})
	rapid.Check(t, func(t *rapid.T) {
		p := Policy{
			Organization: settings.Draw(t, "O"), Unit: settings.Draw(t, "OU"), Locality: settings.Draw(t, "L"), Province: settings.Draw(t, "S"), Country: settings.Draw(t, "C"),
			KeyAlgorithm: Setting{Values: []string{rapid.SampledFrom([]string{"RSA", "rsa", "ECC", "EC", "ECDSA"}).Draw(t, "algorithm")}, Locked: rapid.Bool().Draw(t, "locked")},
			KeySize:      Setting{Values: []string{"4096"}, Locked: rapid.Bool().Draw(t, "size locked")},
			Curve:        Setting{Values: []string{"p-384"}, Locked: rapid.Bool().Draw(t, "curve locked")},
		}
		var d Demand
		p.Fill(&d)
		if broken := p.Judge(d); len(broken) > 0 {
			t.Fatalf("got %v of %+v", broken, d)
		}
	})
}

// A name is allowed by an entry exactly when it is the entry's domain or stands
// below it at a dot.
func TestWhitelistCutsAtDots(t *testing.T) {
	label := rapid.StringMatching(`[a-cA-C]{1,3}`)
	rapid.Check(t, func(t *rapid.T) {
		entry := strings.Join(rapid.SliceOfN(label, 1, 3).Draw(t, "entry"), ".")
		name := strings.Join(rapid.SliceOfN(label, 1, 4).Draw(t, "name"), ".")
		entries, names := strings.Split(strings.ToLower(entry), "."), strings.Split(strings.ToLower(name), ".")
		below := len(names) > len(entries) && slices.Equal(names[len(names)-len(entries):], entries)
		same := strings.EqualFold(entry, name)
		if got := (Policy{Whitelist: []string{entry}}).allowsDomain(name); got != (below || same) {
			t.Fatalf("%s allows %s: got %v", entry, name, got)
		}
		if got := (Policy{Whitelist: []string{"." + entry}}).allowsDomain(name); got != below {
			t.Fatalf(".%s allows %s: got %v", entry, name, got)
		}
	})
}
