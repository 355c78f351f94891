// Package relying speaks to relying parties: whoever is shown a certificate and
// wants to know whether it still holds. It serves the certificates of the CAs whose
// keys are held here, their revocation lists and the answers of their OCSP
// responder, to anybody, over plain HTTP: all of it is signed, and whoever needs it
// to judge a TLS certificate cannot ask over TLS. See RFC 5280, RFC 6960, RFC 5019.
package relying

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// keepFor is how long others may keep what they get without asking whether it is
// still the same, unless it ends sooner.
const keepFor = 10 * time.Minute

// Limits of what is done for anybody who asks.
const (
	maxRequests = 512             // requests under way at a time
	maxWhole    = 8               // those among them that are for whole lists, which may be long
	wholeTime   = 3 * time.Minute // for sending a whole list
	retryAfter  = 5               // seconds after which whoever is turned away may come again
)

// Options are what a Handler may be told.
type Options struct {
	Count func(status string) // called with one of Statuses for all that is told by OCSP; nil: nobody counts
	Log   *slog.Logger
}

// Handler serves what is below the addresses that certificates name, see ca.ListURL.
// It serves a limited number of requests at a time and turns others away.
func Handler(c *core.Core, o Options) http.Handler {
	if o.Count == nil {
		o.Count = func(string) {}
	}
	return handler{core: c, count: o.Count, log: o.Log, requests: make(chan struct{}, maxRequests), whole: make(chan struct{}, maxWhole)}
}

type handler struct {
	core            *core.Core
	count           func(status string)
	log             *slog.Logger
	requests, whole chan struct{} // hold a token for each request under way, and for each that is for a whole list
}

// A route answers what lies below a first folder; rest is still escaped.
type route struct {
	methods []string
	fits    func(method, rest string) bool // rest is something that may be there
	serve   func(h handler, w http.ResponseWriter, r *http.Request, rest string)
}

var routes = map[string]route{
	"ca":   {[]string{http.MethodGet, http.MethodHead}, isCert, handler.serveCert},
	"crl":  {[]string{http.MethodGet, http.MethodHead}, isList, handler.serveList},
	"ocsp": {[]string{http.MethodGet, http.MethodHead, http.MethodPost}, isRequest, handler.serveStatus},
}

// ServeHTTP serves what the path names, unless too many others are being served.
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !takeToken(h.requests) {
		if strings.Contains(r.URL.Path+"/", "/ocsp/") {
			h.count(tryLater)
		}
		turnAway(w)
		return
	}
	defer func() { <-h.requests }()
	to, rest, err := h.find(r)
	switch {
	case err != nil:
		h.refuse(w, r, err)
	case to.serve == nil:
		http.NotFound(w, r)
	case !slices.Contains(to.methods, r.Method):
		w.Header().Set("Allow", strings.Join(to.methods, ", "))
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	default:
		w.Header().Set("X-Content-Type-Options", "nosniff")
		to.serve(h, w, r, rest)
	}
}

// takeToken takes a token if one is left.
func takeToken(tokens chan struct{}) bool {
	select {
	case tokens <- struct{}{}:
		return true
	default:
		return false
	}
}

func turnAway(w http.ResponseWriter) {
	w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "too many requests at a time", http.StatusServiceUnavailable)
}

// find finds the route of the request: by its path as it is, as a proxy that strips
// the path of our address sends it, and then below the path of each address that
// certificates name or have named. The first one that fits counts; where none does,
// the first one that there is. The path is taken as it was sent: the text of an OCSP
// request in it is neither cleaned nor unescaped before its time.
func (h handler) find(r *http.Request) (to route, rest string, err error) {
	path := r.URL.EscapedPath()
	to, rest = routeOf(path)
	if to.serve != nil && to.fits(r.Method, rest) {
		return to, rest, nil
	}
	addresses, err := h.core.PublishURLs(r.Context())
	if err != nil {
		return route{}, "", err
	}
	for _, address := range addresses {
		below, ok := cutPath(path, address)
		if !ok {
			continue
		}
		other, otherRest := routeOf(below)
		if other.serve == nil {
			continue
		}
		if other.fits(r.Method, otherRest) {
			return other, otherRest, nil
		}
		if to.serve == nil {
			to, rest = other, otherRest
		}
	}
	return to, rest, nil
}

// routeOf is the route of the path's first folder, and what comes after that.
func routeOf(path string) (to route, rest string) {
	folder, rest, _ := strings.Cut(strings.TrimLeft(path, "/"), "/")
	return routes[folder], rest
}

// cutPath cuts the path of the address off. ok: it stands there.
func cutPath(path, address string) (below string, ok bool) {
	u, err := url.Parse(address)
	if err != nil {
		return "", false
	}
	below, ok = strings.CutPrefix(path, strings.TrimRight(u.EscapedPath(), "/"))
	return below, ok && strings.HasPrefix(below, "/")
}

func isCert(_, rest string) bool {
	_, ok := fileName(rest, ".cer")
	return ok
}

func isList(_, rest string) bool {
	_, _, ok := listName(rest)
	return ok
}

// serveCert serves {issuer}.cer.
func (h handler) serveCert(w http.ResponseWriter, r *http.Request, rest string) {
	name, ok := fileName(rest, ".cer")
	if !ok {
		http.NotFound(w, r)
		return
	}
	der, err := h.core.Certificate(r.Context(), name)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	h.send(w, r, document{kind: "application/pkix-cert", body: der})
}

// serveList serves {issuer}/{shard}.crl and {issuer}.crl.
func (h handler) serveList(w http.ResponseWriter, r *http.Request, rest string) {
	name, shard, ok := listName(rest)
	if !ok {
		http.NotFound(w, r)
		return
	}
	if shard == core.WholeList {
		if !takeToken(h.whole) {
			turnAway(w)
			return
		}
		defer func() { <-h.whole }()
		// Where the time cannot be set there is no limit to it either.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(wholeTime))
	}
	list, err := h.core.List(r.Context(), name, shard)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	// There are no two lists of a part with the same number.
	h.send(w, r, document{kind: "application/pkix-crl", body: list.DER, tag: strconv.FormatInt(list.Number, 10), until: list.Until})
}

// listName reads which list of which issuer is meant.
func listName(rest string) (name string, shard int64, ok bool) {
	name, number, isPart := strings.Cut(rest, "/")
	if !isPart {
		name, ok = fileName(rest, ".crl")
		return name, core.WholeList, ok
	}
	if shard, ok = shardOf(number); ok {
		name, ok = unescaped(name)
	}
	return name, shard, ok
}

// fileName is the name of the file without its ending. There is no file in a folder.
func fileName(escaped, ending string) (name string, ok bool) {
	name, ok = unescaped(escaped)
	if !ok || strings.Contains(escaped, "/") {
		return "", false
	}
	name, ok = strings.CutSuffix(name, ending)
	return name, ok && name != ""
}

func unescaped(s string) (string, bool) {
	text, err := url.PathUnescape(s)
	return text, err == nil
}

// shardOf reads the number of a part, in the one way in which certificates write it.
func shardOf(file string) (int64, bool) {
	digits, ok := strings.CutSuffix(file, ".crl")
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, ok && err == nil && n >= 0 && strconv.FormatInt(n, 10) == digits
}

// refuse says why there is nothing to serve.
func (h handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, clm.NotFound) {
		http.NotFound(w, r)
		return
	}
	h.report(r, err)
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "not available at present", http.StatusServiceUnavailable)
}

// report logs a fault of ours. That somebody has gone away is none.
func (h handler) report(r *http.Request, err error) {
	if r.Context().Err() == nil {
		h.log.Error("serve relying parties", slog.String("path", r.URL.Path), slog.Any("error", err))
	}
}

// A document is something signed that is the same for everybody.
type document struct {
	kind  string // media type
	body  []byte
	tag   string    // no other document at its place has it; empty: it follows from the body
	made  time.Time // zero: nobody needs to know
	until time.Time // zero: it does not end while anybody cares
}

// send sends the document with all that caches need to know (RFC 5019, section 6.2),
// or says that it is the one that the client has. That is told by the tag alone: two
// documents may have been made within one second, which is all that times tell.
func (h handler) send(w http.ResponseWriter, r *http.Request, d document) {
	if d.tag == "" {
		sum := sha256.Sum256(d.body)
		d.tag = hex.EncodeToString(sum[:])
	}
	header := w.Header()
	header.Set("Content-Type", d.kind)
	header.Set("ETag", `"`+d.tag+`"`)
	header.Set("Cache-Control", fmt.Sprintf("max-age=%d, public, no-transform, must-revalidate", maxAge(d.until, time.Now())))
	if !d.until.IsZero() {
		header.Set("Expires", d.until.UTC().Format(http.TimeFormat))
	}
	if !d.made.IsZero() {
		header.Set("Last-Modified", d.made.UTC().Format(http.TimeFormat))
	}
	if r.Method == http.MethodPost { // nobody keeps the answer to a POST
		w.Write(d.body)
		return
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(d.body))
}

// maxAge is for how many seconds from now a document may be kept that ends then.
func maxAge(until, now time.Time) int {
	age := keepFor
	if !until.IsZero() {
		age = min(age, max(until.Sub(now), 0))
	}
	return int(age.Seconds())
}
