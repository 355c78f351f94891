package tpp

import (
	"cmp"
	"errors"
	"mime"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/certwright/certwright/internal/api/lenient"
	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// maxBody is the largest request body. The largest honest ones, with a signing
// request of many names, have a tenth of it.
const maxBody = 1 << 20

// A call is a request being answered.
type call struct {
	*http.Request
	route   route
	session core.Session // zero on routes that are open to everybody
}

// who is the actor on whose behalf the call is made.
func (c *call) who() clm.Actor { return c.session.Actor }

// param is the part of the path that stands where the route has {name}, as it
// was sent.
func (c *call) param(name string) string {
	sent := segments(c.URL.Path)
	for i, part := range segments(c.route.pattern) {
		if part == "{"+name+"}" && i < len(sent) {
			return sent[i]
		}
	}
	return ""
}

// read makes a handler of one that wants the call's parameters decoded: the
// members of its JSON body, or the parameters of its form or query.
func read[T any](handle func(*api, *call, *T) answer) handler {
	return func(a *api, c *call) answer {
		in := new(T)
		if err := c.decode(in); err != nil {
			return c.malformed(err)
		}
		return handle(a, c, in)
	}
}

func (c *call) decode(v any) error {
	switch {
	case c.Method == http.MethodGet:
		return lenient.DecodeForm(c.URL.Query(), v)
	case c.isAuth() && c.hasForm():
		c.Body = http.MaxBytesReader(nil, c.Body, maxBody)
		if err := c.ParseForm(); err != nil {
			return errors.New("the form cannot be read")
		}
		return lenient.DecodeForm(c.PostForm, v)
	}
	return lenient.Decode(c.Body, maxBody, v)
}

func (c *call) hasForm() bool {
	kind, _, _ := mime.ParseMediaType(c.Header.Get("Content-Type"))
	return kind == "application/x-www-form-urlencoded"
}

func (c *call) isAuth() bool { return strings.HasPrefix(c.route.pattern, "/vedauth") }
func (c *call) isCertificates() bool {
	return strings.HasPrefix(c.route.pattern, "/vedsdk/certificates")
}

// malformed answers a body that cannot be decoded; each family has its own shape.
func (c *call) malformed(err error) answer {
	text := sentence(err.Error())
	switch {
	case errors.Is(err, lenient.ErrTooLarge):
		tooLarge := failure(http.StatusRequestEntityTooLarge, text)
		if c.isCertificates() {
			return tooLarge.saying(text)
		}
		return tooLarge
	case c.isAuth():
		return invalidRequest()
	case c.isCertificates():
		phrase := map[string]string{requestPattern: requesting.phrase, resetPattern: resetting.phrase}[c.route.pattern]
		return failure(http.StatusBadRequest, text).saying(cmp.Or(phrase, text))
	}
	return oauthError(http.StatusBadRequest, "invalid_request", text)
}

// sentence begins text with a capital letter and ends it with a full stop.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:] + "."
}
