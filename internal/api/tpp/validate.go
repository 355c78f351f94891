package tpp

import (
	"crypto/tls"
	"net/http"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// validate is what POST Certificates/Validate takes. The vendor's page spells the second
// with a blank.
type validate struct {
	CertificateDNs    lenient.StringList
	CertificateGUIDs  lenient.StringList
	CertificateGUIDs2 lenient.StringList `json:"Certificate GUIDs"`
}

// toValidate is a certificate, as a caller has named it.
type toValidate struct {
	core.Which
	key, value string // what it is named by
}

// wanted are the certificates that are meant, each once, in the order in which they were
// named. What is no GUID is taken for a DN.
func (in *validate) wanted() (all []toValidate) {
	seen := map[core.Which]bool{}
	add := func(w toValidate) {
		key := core.Which{ID: w.ID, DN: w.DN}
		if dn, err := clm.ParseDN(w.DN); err == nil {
			key.DN = dn.Key()
		}
		if !seen[key] {
			all = append(all, w)
		}
		seen[key] = true
	}
	for _, dn := range in.CertificateDNs.Values {
		dn = strings.TrimSpace(dn)
		add(toValidate{core.Which{DN: dn}, "DN", dn})
	}
	for _, guid := range append(in.CertificateGUIDs.Values, in.CertificateGUIDs2.Values...) {
		guid = strings.TrimSpace(guid)
		which := core.Which{DN: guid}
		if isGUID.MatchString(guid) {
			which = core.Which{ID: guidOf(guid)}
		}
		add(toValidate{which, "GUID", guid})
	}
	return all
}

const mostValidated = 1000 // certificates in one call

// validating's {value} is what the certificate was named by.
var validating = operation{success: true, words: words{
	{clm.Invalid, fieldMissing}: {text: "Invalid request. CertificateDNs and CertificateGUIDs are missing."},
	{clm.Limited, ""}:           {text: "Invalid request. CertificateDNs and CertificateGUIDs name more than {value} certificates."},
	{clm.Invalid, ""}:           {text: textInvalidCertificate},
	{clm.NotFound, ""}:          {text: textInvalidCertificate},
	{clm.Denied, ""}:            {text: "Insufficient privileges. Write permission is required for the certificate with {value} {subject}."},
	{clm.Disabled, ""}:          {text: "Certificate is disabled. The certificate with {value} {subject} is disabled."},
	{clm.NotIssued, ""}:         {text: "Nothing to validate. The certificate with {value} {subject} has not been issued."},
	{clm.Unnecessary, ""}:       {text: "Nothing to validate. The certificate with {value} {subject} has neither an installation to validate nor a host."},
}}

const textInvalidCertificate = "Invalid certificate {value}. The certificate with {value} {subject} does not exist or you do not have sufficient rights to the object."

// validateCertificates serves POST Certificates/Validate: somebody looks at once where the
// certificates should be in use. Those for which that cannot be are told in Warnings;
// where it can be for none, they are the error.
func (a *api) validateCertificates(c *call, in *validate) answer {
	all := in.wanted()
	if len(all) == 0 {
		return a.refuse(c, validating, "", clm.Fail(clm.Invalid, fieldMissing, ""))
	}
	if len(all) > mostValidated {
		return a.refuse(c, validating, "", clm.Fail(clm.Limited, "", strconv.Itoa(mostValidated)))
	}
	var which []core.Which
	for _, w := range all {
		which = append(which, w.Which)
	}
	dns, guids, warnings := []string{}, []string{}, []string{}
	for n, done := range a.core.Validate(c.Context(), c.who(), which) {
		switch e := done.Refused; {
		case e != nil && e.Kind == clm.Internal:
			return a.refuse(c, validating, "", e)
		case e != nil:
			warnings = append(warnings, validating.say(&clm.Error{Kind: e.Kind, Subject: all[n].value, Value: all[n].key}).text)
		case all[n].ID != "":
			guids = append(guids, braced(done.ID))
		default:
			dns = append(dns, string(done.DN))
		}
	}
	if len(dns)+len(guids) == 0 {
		text := strings.Join(warnings, "\r\n")
		return answer{status: http.StatusBadRequest, phrase: text, body: map[string]any{"Error": text, "Success": false}}
	}
	body := facts{"Success": true, "ValidatedCertificateDNs": dns, "ValidatedCertificateGUIDs": guids}
	body.add("Warnings", warnings)
	return ok(body)
}

// validationResults serves GET Certificates/{guid}/ValidationResults.
func (a *api) validationResults(c *call) answer {
	found := a.withGUID(c, detailing, func(id clm.ObjectID) (answer, error) {
		v, err := a.core.Validations(c.Context(), c.who(), id)
		if err != nil || len(v.Files)+len(v.Services) == 0 {
			return answer{status: http.StatusNoContent}, err
		}
		return ok(validationFacts(v)), nil
	})
	if found.status == http.StatusBadRequest {
		found.status = http.StatusNotFound
	}
	return found
}

func validationFacts(v core.Validations) facts {
	files, services := []facts{}, []facts{}
	for _, f := range v.Files {
		files = append(files, facts{"Installation": f.Application, "PerformedOn": stamp(f.At), "Result": []string{f.Said}})
	}
	for _, s := range v.Services {
		sources := []string{}
		for _, dn := range s.Applications {
			sources = append(sources, string(dn))
		}
		services = append(services, facts{
			"Host": s.Host, "IpAddress": s.Address, "Port": s.Port, "Sources": append(sources, s.Names...),
			"Result": facts{
				"Id": s.Number, "Chain": codes(chainCodes, uint32(s.Chain)), "EndEntity": codes(endEntityCodes, uint32(s.Leaf)), "Protocols": protocols(s.Versions),
			},
		})
	}
	r := facts{"SslTls": services}
	if len(files) > 0 {
		r["File"] = files
	}
	return r
}

// A code is the vendor's number for something, a bit or two, and its name.
type code struct {
	bits uint32
	name string
}

// chainCodes are those of the page of chain codes; they are the numbers of core.ChainSeen.
var chainCodes = []code{
	{2, "Success"}, {4, "NoChain"}, {8, "InvalidChain"}, {16, "ExpiringChain"}, {32, "IncompleteChain"}, {64, "BlacklistedChain"},
	{128, "MismatchedChain"}, {512, "MismatchedCertificate"},
}

// endEntityCodes are those of the page of end entity codes, as far as they occur; the last
// two are ours.
var endEntityCodes = []code{
	{uint32(core.LeafFine), "Success"}, {uint32(core.HostUnknown), "HostResolutionFailed"}, {uint32(core.SettingWrong), "SettingError"},
	{uint32(core.Unreached), "ConnectionFailure"}, {uint32(core.NothingShown), "NoCertificateFound"}, {uint32(core.FormerShown), "MismatchWithPrevious"},
	{uint32(core.KnownShown), "MismatchWithKnown"}, {uint32(core.StrangerShown), "MismatchWithUnknown"},
	{uint32(core.LeafExpired), "Expired"}, {uint32(core.LeafNotYetValid), "NotYetValid"},
}

// codes says which of the codes are in a set.
func codes(of []code, set uint32) facts {
	values := []string{}
	for _, c := range of {
		if set&c.bits != 0 {
			values = append(values, c.name)
		}
	}
	if len(values) == 0 {
		values = []string{"None"}
	}
	return facts{"Bitmask": set, "Values": values}
}

// protocolCodes are those of the page of protocols.
var protocolCodes = map[uint16]code{
	tls.VersionTLS10: {192, "Tls"}, tls.VersionTLS11: {768, "Tls11"}, tls.VersionTLS12: {3072, "Tls12"}, tls.VersionTLS13: {12288, "Tls13"},
}

func protocols(versions []uint16) facts {
	var of []code
	var set uint32
	for _, v := range versions {
		of = append(of, protocolCodes[v])
		set |= protocolCodes[v].bits
	}
	return codes(of, set)
}
