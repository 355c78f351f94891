package avx

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// The largest request bodies.
const (
	maxBody   = 1 << 20
	maxUpload = 10 << 20
)

// A call is a request being answered.
type call struct {
	*http.Request
	writer  http.ResponseWriter // for the deadlines of its connection alone; see reply
	route   route
	session core.Session // zero on routes that are open to everybody
	query   query
}

// who is the actor on whose behalf the call is made.
func (c *call) who() clm.Actor { return c.session.Actor }

// A query is what the query of every call may say.
type query struct {
	source       string // gwsource: a label for the audit log
	autoApproval bool   // unless it says otherwise
	isSync       bool
	ttl          time.Duration // so long a call waits that is to be answered when all is done; maxTTL at most
}

// readQuery reads what every query may say, and must.
func (c *call) readQuery() *answer {
	wrong := func(field string) *answer {
		a := fail(mandatory(field))
		return &a
	}
	values, err := url.ParseQuery(c.URL.RawQuery)
	if err != nil {
		if name := garbledFlag(c.URL.RawQuery); name != "" {
			return wrong(name)
		}
	}
	for _, list := range values {
		for i := range list {
			list[i] = legible(list[i])
		}
	}
	c.Request = c.WithContext(c.Context()) // a copy
	c.URL = new(*c.URL)
	c.URL.RawQuery = values.Encode()
	c.query = query{source: strings.TrimSpace(values.Get("gwsource")), autoApproval: true, ttl: defaultTTL}
	if c.query.source == "" {
		return wrong("gwsource")
	}
	for _, flag := range []struct {
		name string
		into *bool
	}{{"autoApproval", &c.query.autoApproval}, {"isSync", &c.query.isSync}} {
		isSaid := false
		for _, text := range values[flag.name] {
			text = strings.TrimSpace(text)
			value, ok := flags[strings.ToLower(text)]
			switch {
			case text == "":
				continue
			case !ok || isSaid && value != *flag.into:
				return wrong(flag.name)
			}
			*flag.into, isSaid = value, true
		}
	}
	if text := strings.TrimSpace(values.Get("ttl")); text != "" && c.query.isSync {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) || seconds <= 0 {
			return wrong("ttl")
		}
		c.query.ttl = time.Duration(min(seconds, int64(maxTTL/time.Second))) * time.Second
	}
	c.session.Actor.Via = "avx " + c.query.source
	return nil
}

// garbledFlag is the name of a yes or no that the query says in a way which cannot be read.
func garbledFlag(query string) string {
	for pair := range strings.SplitSeq(query, "&") {
		_, err := url.ParseQuery(pair)
		for _, name := range []string{"autoApproval", "isSync"} {
			if err != nil && strings.Contains(pair, name) {
				return name
			}
		}
	}
	return ""
}

// flags are the yeses and noes of a query.
var flags = map[string]bool{"true": true, "yes": true, "1": true, "false": false, "no": false, "0": false}

// read makes a handler of one that wants the members of the call's body.
func read[T any](handle func(*api, *call, *T) answer) handler {
	return readUpTo(maxBody, handle)
}

// readUpTo is read for bodies of up to most bytes.
func readUpTo[T any](most int64, handle func(*api, *call, *T) answer) handler {
	return func(a *api, c *call) answer {
		in := new(T)
		if f := c.decode(most, in); f != nil {
			return fail(*f)
		}
		return handle(a, c, in)
	}
}

// blankMember is a member with a blank text in a JSON object that is well-formed.
var blankMember = regexp.MustCompile(`:\s*" *"`)

// decode reads the body, which must be a JSON object. Where a member must be an object a
// blank text is as good as none.
func (c *call) decode(most int64, into any) *failure {
	f := badPayload
	if kind, _, err := mime.ParseMediaType(c.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		f.status = http.StatusUnsupportedMediaType
		return &f
	}
	body, err := io.ReadAll(io.LimitReader(c.Body, most+1))
	if err == nil && int64(len(body)) <= most {
		body = legibleJSON(body)
		err = lenient.Decode(bytes.NewReader(body), most, into)
	} else if err == nil {
		err = lenient.ErrTooLarge
	}
	if err != nil && json.Valid(body) && blankMember.Match(body) {
		err = lenient.Decode(bytes.NewReader(blankMember.ReplaceAll(body, []byte(":null"))), most, into)
	}
	switch {
	case errors.Is(err, lenient.ErrTooLarge):
		f.status = http.StatusRequestEntityTooLarge
		return &f
	case err != nil:
		return &f
	}
	return nil
}

// unreadable is what stands for what is no text: a zero, or octets that are not UTF-8.
// Not every database can be asked for those. Nothing has a name with it.
const unreadable = utf8.RuneError

// legible is the text with unreadable for what is no text.
func legible(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, string(unreadable)), "\x00", string(unreadable))
}

// jsonEscape is an escape in JSON.
var jsonEscape = regexp.MustCompile(`\\(u0000|.)`)

// legibleJSON is legible for JSON, whose decoder takes care of all but zeros.
func legibleJSON(body []byte) []byte {
	const zero = `\u0000`
	if !bytes.Contains(body, []byte(zero)) {
		return body
	}
	return jsonEscape.ReplaceAllFunc(body, func(escape []byte) []byte {
		if string(escape) == zero {
			return []byte(string(unreadable))
		}
		return escape
	})
}

// isLegible reports whether all of it is text.
func isLegible(s string) bool { return !strings.ContainsRune(s, unreadable) }

// areLegible reports whether all of each is text.
func areLegible(all []string) bool {
	return !slices.ContainsFunc(all, func(s string) bool { return !isLegible(s) })
}

// isLine reports whether it is text in one line, as names are.
func isLine(s string) bool { return isLegible(s) && !strings.ContainsFunc(s, unicode.IsControl) }

// text is a member that must be a string to count: what is missing, null, blank or of
// another type is empty.
type text string

// UnmarshalJSON does not fail.
func (t *text) UnmarshalJSON(data []byte) error {
	var s lenient.String
	if len(data) > 0 && data[0] == '"' && s.UnmarshalJSON(data) == nil {
		*t = text(s.Trimmed())
	} else {
		*t = ""
	}
	return nil
}

// A function is what an account may be allowed to do.
type function string

// The functions. Service accounts may be limited to some of them; users may do all that
// their rights on groups allow.
const (
	mayView        function = "view"
	mayCreate      function = "create"
	mayRenew       function = "renew"
	mayRegenerate  function = "regenerate"
	mayReissue     function = "reissue"
	mayRevoke      function = "revoke"
	maySuspend     function = "suspend"
	mayReinstate   function = "reinstate"
	mayDownload    function = "download"
	mayDownloadKey function = "download-key"
	mayUpload      function = "upload"
	mayDelete      function = "delete"
	mayApprove     function = "approve"
	mayPush        function = "push"
	mayManage      function = "manage-groups"
)

// may reports whether the account of the call may do it.
func (c *call) may(f function) bool {
	if c.session.Scope == "" {
		return true
	}
	return slices.Contains(strings.FieldsFunc(c.session.Scope, func(r rune) bool { return r == ',' || r == ' ' }), string(f))
}

// requestID is the number of an order as the product writes it, and as it is accepted.
func requestID(id clm.WorkID) string { return fmt.Sprint(int64(id)) }
