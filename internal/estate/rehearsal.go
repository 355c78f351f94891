package estate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// A rehearsal is a state in which a certificate is put on stage.
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
	state    clm.State
	isDefect bool // something is wrong with the certificate in use; otherwise work stands so
}

// scenes are the states, in the order in which errors name them.
var scenes = []scene{
	{Scene: core.SceneError, hasStage: true, hasText: true, state: clm.Stopped},
	{Scene: core.SceneQueued, state: clm.Queued},
	{Scene: core.SceneProcessing, hasStage: true, state: clm.Processing},
	{Scene: core.SceneNoCSR, state: clm.AwaitsCSR},
	{Scene: core.SceneTicket, hasStage: true, state: clm.Gated},
	{Scene: core.SceneKeyMismatch, isDefect: true},
	{Scene: core.SceneKeyMissing, isDefect: true},
	{Scene: core.SceneNoCertificate, isDefect: true},
	{Scene: core.SceneIdle},
}

// stageNumbers are the stages by their numbers.
var stageNumbers = map[string]clm.Stage{"300": clm.CreateKey, "400": clm.CreateCSR, "500": clm.Submit, "700": clm.Collect}

func readRehearsal(v value) (rehearsal, error) {
	r := rehearsal{place: v.place()}
	var words []string
	for _, s := range scenes {
		words = append(words, string(s.Scene))
	}
	state := ""
	err := v.object(keys{
		"state": to(&state, one(words...)),
		"stage": to(&r.stage, one("300", "400", "500", "700")),
		"text":  to(&r.Text, line),
	})
	r.Scene, r.Stage = core.Scene(state), stageNumbers[r.stage]
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
	case s.hasStage && r.stage == "":
		r.stage, r.Stage = "500", clm.Submit
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
	for _, c := range a.file.certificates {
		if c.rehearsal != nil && !a.core.MayRehearse() {
			return c.rehearsal.fail("this is only for servers that were started with --rehearsal")
		}
	}
	return nil
}

// rehearse puts a certificate on stage, unless it stands so already. fresh: the
// file has just asked for its certificate, so that it cannot.
func (a *applying) rehearse(ctx context.Context, want certificate, found core.Details, fresh bool) error {
	r := *want.rehearsal
	r.DN = string(want.dn)
	if !fresh {
		isSo, err := a.stands(ctx, r, found)
		if err != nil {
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

// stands reports whether the certificate is on stage already.
func (a *applying) stands(ctx context.Context, r rehearsal, found core.Details) (bool, error) {
	switch open, s := found.Open, r.scene(); {
	case r.Scene == core.SceneIdle:
		return open == nil, nil
	case !s.isDefect:
		return open != nil && open.State == s.state && open.Failure == r.Text && (!s.hasStage || open.Stage == r.Stage), nil
	case found.Place.Current == 0:
		return false, nil
	case r.Scene == core.SceneNoCertificate:
		return len(found.Version.Cert) == 0, nil
	case r.Scene == core.SceneKeyMissing:
		return len(found.Version.Sealed) == 0, nil
	}
	_, err := a.core.Retrieve(ctx, a.who, core.Retrieve{DN: r.DN, WithKey: true, InUse: true})
	if errors.Is(err, clm.NoKey) && clm.AsError(err).Field == "mismatch" {
		return true, nil
	}
	if errors.Is(err, clm.NoKey) || errors.Is(err, clm.NotIssued) {
		err = nil
	}
	return false, err
}

func (r rehearsal) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "rehearse %s: %s", r.DN, r.Scene)
	if r.stage != "" {
		fmt.Fprintf(&b, " at stage %s", r.stage)
	}
	if r.Text != "" {
		fmt.Fprintf(&b, ": %s", r.Text)
	}
	return b.String()
}
