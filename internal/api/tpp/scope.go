package tpp

import (
	"errors"
	"maps"
	"strings"
)

// access says who may call a route. Its zero value says nothing, and a test
// refuses routes that have it.
type access struct {
	declared bool
	isOpen   bool     // nobody has to say who they are
	scopes   []string // one of them is needed; none listed: any token will do; "any:manage" is any area with that restriction
}

var (
	open     = access{declared: true, isOpen: true}
	anyToken = access{declared: true}
)

// needs asks for a token with one of the scopes, each area or area:restriction.
func needs(oneOf ...string) access { return access{declared: true, scopes: oneOf} }

// scopes is what a token is good for: areas, each with its restrictions, all in
// lower case. An area with no restriction may be read.
type scopes map[string]map[string]bool

var errBadScope = errors.New("malformed scope")

// parseScopes reads area[:restriction[,restriction…]][;area…], in any case, with
// blanks between the parts. Whether there are such areas it does not ask.
func parseScopes(s string) (scopes, error) {
	parsed := scopes{}
	for part := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(s), ";"), ";") {
		area, list, restricted := strings.Cut(part, ":")
		area, err := scopeWord(area)
		if err != nil {
			return nil, err
		}
		if parsed[area] == nil {
			parsed[area] = map[string]bool{}
		}
		if !restricted {
			continue
		}
		for r := range strings.SplitSeq(list, ",") {
			r, err := scopeWord(r)
			if err != nil {
				return nil, err
			}
			parsed[area][r] = true
		}
	}
	return parsed, nil
}

func scopeWord(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	isWord := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' }
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return !isWord(r) }) {
		return "", errBadScope
	}
	return s, nil
}

// anyArea stands in what a route needs for whichever area.
const anyArea = "any"

// restrictions are those of all areas.
func (s scopes) restrictions() map[string]bool {
	all := map[string]bool{}
	for _, has := range s {
		maps.Copy(all, has)
	}
	return all
}

// covers reports whether everything that other asks for is in s. Restrictions do
// not imply one another; an area alone is in whatever names that area.
func (s scopes) covers(other scopes) bool {
	for area, wanted := range other {
		has, ok := s[area]
		if area == anyArea {
			has, ok = s.restrictions(), true
		}
		if !ok {
			return false
		}
		for r := range wanted {
			if !has[r] {
				return false
			}
		}
	}
	return true
}

// allows reports whether s lets its owner call a route, and if not, which scope
// would.
func (s scopes) allows(to access) (missing string, allowed bool) {
	for _, want := range to.scopes {
		if w, err := parseScopes(want); err == nil && s.covers(w) {
			return "", true
		}
	}
	if len(to.scopes) == 0 {
		return "", true
	}
	return to.scopes[0], false
}
