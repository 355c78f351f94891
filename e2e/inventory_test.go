package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/Venafi/vcert/v5/pkg/certificate"
)

// checkFields wants the custom fields of the place to have these values and no others.
func checkFields(t *testing.T, a *api, dn string, want map[string][]string) {
	t.Helper()
	fields := a.details(t, dn).CustomFields
	for _, f := range fields {
		if !slices.Equal(f.Value, want[f.Name]) {
			t.Errorf("%s: got %s %q, want %q", dn, f.Name, f.Value, want[f.Name])
		}
	}
	if len(fields) != len(want) {
		t.Errorf("%s: got the fields %v, want %v", dn, fields, want)
	}
}

// TestCommandSetsCustomFields gives values for custom fields along, which stay when
// the certificate is enrolled again without them.
func TestCommandSetsCustomFields(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		token, a, dn := commandToken(t, s), login(t, s, "alice"), `\VED\Policy\Open\field.example.org`
		enrol := func(fields ...string) (said string, err error) {
			_, said, err = vcertTalking(t, s, "enroll",
				append([]string{"-t", token, "-z", "Open", "--cn", "field.example.org", "--key-type", "ecdsa"}, fields...)...)
			return said, err
		}
		said, err := enrol("--field", "Cost Centre=4711", "--field", "Environment=Test", "--field", "Environment=Production")
		if err != nil {
			t.Fatal(err)
		}
		// vcert looks whether the values were kept, and else tries an older call.
		if strings.Contains(said, "Saving metadata") {
			t.Errorf("vcert did not find the values kept:\n%s", said)
		}
		checkFields(t, a, dn, map[string][]string{"Cost Centre": {"4711"}, "Environment": {"Test", "Production"}})
		if _, err := enrol("--field", "Environment=Production"); err != nil {
			t.Fatal(err)
		}
		checkFields(t, a, dn, map[string][]string{"Cost Centre": {"4711"}, "Environment": {"Production"}})

		for field, want := range map[string]string{
			"Cost Centre=many":    "Custom Field error. The value many is not allowed for Custom Field Cost Centre.",
			"Environment=Staging": "Custom Field error. The value Staging is not allowed for Custom Field Environment.",
			"Colour=red":          "Custom Field error. Custom Field with name Colour does not exist or is not applicable for X509 Server Certificate class.",
		} {
			if _, err := enrol("--field", field); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %q", field, err, want)
			}
		}
		checkFields(t, a, dn, map[string][]string{"Cost Centre": {"4711"}, "Environment": {"Production"}})
	})
}

// TestCommandNamesInstances tells where the certificate is used and who asked for
// it: a device is made with an application on it that uses the certificate. vcert
// refuses to name the same instance again for the same certificate, and the server
// to have it use another.
func TestCommandNamesInstances(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		token, a, zone := commandToken(t, s), login(t, s, "alice"), `\VED\Policy\Workshop\`
		enrol := func(cn string, more ...string) error {
			_, err := vcert(t, s, "enroll", append([]string{"-t", token, "-z", "Workshop", "--cn", cn, "--key-type", "ecdsa"}, more...)...)
			return err
		}
		consumers := func(want ...string) {
			t.Helper()
			if got := a.details(t, zone+"node.example.org").Consumers; !slices.Equal(got, want) {
				t.Errorf("consumers: got %q, want %q", got, want)
			}
		}
		if err := enrol("node.example.org", "--instance", "node7:till", "--tls-address", "192.0.2.7:8443", "--app-info", "Tills of the shop"); err != nil {
			t.Fatal(err)
		}
		consumers(zone + `node7\till`)
		if got := a.details(t, zone+"node.example.org").Origin; got != "Tills of the shop" {
			t.Errorf("origin: got %q, want what --app-info says", got)
		}
		for dn, class := range map[string]string{zone + "node7": "Device", zone + `node7\till`: "Basic"} {
			if got := a.must(t, "vedsdk/config/dntoguid", object{"ObjectDN": dn}); got.get("ClassName") != class {
				t.Errorf("%s: got %v, want a %s", dn, got, class)
			}
		}

		if err := enrol("node.example.org", "--instance", "node8"); err != nil {
			t.Fatal(err)
		}
		consumers(zone+`node7\till`, zone+`node8\Default`)
		for cn, want := range map[string]string{
			"node.example.org":  `instance ` + zone + `node7\till already exists, change the value or use --replace-instance`,
			"other.example.org": `Application ` + zone + `node7\till is associated with a different certificate ` + zone + `node.example.org.`,
		} {
			if err := enrol(cn, "--instance", "node7:till"); err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), `\\`, `\`), want) {
				t.Errorf("%s: got %v, want %q", cn, err, want)
			}
		}
		consumers(zone+`node7\till`, zone+`node8\Default`)
		if a.guid(t, zone+"other.example.org") != "" {
			t.Error("the refused request has left a place behind")
		}
	})
}

// TestLibraryNamesFieldsAndInstances says all of it in one request of the library.
func TestLibraryNamesFieldsAndInstances(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		c, a, zone := connect(t, s, "alice", "Workshop"), login(t, s, "alice"), `\VED\Policy\Workshop\`
		r := localRequest("all.example.org")
		r.CustomFields = []certificate.CustomField{
			{Name: "Cost Centre", Value: "815"},
			{Name: "Environment", Value: "Production"},
			{Name: "Origin", Value: "e2e", Type: certificate.CustomFieldOrigin},
		}
		// The instance may be in another folder than the certificate.
		r.Location = &certificate.Location{Instance: "node9", Workload: "shop", TLSAddress: "node9.example.org:443", Zone: "Open"}
		id := request(t, c, r)
		retrieve(t, c, r)
		checkFields(t, a, id, map[string][]string{"Cost Centre": {"815"}, "Environment": {"Production"}})
		if d := a.details(t, id); d.Origin != "e2e" || !slices.Equal(d.Consumers, []string{`\VED\Policy\Open\node9\shop`}) {
			t.Errorf("got the origin %q and the consumers %q", d.Origin, d.Consumers)
		}

		again := localRequest("all.example.org")
		again.Location = r.Location
		if err := c.GenerateRequest(nil, again); err != nil {
			t.Fatal(err)
		}
		if _, err := c.RequestCertificate(again); err == nil || !strings.Contains(err.Error(), "already exists") {
			t.Errorf("the same instance again: got %v, want that it exists", err)
		}
		again.Location = nil
		if _, err := c.RequestCertificate(again); err != nil {
			t.Fatal(err)
		}
		if d := a.details(t, id); len(d.Consumers) != 1 || len(d.CustomFields) != 2 || !strings.HasPrefix(d.DN, zone) {
			t.Errorf("a request that says nothing of them: got %+v, want them kept", d)
		}
	})
}
