package avx

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/certwright/certwright/internal/core"
)

// An alert is what a client tells of itself, in whichever form.
type alert struct {
	Payload json.RawMessage `json:"payload"`
}

// noteAlert keeps in the log what a client tells of itself, but for what looks like a
// secret, and as much of it as the log keeps of an event.
func (a *api) noteAlert(c *call, in *alert) answer {
	event := core.Event{Subsystem: "avx", Address: c.address(), Text1: c.harmless(in.Payload)}
	if err := a.core.Report(c.Context(), c.who(), c.route.name, event); err != nil {
		return a.refuse(c, nil, err)
	}
	return ok(http.StatusOK, "Success", "")
}

// hidden stands in the log for what nobody is to see.
const hidden = "[secret]"

// harmless is the JSON as a text, without the values of members that are called like
// secrets, and without what the caller has proved with who it is.
func (c *call) harmless(data json.RawMessage) string {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return ""
	}
	var known []string
	for _, header := range secretHeaders {
		if value := string(c.secretHeader(header).Reveal()); value != "" {
			known = append(known, value, hidden)
		}
	}
	return string(encodeJSON(masked(v, strings.NewReplacer(known...))))
}

// secretHeaders are the headers that prove who the caller is.
var secretHeaders = []string{"sessionId", "token", "password", "Authorization", "client_secret"}

// secretWords are in the names of members that have secrets.
var secretWords = []string{"pass", "pwd", "secret", "session", "token", "auth", "credential", "key"}

// masked is the decoded JSON without secrets: the values of members that are called like
// some, and what known replaces.
func masked(v any, known *strings.Replacer) any {
	switch v := v.(type) {
	case map[string]any:
		clean := make(map[string]any, len(v))
		for name, value := range v {
			if soundsSecret(name) {
				value = hidden
			}
			clean[known.Replace(name)] = masked(value, known)
		}
		return clean
	case []any:
		for i := range v {
			v[i] = masked(v[i], known)
		}
	case string:
		return known.Replace(v)
	}
	return v
}

func soundsSecret(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) })
}
