package tpp

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
	"github.com/certwright/certwright/internal/coretest"
)

// guardedModules are the calls of the other modules that want a right on an object, with
// the right and with what they answer who may not see the object, who may see it but
// not do that, and who may: a result code, or an HTTP status where the module has none.
// Each is about \VED\Policy\Shop\Sub or the certificate in it ({www}).
var guardedModules = []struct {
	call               string
	need               clm.Rights
	body               string
	none, allBut, done int
}{
	{"POST Metadata/GetItems", clm.View, `{"DN":"{dn}"}`, 2, 2, 0},
	{"POST Metadata/Get", clm.Read, `{"DN":"{dn}","All":true}`, 2, 7, 0},
	{"POST Metadata/ReadEffectiveValues", clm.Read, `{"DN":"{dn}","ItemGuid":"{field}"}`, 2, 7, 0},
	{"POST Metadata/ReadPolicy", clm.Read, `{"DN":"{dn}","ItemGuid":"{field}","Type":"Device"}`, 2, 7, 0},
	{"POST Metadata/Set", clm.Write, `{"DN":"{dn}","GuidData":[{"ItemGuid":"{field}","List":["{n}"]}],"KeepExisting":true}`, 2, 7, 0},
	{"POST Metadata/SetPolicy", clm.PolicyWrite, `{"DN":"{dn}","ConfigClass":"Device","GuidData":[{"ItemGuid":"{field}","List":["{n}"]}],"Locked":false}`, 2, 7, 0},
	{"POST SecretStore/LookupByOwner", clm.Read, `{"Namespace":"config","Owner":"{dn}"}`, 9, 10, 0},
	{"POST SecretStore/Add", clm.Write, `{"VaultType":128,"Keyname":"Software:Default","Base64Data":"{data}","Namespace":"config","Owner":"{dn}"}`, 9, 10, 0},
	{"POST SecretStore/OwnerDelete", clm.Write, `{"Namespace":"config","Owner":"{dn}"}`, 9, 10, 0},
	{"POST Credentials/Enumerate", clm.View, `{"CredentialPath":"{dn}"}`, 400, 400, 1},
	{"POST Credentials/Create", clm.Create, `{"CredentialPath":"{dn}\\secret{n}","FriendlyName":"Password","Values":[{"Name":"Password","Type":"string","Value":"Guess {n} times"}]}`, 400, 7, 1},
	{"POST Workflow/Ticket/Create", clm.Write, `{"ObjectDN":"{dn}\\www","WorkflowDN":"\\VED\\Policy\\Approval"}`, 6, 4, 1},
	{"GET Permissions/Object/{sub}", clm.ManagePermissions, ``, 400, 403, 200},
	{"PUT ProcessingEngines/Folder/{sub}", clm.PolicyWrite, `{"EngineGuids":[]}`, 404, 403, 200},
}

// TestModulesNeedRights tries the calls of the other modules in every standing.
func TestModulesNeedRights(t *testing.T) {
	t.Parallel()
	rig := coretest.New(t, coretest.SQLite(t), coretest.Options{Idle: true})
	r, ctx := newRightsRig(t, rig), context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	field := core.FieldsDN + `\Room`
	_, err := rig.Put(ctx, rig.Admin, core.Put{DN: field, Class: clm.CustomField, Own: map[clm.Attr][]string{
		clm.FieldKind: {clm.TextField}, clm.FieldClasses: {string(clm.Folder), string(clm.Device)}, clm.FieldPolicyable: {"1"},
	}})
	must(err)
	_, err = rig.Put(ctx, rig.Admin, core.Put{DN: `\VED\Policy\Approval`, Class: clm.Workflow, Own: map[clm.Attr][]string{clm.PointOf: {string(clm.Submit)}}, Rights: map[string]clm.Rights{"u": clm.View}})
	must(err)
	app := core.NewApplication("everything", "configuration:manage,delete;security:manage,delete;restricted:manage,delete")
	_, err = rig.PutApplication(ctx, rig.Admin, app, false)
	must(err)
	u, err := rig.PrincipalNamed(ctx, "u")
	must(err)
	g, err := rig.PrincipalNamed(ctx, "g")
	must(err)
	tokens, err := rig.Grant(ctx, clm.Actor{ID: u, Name: "u", Groups: []clm.PrincipalID{g}}, app, app.Scope)
	must(err)
	guid := func(dn string) string {
		o, err := rig.Object(ctx, rig.Admin, dn)
		must(err)
		return braced(o.ID)
	}
	for n, s := range standings {
		for _, c := range guardedModules {
			r.give(s.user, "u", c.need)
			r.give(s.group, "g", c.need)
			fill := strings.NewReplacer("{dn}", `\\VED\\Policy\\Shop\\Sub`, "{n}", fmt.Sprint(n), "{field}", guid(field), "{sub}", guid(`\VED\Policy\Shop\Sub`),
				"{data}", base64.StdEncoding.EncodeToString([]byte(fmt.Sprintf("secret %d", n))))
			method, path, _ := strings.Cut(fill.Replace(c.call), " ")
			q := httptest.NewRequest(method, "/vedsdk/"+path, strings.NewReader(fill.Replace(c.body)))
			q.Header.Set("Authorization", "Bearer "+string(tokens.Access.Reveal()))
			w := httptest.NewRecorder()
			r.handler.ServeHTTP(w, q)
			var answer struct{ Result *int }
			_ = json.Unmarshal(w.Body.Bytes(), &answer)
			got := w.Code
			if answer.Result != nil {
				got = *answer.Result
			}
			if want := map[string]int{"none": c.none, "all but": c.allBut, "it": c.done}[s.has]; got != want {
				t.Errorf("%s, %s: got %d %s, want %d", c.call, s.name, w.Code, w.Body, want)
			}
		}
	}
}
