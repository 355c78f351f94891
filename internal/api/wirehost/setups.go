package wirehost

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
	"github.com/certwright/certwright/internal/secret"
)

// setups are what a setup can say.
var setups = map[string]Command{
	// idle: nobody carries out work
	"idle": {Before: true, Do: func(h *Host, _ []string) error { h.idle = true; return nil }},
	// faulty: there is a CA outside that does as it is told (see ca), at coretest.FaultyCA;
	// the certificates below coretest.FaultyZone are ordered from it
	"faulty": {Before: true, Do: func(h *Host, _ []string) error { h.faulty = &coretest.Faulty{}; return nil }},
	// impatient: nobody waits long for what another transaction has locked
	"impatient": {Before: true, Do: func(h *Host, _ []string) error { h.wait = 100 * time.Millisecond; return nil }},
	// workflow DN FOLDER POINT [USER…]: a workflow, its approvers, and a folder that names it
	"workflow": {Do: (*Host).workflow},
	// asked DN N: waits until there are so many tickets about the object
	"asked": {Do: (*Host).asked},
	// object DN CLASS [NAME=VALUE…]
	"object": {Do: (*Host).object},
	// policy DN NAME locked|default VALUE…
	"policy": {Do: (*Host).policy},
	// user NAME [PASSWORD]
	"user": {Do: (*Host).user},
	// rights DN USER RIGHT…
	"rights": {Do: (*Host).rights},
	// application ID SCOPE [norefresh]
	"application": {Do: (*Host).application},
	// token VAR USER SCOPE
	"token": {Do: (*Host).token},
	// csr VAR KEY [NAME=VALUE…]
	"csr": {Do: (*Host).csr},
	// foreign VAR KEY [NAME=VALUE…] [ago=DURATION] [eku=OID…] [serial=HEX]: a certificate issued elsewhere
	"foreign": {Do: (*Host).foreign},
	// client NAME: a client certificate for @client
	"client": {Do: (*Host).client},
	// turn DURATION: turns the clock
	"turn": {Do: func(h *Host, args []string) error {
		by, err := time.ParseDuration(args[0])
		h.Rig.Clock.Turn(by)
		return err
	}},
	// scene DN SCENE [STAGE [TEXT]]: puts a certificate or application on stage, see
	// core.Rehearse; of key-foreign what follows is the other DN, of revocation-failed
	// STAGE is 1400
	"scene": {Do: (*Host).scene},
	// issued DN [NAME=VALUE…]: a certificate that has been issued; said again, it is renewed
	"issued": {Do: (*Host).issued},
	// version VAR DN [N]: VAR is the thumbprint of the certificate in use, or of the Nth;
	// VAR.lower, VAR.colons and VAR.blanks spell it otherwise, VAR.serial is the serial number
	"version": {Do: (*Host).version},
	// ca CALL refuses TEXT | unreachable TEXT | takes DURATION | well: what the faulty CA
	// makes of calls of the name, submit, collect or revoke, from now on. With holds it
	// keeps the answer to the next one to itself, asked waits for that, and answers lets
	// it go; with after N it answers when N calls of Revoke have been written down
	"ca": {Do: (*Host).ca},
	// bind APPLICATION CERTIFICATE: lets it use the certificate
	"bind": {Do: func(h *Host, args []string) error {
		_, err := h.Rig.Bind(context.Background(), h.Rig.Admin, args[0], args[1])
		return err
	}},
	// lock DN: another transaction has the object, until unlock
	"lock": {Do: func(h *Host, args []string) (err error) {
		if h.locked, err = h.Rig.Lock(args[0]); err == nil {
			h.T.Cleanup(h.locked)
		}
		return err
	}},
	"unlock": {Do: func(h *Host, _ []string) error { h.locked(); return nil }},
	// audited ACTION NUMBER: waits until there are so many entries of it, or more, in the audit log
	"audited": {Do: (*Host).audited},
	// fault WORDS [N]: the next statement of a write with these words in it fails, or the Nth
	"fault": {Do: func(h *Host, args []string) error { return h.faults.next(args, errors.New("the disk is full")) }},
	// vanish WORDS [N]: the next statement of a write with these words in it finds nothing, or the Nth
	"vanish": {Do: func(h *Host, args []string) error { return h.faults.next(args, sql.ErrNoRows) }},
	// run: somebody carries out work from now on; rest: nobody does
	"run":  {Do: func(h *Host, _ []string) error { h.again(false); return nil }},
	"rest": {Do: func(h *Host, _ []string) error { h.again(true); return nil }},
	// target VAR: VAR is a directory on the device, which is the machine of the test
	"target": {Do: func(h *Host, args []string) error { h.Wire.Vars[args[0]] = h.T.TempDir(); return nil }},
	// record VAR DN [N]: VAR is the ID of the record of the version in use, or of the Nth;
	// VAR.uuid its other name, VAR.serial the serial number in pairs, VAR.lower the same in
	// small letters, VAR.bare the digits alone, VAR.cn the common name, VAR.thumbprint
	"record": {Do: (*Host).record},
	// imported FOLDER NAME FOREIGN [record=ID] [nokey] [NAME=VALUE…]: takes in what foreign has
	// made under a name, with the ID that its record has elsewhere
	"imported": {Do: (*Host).imported},
	// over ORDER: waits until the order is over, or stands before a gate
	"over": {Do: (*Host).over},
	// decided ORDER yes|no: answers the gate before which the order stands
	"decided": {Do: (*Host).decided},
	// settled APPLICATION…: waits until nothing is under way there: it is done or has stopped
	"settled": {Do: (*Host).settled},
}

func (h *Host) audited(args []string) error {
	wanted, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		all, err := h.Rig.DB.Audit(context.Background(), 0, 10_000)
		if err != nil {
			return err
		}
		n := 0
		for _, e := range all {
			if e.Action == args[0] {
				n++
			}
		}
		if n >= wanted {
			return nil
		}
	}
	return errors.New("there are not")
}

func (h *Host) scene(args []string) error {
	r := core.Rehearsal{DN: args[0], Scene: core.Scene(args[1])}
	if r.Scene == core.SceneKeyForeign {
		r.Other = args[2]
		args = args[:2]
	}
	if len(args) > 2 {
		r.Stage = h.stageNamed(args[2])
	}
	r.Text = strings.Join(args[min(3, len(args)):], " ")
	_, err := h.Rig.Rehearse(context.Background(), h.Rig.Admin, r)
	return err
}

// stageNamed finds a stage by the dialect's word for it; where it means several it is
// that in which the certificate is fetched.
func (h *Host) stageNamed(word string) (found clm.Stage) {
	if h.dialect.Stages == nil {
		return clm.Stage(word)
	}
	for stage, name := range h.dialect.Stages {
		if name == word && (found == "" || stage == clm.Collect) {
			found = stage
		}
	}
	return found
}

// nameOf is the dialect's word for a stage.
func (h *Host) nameOf(stage clm.Stage) string {
	if h.dialect.Stages == nil {
		return string(stage)
	}
	return h.dialect.Stages[stage]
}

func (h *Host) object(args []string) error {
	class, kind := names.Class(args[1])
	own := map[clm.Attr][]string{}
	if kind != "" {
		own[map[clm.Class]clm.Attr{clm.Authority: clm.AuthorityKind, clm.CustomField: clm.FieldKind}[class]] = []string{kind}
	}
	for _, arg := range args[2:] {
		name, value, _ := strings.Cut(arg, "=")
		own[names.Attr(name)] = append(own[names.Attr(name)], value)
	}
	_, err := h.Rig.Put(context.Background(), h.Rig.Admin, core.Put{DN: args[0], Class: class, Own: own})
	return err
}

func (h *Host) policy(args []string) error {
	key := clm.PolicyKey{Class: clm.AnyCertificate, Attr: names.Attr(args[1])}
	_, err := h.Rig.Put(context.Background(), h.Rig.Admin, core.Put{DN: args[0], Class: clm.Folder,
		Policy: map[clm.PolicyKey]clm.Rule{key: {Values: args[3:], Locked: args[2] == "locked"}}})
	return err
}

func (h *Host) user(args []string) error {
	p := core.PutPrincipal{Name: args[0]}
	if len(args) > 1 {
		p.Password = secret.NewString(args[1])
	}
	_, err := h.Rig.PutPrincipal(context.Background(), h.Rig.Admin, p)
	return err
}

// rightNames are the rights as setups spell them.
var rightNames = map[string]clm.Rights{
	"view": clm.View, "read": clm.Read, "write": clm.Write, "create": clm.Create, "keyread": clm.KeyRead, "keywrite": clm.KeyWrite, "delete": clm.Delete,
	"associate": clm.Associate, "all": clm.AllRights,
}

func (h *Host) rights(args []string) error {
	var rights clm.Rights
	for _, name := range args[2:] {
		rights |= rightNames[name]
	}
	node, err := h.Rig.Object(context.Background(), h.Rig.Admin, args[0])
	if err != nil {
		return err
	}
	_, err = h.Rig.Put(context.Background(), h.Rig.Admin, core.Put{DN: args[0], Class: node.Class, Rights: map[string]clm.Rights{args[1]: rights}})
	return err
}

func (h *Host) application(args []string) error {
	a := core.NewApplication(args[0], args[1])
	a.Refreshable = len(args) < 3
	_, err := h.Rig.PutApplication(context.Background(), h.Rig.Admin, a, false)
	return err
}

func (h *Host) token(args []string) error {
	ctx := context.Background()
	who := h.Rig.Admin
	if args[1] != core.Admin {
		password := secret.NewString("a Password 4 " + args[1])
		if _, err := h.Rig.PutPrincipal(ctx, h.Rig.Admin, core.PutPrincipal{Name: args[1], Password: password}); err != nil {
			return err
		}
		var err error
		if who, err = h.Rig.Login(ctx, core.Login{Name: args[1], Password: password, Address: "127.0.0.1"}); err != nil {
			return err
		}
	}
	app, err := h.Rig.Application(ctx, "vcert-sdk")
	if err != nil {
		return err
	}
	tokens, err := h.Rig.Grant(ctx, who, app, args[2])
	h.Wire.Vars[args[0]] = string(tokens.Access.Reveal())
	h.Wire.Vars[args[0]+".refresh"] = string(tokens.Refresh.Reveal())
	h.Wire.Vars[args[0]+".identity"] = string(who.ID)
	if h.dialect.Principal != nil {
		h.Wire.Vars[args[0]+".identity"] = h.dialect.Principal(who.ID)
	}
	return err
}
