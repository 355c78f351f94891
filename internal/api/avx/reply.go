package avx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// An envelope is what every answer but a file is wrapped in, with these members in this
// order, always.
type envelope struct {
	Response      any `json:"response"`
	Message       any `json:"message"`       // a string or null
	AppStatusCode any `json:"appStatusCode"` // a string or null
	Tags          any `json:"tags"`          // an object of strings or null
	Headers       any `json:"headers"`
}

// tags say more of an answer.
type tags map[string]string

// An answer is what goes back: an envelope or a file.
type answer struct {
	status int
	envelope
	file   *file // what is sent instead of the envelope
	header http.Header
}

// A file is sent as it is.
type file struct {
	name string
	data []byte
}

// ok is a success with the status: response, and a sentence, which may be empty for null.
func ok(status int, response any, message string) answer {
	a := answer{status: status, envelope: envelope{Response: response, Tags: tags{}}}
	if message != "" {
		a.Message = message
	}
	return a
}

// with adds a header.
func (a answer) with(name, value string) answer {
	a.header = a.header.Clone()
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Add(name, value)
	return a
}

// tagged says more of the answer.
func (a answer) tagged(t tags) answer {
	if len(t) > 0 {
		a.Tags = t
	}
	return a
}

// reply sends an answer.
func reply(w http.ResponseWriter, a answer) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	var body []byte
	if a.file != nil {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s"`, a.file.name))
		body = a.file.data
	} else {
		w.Header().Set("Content-Type", "application/json")
		body = encodeJSON(a.envelope)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // a client that is gone has nothing to be told
}

// encodeJSON never fails: answers are made of strings, numbers, lists and maps.
func encodeJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
