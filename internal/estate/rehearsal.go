package estate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// A rehearsal is a state in which a certificate or an application is put on stage.
type rehearsal struct {
	place
	core.Rehearsal
	stage string // as administrators know it
}

// A scene is what there is to say and to see of a state on stage.
type scene struct {
	core.Scene
	hasStage bool // the file may say at which stage
	hasText  bool // the file says why
	hasOther bool // the file says which other certificate it is about
	isDefect bool // something is the matter with the certificate in use; otherwise work stands so
}

// scenes are the states, in the order in which errors name them.
var scenes = []scene{
	{Scene: core.SceneError, hasStage: true, hasText: true},
	{Scene: core.SceneQueued},
	{Scene: core.SceneProcessing, hasStage: true},
	{Scene: core.SceneNoCSR},
	{Scene: core.SceneTicket, hasStage: true},
	{Scene: core.SceneKeyMismatch, isDefect: true},
	{Scene: core.SceneKeyMissing, isDefect: true},
	{Scene: core.SceneKeyForeign, hasOther: true, isDefect: true},
	{Scene: core.SceneNoCertificate, isDefect: true},
	{Scene: core.SceneRevoking, isDefect: true},
	{Scene: core.SceneRevoked, isDefect: true},
	{Scene: core.SceneRevokeFailed, hasText: true, isDefect: true},
	{Scene: core.SceneIdle},
}

// A theatre is what can be put on stage: the stages of its work by their numbers, the
// first of them where nothing is said.
type theatre struct {
	stages  map[string]clm.Stage
	unsaid  string
	defects bool // a certificate is in use there
}

var (
	certificateTheatre = theatre{map[string]clm.Stage{"300": clm.CreateKey, "400": clm.CreateCSR, "500": clm.Submit, "700": clm.Collect}, "500", true}
	applicationTheatre = theatre{map[string]clm.Stage{
		"800": clm.Place, "900": clm.Inspect, "1000": clm.Configure, "1100": clm.Reload, "1200": clm.Verify,
	}, "800", false}
)

// read reads a rehearsal there.
func (t theatre) read(v value) (rehearsal, error) {
	r := rehearsal{place: v.place()}
	var words []string
	for _, s := range scenes {
		if t.defects || !s.isDefect && s.Scene != core.SceneNoCSR {
			words = append(words, string(s.Scene))
		}
	}
	state := ""
	err := v.object(keys{
		"state": to(&state, one(words...)),
		"stage": to(&r.stage, one(numbersOf(t.stages)...)),
		"text":  to(&r.Text, line),
		"other": to(&r.Other, dnText),
	})
	r.Scene, r.Stage = core.Scene(state), t.stages[r.stage]
	switch s := r.scene(); {
	case err != nil:
		return r, err
	case state == "":
		return r, r.fail("has no state")
	case r.stage != "" && !s.hasStage:
		return r, r.fail("%s has no stage", state)
	case r.Text != "" && !s.hasText:
		return r, r.fail("%s has no text", state)
	case r.Text == "" && s.hasText:
		return r, r.fail("%s needs a text", state)
	case r.Other != "" && !s.hasOther:
		return r, r.fail("%s is about no other certificate", state)
	case r.Other == "" && s.hasOther:
		return r, r.fail("%s needs another certificate", state)
	case s.hasStage && r.stage == "":
		r.stage, r.Stage = t.unsaid, t.stages[t.unsaid]
	}
	return r, nil
}

func (r rehearsal) scene() (found scene) {
	for _, s := range scenes {
		if s.Scene == r.Scene {
			found = s
		}
	}
	return found
}

// lookForRehearsals refuses to put anything on stage where that is not wanted.
func (a *applying) lookForRehearsals() error {
	for _, r := range a.file.rehearsals() {
		if !a.core.MayRehearse() {
			return r.fail("this is only for servers that were started with --rehearsal")
		}
	}
	return nil
}

// rehearsals are all of the file: those of certificates, then those of programs.
func (f *File) rehearsals() (all []rehearsal) {
	for _, c := range f.certificates {
		if c.rehearsal != nil {
			all = append(all, *c.rehearsal)
		}
	}
	for _, d := range f.devices {
		for _, p := range d.programs {
			if p.rehearsal != nil {
				all = append(all, *p.rehearsal)
			}
		}
	}
	return all
}

// stagings put on stage what is to be there, once everything else stands.
func (a *applying) stagings(ctx context.Context) error {
	for _, d := range a.file.devices {
		for _, p := range d.programs {
			if p.rehearsal == nil {
				continue
			}
			if err := a.rehearse(ctx, *p.rehearsal, p.dn, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// rehearse puts an object on stage, unless it stands so already. fresh: the file has
// just asked for its certificate, so that it cannot.
func (a *applying) rehearse(ctx context.Context, r rehearsal, dn clm.DN, fresh bool) error {
	r.DN = string(dn)
	if !fresh {
		isSo, err := a.core.OnStage(ctx, a.who, r.Rehearsal)
		isToCome := a.opt.Plan && (errors.Is(err, clm.NotFound) || errors.Is(err, clm.NotIssued))
		if err != nil && !isToCome {
			return r.refused(r.DN, err)
		}
		if isSo {
			return nil
		}
	}
	if !a.opt.Plan {
		if _, err := a.core.Rehearse(ctx, a.who, r.Rehearsal); err != nil {
			return r.refused(r.DN, err)
		}
	}
	a.say(r.line())
	return nil
}

func (r rehearsal) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "rehearse %s: %s", r.DN, r.Scene)
	if r.stage != "" {
		fmt.Fprintf(&b, " at stage %s", r.stage)
	}
	if r.Text != "" || r.Other != "" {
		fmt.Fprintf(&b, ": %s", cmp.Or(r.Text, r.Other))
	}
	return b.String()
}
