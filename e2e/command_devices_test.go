package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

const instanceFolder = `\VED\Policy\Workshop`

// An instance is where vcert says that a certificate is in use.
type instance struct {
	s     *server
	a     *api
	token string
}

// newInstance logs alice in, for vcert and for looking at what it has done.
func newInstance(t *testing.T, s *server) instance {
	t.Helper()
	return instance{s, login(t, s, "alice"), commandToken(t, s)}
}

// enroll has vcert enrol a certificate of the name, and returns its files and what else
// vcert says. The object is named like the certificate.
func (i instance) enroll(t *testing.T, name string, more ...string) (f files, said string, err error) {
	t.Helper()
	f = filesIn(t.TempDir())
	_, said, err = vcertTalking(t, i.s, "enroll", args([]string{"-t", i.token, "-z", "Workshop", "--cn", name, "--key-type", "ecdsa"}, f.flags(), more)...)
	return f, said, err
}

// mustEnroll is enroll that has to succeed, and that must have brought a certificate.
func (i instance) mustEnroll(t *testing.T, name string, more ...string) files {
	t.Helper()
	f, _, err := i.enroll(t, name, more...)
	if err != nil {
		t.Fatal(err)
	}
	checkCert(t, i.s, f, name)
	checkKey(t, f, "")
	return f
}

// uses wants the certificate to be used by the applications, as vcert compares them:
// octet by octet.
func (i instance) uses(t *testing.T, name string, want ...string) {
	t.Helper()
	if got := i.a.details(t, instanceFolder+`\`+name).Consumers; !slices.Equal(got, want) {
		t.Errorf("consumers of %s: got %q, want %q", name, got, want)
	}
}

// values wants an object to have the class, and the attributes these values, where an
// empty one stands for none.
func (i instance) values(t *testing.T, dn, class string, want map[string]string) {
	t.Helper()
	var is struct{ Object struct{ DN, TypeName string } }
	if err := json.Unmarshal(i.a.must(t, "vedsdk/config/isvalid", object{"ObjectDN": dn}).Body, &is); err != nil {
		t.Fatal(err)
	}
	if is.Object.DN != dn || is.Object.TypeName != class {
		t.Errorf("got %+v, want %s of the class %s", is.Object, dn, class)
	}
	for attribute, value := range want {
		var has struct{ Values []string }
		got := i.a.must(t, "vedsdk/config/read", object{"ObjectDN": dn, "AttributeName": attribute})
		if err := json.Unmarshal(got.Body, &has); err != nil {
			t.Fatal(err)
		}
		if strings.Join(has.Values, "|") != value {
			t.Errorf("%s of %s: got %q, want %q", attribute, dn, has.Values, value)
		}
	}
}

// TestCommandEnrollsForInstance has vcert say where a certificate is used: there is a
// device then, with an application that the certificate is tied to.
func TestCommandEnrollsForInstance(t *testing.T) {
	cases := []struct {
		name        string
		args        []string
		device      string
		application string
		host, port  string // where it is looked at
		origin      string
	}{
		{"instance alone", []string{"--instance", "plain-node"}, "plain-node", "Default", "", "", "VCert CLI"},
		{"instance with a workload", []string{"--instance", "shop-node:web"}, "shop-node", "web", "", "", "VCert CLI"},
		{"an address and a program of its own", []string{"--instance", "till-node:till", "--tls-address", "192.0.2.7:8443", "--app-info", "Tills 7.1"}, "till-node", "till", "192.0.2.7", "8443", "Tills 7.1"},
		{"an address by name", []string{"--instance", "far-node", "--tls-address", "far.example.org:443"}, "far-node", "Default", "far.example.org", "443", "VCert CLI"},
	}
	onBoth(t, func(t *testing.T, s *server) {
		i := newInstance(t, s)
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				name := c.device + ".example.org"
				i.mustEnroll(t, name, c.args...)
				device := instanceFolder + `\` + c.device
				application := device + `\` + c.application
				i.uses(t, name, application)
				i.values(t, device, "Device", map[string]string{"Host": c.device})
				i.values(t, application, "Basic", map[string]string{
					"Driver Name": "appbasic", "Certificate": instanceFolder + `\` + name, "SSL Listen Host": c.host, "SSL Listen Port": c.port,
					"Stage": "", "Status": "", "In Error": "", "Provisioning Work To Do": "",
				})
				if got := i.a.details(t, instanceFolder+`\`+name).Origin; got != c.origin {
					t.Errorf("origin: got %q, want %q", got, c.origin)
				}
			})
		}
	})
}

// TestCommandReplacesInstance enrols again for an instance that has a certificate: vcert
// stops, unless it is told to replace it. Then the application is made anew, and its
// device with it where nothing else is on that.
func TestCommandReplacesInstance(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		i := newInstance(t, s)
		const name, other = "replaced.example.org", "beside.example.org"
		device := instanceFolder + `\replaced-node`
		web, mail := device+`\web`, device+`\mail`
		guids := func(dns ...string) (all []string) {
			for _, dn := range dns {
				all = append(all, i.a.guid(t, dn))
			}
			return all
		}

		first := i.mustEnroll(t, name, "--instance", "replaced-node:web", "--tls-address", "192.0.2.1:443")
		before := guids(device, web)
		_, _, err := i.enroll(t, name, "--instance", "replaced-node:web")
		if want := "instance " + web + " already exists, change the value or use --replace-instance"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the same instance again: got %v, want %q", err, want)
		}
		if got := i.a.details(t, instanceFolder+`\`+name).CertificateDetails.Serial; serial(t, first.cert) != "serial="+got {
			t.Errorf("where vcert has stopped: got the certificate %s, want %s as before", got, serial(t, first.cert))
		}
		i.uses(t, name, web)
		if after := guids(device, web); !slices.Equal(after, before) {
			t.Errorf("where vcert has stopped: got %v, want %v as before", after, before)
		}

		second, said, err := i.enroll(t, name, "--instance", "replaced-node:web", "--tls-address", "192.0.2.2:8443", "--replace-instance")
		if err != nil || !strings.Contains(said, "Dissociating device "+web) {
			t.Fatalf("replacing: got %v, %s", err, said)
		}
		if serial(t, first.cert) == serial(t, second.cert) {
			t.Error("replacing gave the same certificate")
		}
		i.uses(t, name, web)
		i.values(t, web, "Basic", map[string]string{"Certificate": instanceFolder + `\` + name, "SSL Listen Host": "192.0.2.2", "SSL Listen Port": "8443"})
		for n, guid := range guids(device, web) {
			if guid == before[n] {
				t.Errorf("%s was not made anew", []string{device, web}[n])
			}
		}

		i.mustEnroll(t, other, "--instance", "replaced-node:mail")
		before = guids(device, mail, web)
		i.mustEnroll(t, name, "--instance", "replaced-node:web", "--replace-instance")
		after := guids(device, mail, web)
		if !slices.Equal(after[:2], before[:2]) || after[2] == before[2] {
			t.Errorf("with another application on the device: got %v after %v, want only the replaced one made anew", after, before)
		}
		i.uses(t, name, web)
		i.uses(t, other, mail)
		i.values(t, web, "Basic", map[string]string{"SSL Listen Host": "", "SSL Listen Port": ""})
	})
}

// TestCommandAddsInstances has one certificate used in several places, in the order in
// which they came; replacing one leaves the others alone, and it goes last.
func TestCommandAddsInstances(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		i := newInstance(t, s)
		const name = "several.example.org"
		one, two := instanceFolder+`\several-one\Default`, instanceFolder+`\several-two\Default`
		i.mustEnroll(t, name)
		i.uses(t, name)
		i.mustEnroll(t, name, "--instance", "several-one")
		i.mustEnroll(t, name, "--instance", "several-two", "--replace-instance") // which is not there
		i.uses(t, name, one, two)
		i.mustEnroll(t, name, "--instance", "several-one", "--replace-instance")
		i.uses(t, name, two, one)
	})
}
