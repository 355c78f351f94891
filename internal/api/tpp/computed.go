package tpp

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// computed are the attributes that the server says of its own accord, by the vendor's
// names: what is known of the object. No values mean that nothing is, or that it is no
// object of the kind.
var computed = map[string]func(core.View) []string{
	"GUID":          func(v core.View) []string { return one(braced(v.ID)) },
	"Creation Date": func(v core.View) []string { return one(attrDate(time.UnixMicro(v.Created))) },
	"Driver Name":   driverName,

	"Stage":      inProgress(func(p progress) string { return strconv.Itoa(p.Stage) }),
	"Status":     inProgress(func(p progress) string { return p.Status }),
	"In Error":   ofWork(func(o *core.Open) string { return when(o.State == clm.Stopped) }),
	"In Process": ofWork(func(o *core.Open) string { return when(o.State == clm.Processing) }),
	"Work To Do": func(v core.View) []string {
		if !v.Class.Is(clm.CertificateBase) {
			return nil
		}
		return ofWork(func(o *core.Open) string { return when(o.State != clm.Stopped) })(v)
	},
	"Provisioning Work To Do": func(v core.View) []string {
		switch {
		case v.Class.Is(clm.CertificateBase):
			return one(when(v.Installing.Waiting > 0))
		case !v.Class.Is(clm.Application):
			return nil
		}
		return ofWork(func(o *core.Open) string { return when(o.State != clm.Stopped) })(v)
	},
	"Ticket DN": func(v core.View) []string { return dnTexts(v.Tickets) },

	"Certificate Vault Id": func(v core.View) []string { return partIDs(inUseID(v), core.CertificatePart) },
	"Public Key Vault Id":  func(v core.View) []string { return partIDs(inUseID(v), core.PublicKeyPart) },
	"Private Key Vault Id": func(v core.View) []string { return partIDs(v.KeyOf, core.KeyPart) },
	"CSR Vault Id":         func(v core.View) []string { return partIDs(v.CSROf, core.CSRPart) },
	"Last Renewed On": func(v core.View) []string {
		if v.Version == nil {
			return nil
		}
		return one(attrDate(v.Version.Created))
	},
	"Revocation Check Status": func(v core.View) []string {
		switch {
		case v.Revocation.IsDone():
			return one("Revoked")
		case v.Revocation.IsKnown():
			return one("Revocation Pending")
		case v.Revocation.IsHeld():
			return one("Suspended")
		}
		return nil
	},

	"Last Pushed On": func(v core.View) []string {
		at, err := time.Parse(time.RFC3339, clm.Setting{Values: v.Own[clm.PushedOn]}.First())
		if err != nil {
			return nil
		}
		return one(attrDate(at))
	},

	"Consumers":   func(v core.View) []string { return dnTexts(v.Consumers) },
	"Certificate": func(v core.View) []string { return dnTexts(slices.DeleteFunc([]clm.DN{v.Bound}, isNone)) },

	"Member":           func(v core.View) []string { return principals(v.Members) },
	"Group Membership": func(v core.View) []string { return principals(v.MemberOf) },
}

// computedValues are what the server says the attribute of the object is; none where it
// says nothing. The root tells the version.
func (a *api) computedValues(v core.View, def *names.AttrDef) []string {
	if isVersion(v.Class, def) {
		return one(a.opt.Version)
	}
	if say, ok := computed[def.Name]; ok {
		return say(v)
	}
	return nil
}

func isVersion(class clm.Class, def *names.AttrDef) bool {
	return class == clm.Root && (def.Name == "Version" || def.Name == "Schema Version")
}

func one(text string) []string {
	if text == "" {
		return nil
	}
	return []string{text}
}

// when is a flag that is not there unless it is set.
func when(yes bool) string {
	if yes {
		return "1"
	}
	return ""
}

// attrDate writes a time as attributes have it.
func attrDate(t time.Time) string { return t.UTC().Format("01/02/2006 15:04:05") }

// ofWork says something about the work under way for the object.
func ofWork(say func(*core.Open) string) func(core.View) []string {
	return func(v core.View) []string {
		if v.Open == nil {
			return nil
		}
		return one(say(v.Open))
	}
}

// inProgress says something about how far the work under way for the object has come. What
// is queued for an application has not begun.
func inProgress(say func(progress) string) func(core.View) []string {
	return func(v core.View) []string {
		switch {
		case v.Open == nil && v.Installing.IsOver(), v.Open != nil && v.Open.State == clm.Queued && v.Class.Is(clm.Application):
			return nil
		case v.Open == nil:
			return one(say(installProgress(v.Installing)))
		}
		return one(say(progressOf(v.Open)))
	}
}

func inUseID(v core.View) clm.VersionID {
	if v.Version == nil {
		return 0
	}
	return v.Version.ID
}

func partIDs(version clm.VersionID, part core.Part) []string {
	id, ok := core.VaultID(version, part)
	if version == 0 || !ok {
		return nil
	}
	return one(strconv.FormatInt(id, 10))
}

func isNone(dn clm.DN) bool { return dn == "" }

func dnTexts(dns []clm.DN) (texts []string) {
	for _, dn := range dns {
		texts = append(texts, string(dn))
	}
	return texts
}

func principals(ids []clm.PrincipalID) (texts []string) {
	for _, id := range ids {
		texts = append(texts, universal(id))
	}
	return texts
}

// drivers are the names of the vendor's drivers that clients may look for, by class.
var drivers = map[string]string{
	"Basic": "appbasic", "Apache": "appapache", "PEM": "appPem", "PKCS#12": "apppkcs12", "JKS": "appjks", "CAPI": "appcapi",
	"NetScaler": "appnetscaler", "F5 LTM Advanced": "appf5ltmadvanced", "F5": "appf5", "GSK": "appgsk", "PKCS11": "apppkcs11",
	"Adaptable App": "appadaptable", "Amazon App": "appamazon", "Azure Key Vault": "appazurekeyvault",
	"Google Cloud App": "appgooglecloudloadbalancer", "BlueCoat SSLVA": "appBlueCoat", "ConnectDirect": "appConnectDirect",
	"DataPower": "appdatapower", "Imperva MX": "appimpervamx", "iPlanet": "appiplanet", "Palo Alto Network FW": "appPaloAlto",
	"Riverbed SteelHead": "appriverbedsteelhead", "Tealeaf PCA": "apptealeafpca", "VAM nShield": "appvamnshield",
	"NGINX": "appnginx", "HAProxy": "apphaproxy", "Tomcat": "apptomcat", "Postfix": "apppostfix", "Dovecot": "appdovecot",
	"PostgreSQL": "apppostgresql", "Command": "appcommand", "Kubernetes": "appkubernetes",
	"Self Signed CA": "caselfsigned", "Microsoft CA": "camicrosoft", "OpenSSL CA": "caopenssl", "Adaptable CA": "caadaptable",
}

// driverName is that of the object's class, unless the object has another.
func driverName(v core.View) []string {
	if own := v.Own[clm.Program]; len(own) > 0 {
		return own
	}
	if v.Class.Is(clm.CertificateBase) {
		return one("appx509certificate")
	}
	return one(drivers[names.TypeName(v.Object)])
}

// isVaultID reports whether the attribute is the number of something in the vault.
func isVaultID(def *names.AttrDef) bool { return strings.HasSuffix(def.Name, " Vault Id") }
