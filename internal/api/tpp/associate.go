package tpp

import (
	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/core"
)

type association struct {
	linked
	PushToNew lenient.Bool
}

// associate serves POST Certificates/Associate: applications that are to use a
// certificate. Where it is pushed to them at once, Warnings tell why to some it was not.
func (a *api) associate(c *call, in *association) answer {
	err := in.check()
	var done core.Pushed
	if err == nil {
		done, err = a.core.Associate(c.Context(), c.who(), core.Associate{
			DN: in.CertificateDN.Trimmed(), Applications: in.applications(), PushToNew: in.PushToNew.Value,
		})
	}
	if err != nil {
		return a.refuse(c, associating, in.CertificateDN.Trimmed(), err)
	}
	return succeeded(associating.warnings(done))
}

type dissociation struct {
	linked
	DeleteOrphans lenient.Bool
}

// dissociate serves POST Certificates/Dissociate: applications that are to use the
// certificate no longer.
func (a *api) dissociate(c *call, in *dissociation) answer {
	err := in.check()
	if err == nil {
		err = a.core.Dissociate(c.Context(), c.who(), core.Dissociate{
			DN: in.CertificateDN.Trimmed(), Applications: in.applications(), DeleteOrphans: in.DeleteOrphans.Value,
		})
	}
	if err != nil {
		return a.refuse(c, dissociating, in.CertificateDN.Trimmed(), err)
	}
	return succeeded(nil)
}
