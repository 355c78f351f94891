package tpp

import (
	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// linked is a call about a certificate and applications.
type linked struct {
	CertificateDN lenient.String
	ApplicationDN lenient.StringList
}

// check makes sure that a certificate is named.
func (in *linked) check() error {
	if in.CertificateDN.Trimmed() == "" {
		return clm.Fail(clm.Invalid, fieldMissingDN, "")
	}
	return nil
}

// applications are the DNs of those that are named. A null counts as one that is blank:
// these calls refuse it.
func (in *linked) applications() []string {
	if in.ApplicationDN.HasNull {
		return append(in.ApplicationDN.Values, "")
	}
	return in.ApplicationDN.Values
}

// push is what POST Certificates/Push takes. AllOrNothing is ours: the applications
// succeed together or not at all.
type push struct {
	linked
	PushToAll    lenient.Bool
	AllOrNothing lenient.Bool
}

// push serves POST Certificates/Push: the certificate in use is put where applications
// use it. Applications that were passed over are told in Warnings.
func (a *api) push(c *call, in *push) answer {
	err := in.check()
	var done core.Pushed
	if err == nil {
		p := core.Push{DN: in.CertificateDN.Trimmed(), Applications: in.applications(), All: in.PushToAll.Value}
		if in.AllOrNothing.Set {
			p.Together = &in.AllOrNothing.Value
		}
		done, err = a.core.Push(c.Context(), c.who(), p)
	}
	warnings := pushing.warnings(done)
	if err != nil {
		refused := a.refuse(c, pushing, in.CertificateDN.Trimmed(), err)
		if clm.AsError(err).Kind == clm.Unnecessary {
			refused.body.(map[string]any)["Warnings"] = list(warnings)
		}
		return refused
	}
	return succeeded(warnings)
}

// warnings word why applications were passed over.
func (o operation) warnings(done core.Pushed) (texts []string) {
	for _, e := range done.Skipped {
		texts = append(texts, o.say(e).text)
	}
	return texts
}

// succeeded answers a call that has done what it could.
func succeeded(warnings []string) answer {
	body := facts{"Success": true}
	body.add("Warnings", warnings)
	return ok(body)
}
