package tpp

import (
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/certwright/certwright/internal/api/names"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/pki"
)

// internalText is all that a client learns of a fault of ours.
const internalText = "An internal error occurred. The server's log says more."

// A way is one way to fail: a kind, and the field or, for management types, the
// value that tells it from others of its kind. An empty field stands for the rest.
type way struct {
	kind  clm.Kind
	field string
}

// Fields that only this package knows.
const (
	fieldMissingDN  = "missing-dn"
	fieldTimeout    = "work-to-do-timeout"
	fieldFormat     = "format"
	fieldNoPassword = "password"
	fieldWeak       = "weak-password"
	fieldNoAlias    = "friendly-name"
	fieldLongName   = "friendly-name/long"
	fieldCipher     = "encryption-algorithm"
	fieldPerson     = "principal"

	fieldNoStorePassword = "keystore-password"
	fieldNotBase64       = "csr/base64"
	fieldAny             = "authority/none"
	fieldNoName          = "name/none"
	fieldCustom          = "custom-field"
	fieldOwnCSR          = "user-csr/none"
	fieldMissing         = "missing"
	fieldAttribute       = "attribute"
	fieldUnseen          = "bound/unseen"
	fieldReason          = "reason"
	fieldUserType        = "type/user"
	fieldSigningType     = "type/code-signing"
)

// wayOf finds the way in which e failed.
func wayOf(e *clm.Error) way {
	switch {
	case e.Kind == clm.Unmanaged:
		return way{e.Kind, e.Value}
	case e.Kind == clm.Invalid && e.Field == "csr" && errors.Is(e.Err, pki.ErrNotBase64):
		return way{e.Kind, fieldNotBase64}
	case e.Kind == clm.Invalid && e.Field == "authority" && e.Value == "":
		return way{e.Kind, fieldAny}
	case e.Kind == clm.Invalid && e.Field == "name" && e.Value == "":
		return way{e.Kind, fieldNoName}
	case e.Kind == clm.Exists && e.Field == "bound" && e.Value == "":
		return way{e.Kind, fieldUnseen}
	case e.Kind == clm.Unsupported && e.Field == "type" && e.Value == string(clm.UserCertificate):
		return way{e.Kind, fieldUserType}
	case e.Kind == clm.Unsupported && e.Field == "type" && e.Value == string(clm.CodeSigningCertificate):
		return way{e.Kind, fieldSigningType}
	}
	return way{e.Kind, e.Field}
}

// A saying is a text of the vendor's. {subject}, {value}, {cause} and {attribute},
// the vendor's name of the field, stand for what the failure is about; DNs and values judged by policy are quoted where the
// vendor quotes them.
type saying struct {
	text   string
	phrase string // the reason phrase, if it is not the operation's
	fault  bool   // the vendor answers it with HTTP 500, as a request that was made and has failed
}

type words map[way]saying

// sameText as a reason phrase repeats the text.
const sameText = "{text}"

// An operation is how one call refuses.
type operation struct {
	words   words
	rules   map[clm.RuleName]string // texts of policy, where they differ from those of Renew
	phrase  string                  // the reason phrase; empty repeats the text
	success bool                    // its failures carry "Success":false
	members []string                // further members that repeat the text
}

// say words a failure.
func (o operation) say(e *clm.Error) saying {
	if e.Kind == clm.Violation {
		return saying{text: o.sayBreaches(e.Breaches)}
	}
	s, ok := o.words[wayOf(e)]
	if !ok {
		s, ok = o.words[way{kind: e.Kind}]
	}
	if !ok {
		s.text = internalText
	}
	fill := strings.NewReplacer("{subject}", e.Subject, "{value}", valueOf(e), "{cause}", cause(e), "{attribute}", names.AttrName(clm.Attr(e.Field)))
	return saying{text: fill.Replace(s.text), phrase: fill.Replace(s.phrase), fault: s.fault}
}

// valueOf is the value of a failure in the vendor's terms: classes have their names, and
// points at which work stands their numbers.
func valueOf(e *clm.Error) string {
	switch stage, isStage := stages[clm.Stage(e.Value)]; {
	case e.Field == "class", e.Kind == clm.Unsupported && (e.Field == "type" || e.Field == "certificate" || e.Field == "application"):
		return names.ClassName(clm.Class(e.Value))
	case e.Kind == clm.Busy && isStage:
		return strconv.Itoa(stage.number)
	}
	return e.Value
}

// cause is what is wrong with a signing request that is no base64; of no other
// failure is the cause ever shown.
func cause(e *clm.Error) string {
	if wayOf(e).field != fieldNotBase64 {
		return ""
	}
	_, detail, _ := strings.Cut(e.Err.Error(), pki.ErrNotBase64.Error()+": ")
	return detail
}

func (o operation) sayBreaches(breaches []clm.Breach) string {
	var texts []string
	for _, b := range breaches {
		text, ok := o.rules[b.Rule]
		if !ok {
			text = names.RuleTexts[b.Rule]
		}
		texts = append(texts, strings.ReplaceAll(text, "{value}", b.Value))
	}
	return strings.Join(texts, "\r\n")
}

// refuse answers a call that failed. about names the object when the failure does not.
func (a *api) refuse(c *call, o operation, about string, err error) answer {
	e := clm.AsError(clm.About(about, err))
	status := http.StatusBadRequest
	s := o.say(e)
	if s.text == internalText {
		a.logFault(c, err)
		status, s = http.StatusInternalServerError, saying{text: internalText, phrase: sameText}
	}
	body := map[string]any{"Error": s.text}
	if o.success {
		body["Success"] = false
	}
	if s.fault {
		status, body["Requested"] = http.StatusInternalServerError, true
		a.logFault(c, err)
	}
	for _, member := range o.members {
		body[member] = s.text
	}
	phrase := s.phrase
	if phrase == "" {
		phrase = o.phrase
	}
	if phrase == "" || phrase == sameText {
		phrase = s.text
	}
	return answer{status: status, body: body, phrase: phrase}
}

// union merges tables; later ones win.
func union(tables ...words) words {
	all := words{}
	for _, t := range tables {
		maps.Copy(all, t)
	}
	return all
}
