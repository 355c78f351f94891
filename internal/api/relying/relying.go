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
	"strconv"
	"strings"
	"time"

	"github.com/certwright/certwright/internal/clm"
	"github.com/certwright/certwright/internal/core"
)

// keepFor is how long others may keep what they get without asking whether it is
// still the same. Nothing is served that ends sooner: it is made anew in the middle
// of its life.
const keepFor = 10 * time.Minute

// Options are what a Handler may be told.
type Options struct {
	Below string // the path of the address that certificates name; it may be missing in requests
	Log   *slog.Logger
}

// Handler serves what is below the address that certificates name, see ca.ListURL.
func Handler(c *core.Core, o Options) http.Handler {
	return handler{c, strings.TrimRight(o.Below, "/"), o.Log}
}

type handler struct {
	core  *core.Core
	below string
	log   *slog.Logger
}

// A route answers what lies below a first folder; rest is still escaped.
type route struct {
	methods []string
	serve   func(h handler, w http.ResponseWriter, r *http.Request, rest string)
}

var routes = map[string]route{
	"ca":   {[]string{http.MethodGet, http.MethodHead}, handler.serveCert},
	"crl":  {[]string{http.MethodGet, http.MethodHead}, handler.serveList},
	"ocsp": {[]string{http.MethodGet, http.MethodHead, http.MethodPost}, handler.serveStatus},
}

// ServeHTTP finds the route by the path as it was sent: the text of an OCSP request
// in it is neither cleaned nor unescaped before its time.
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	if below, ok := strings.CutPrefix(path, h.below); ok && strings.HasPrefix(below, "/") {
		path = below
	}
	folder, rest, _ := strings.Cut(strings.TrimLeft(path, "/"), "/")
	to, ok := routes[folder]
	if !ok {
		http.NotFound(w, r)
		return
	}
	for _, m := range to.methods {
		if m == r.Method {
			w.Header().Set("X-Content-Type-Options", "nosniff")
			to.serve(h, w, r, rest)
			return
		}
	}
	w.Header().Set("Allow", strings.Join(to.methods, ", "))
	http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
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
	name, number, isPart := strings.Cut(rest, "/")
	shard, ok := core.WholeList, false
	if isPart {
		if shard, ok = shardOf(number); ok {
			name, ok = unescaped(name)
		}
	} else {
		name, ok = fileName(name, ".crl")
	}
	if !ok {
		http.NotFound(w, r)
		return
	}
	list, err := h.core.List(r.Context(), name, shard)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	h.send(w, r, document{kind: "application/pkix-crl", body: list.DER, made: list.Made, until: list.Until})
}

// fileName is the name of the file without its ending.
func fileName(escaped, ending string) (name string, ok bool) {
	name, ok = unescaped(escaped)
	if !ok {
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
	kind        string // media type
	body        []byte
	made, until time.Time // zero: it does not end while anybody cares
}

// send sends the document with all that caches need to know (RFC 5019, section 6.2),
// or says that it is the one that the client has.
func (h handler) send(w http.ResponseWriter, r *http.Request, d document) {
	sum := sha256.Sum256(d.body)
	header := w.Header()
	header.Set("Content-Type", d.kind)
	header.Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
	header.Set("Cache-Control", fmt.Sprintf("max-age=%d, public, no-transform, must-revalidate", int(keepFor.Seconds())))
	if !d.until.IsZero() {
		header.Set("Expires", d.until.UTC().Format(http.TimeFormat))
	}
	if r.Method == http.MethodPost { // nobody keeps the answer to a POST
		w.Write(d.body)
		return
	}
	http.ServeContent(w, r, "", d.made, bytes.NewReader(d.body))
}
