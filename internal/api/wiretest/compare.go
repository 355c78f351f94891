package wiretest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// What stands for more than itself in the JSON of a response.
const (
	anyString  = "?"
	anyNumber  = "#"
	numbered   = "#=" // in front of a name
	remembered = "?=" // in front of a name
	otherThan  = "!=" // in front of what it must not be
	others     = "..."
)

func compareJSON(want string, got []byte, vars map[string]string) error {
	wantValue, err := decode([]byte(want))
	if err != nil {
		return fmt.Errorf("the response in the file: %w", err)
	}
	gotValue, err := decode(got)
	if err != nil {
		return fmt.Errorf("the answer's body: %w", err)
	}
	return compareValue("", wantValue, gotValue, vars)
}

func decode(data []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

// compareValue compares two decoded values; path says where they stand.
func compareValue(path string, want, got any, vars map[string]string) error {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Errorf("%s: got %v, want an object", where(path), show(got))
		}
		return compareObjects(path, w, g, vars)
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Errorf("%s: got %v, want a list of %d", where(path), show(got), len(w))
		}
		for i := range w {
			if err := compareValue(fmt.Sprintf("%s[%d]", path, i), w[i], g[i], vars); err != nil {
				return err
			}
		}
		return nil
	case string:
		return compareString(path, w, got, vars)
	}
	if want != got {
		return fmt.Errorf("%s: got %v, want %v", where(path), show(got), show(want))
	}
	return nil
}

func compareObjects(path string, want, got map[string]any, vars map[string]string) error {
	_, open := want[others]
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok && !open {
			return fmt.Errorf("%s: got a member %s that should not be there", where(path), name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if name == others {
			continue
		}
		value, ok := got[name]
		if !ok {
			return fmt.Errorf("%s: got no member %s", where(path), name)
		}
		if err := compareValue(path+"."+name, want[name], value, vars); err != nil {
			return err
		}
	}
	return nil
}

func compareString(path, want string, got any, vars map[string]string) error {
	text, isText := got.(string)
	name, remember := strings.CutPrefix(want, remembered)
	unwanted, mustDiffer := strings.CutPrefix(want, otherThan)
	switch {
	case want == anyNumber, strings.HasPrefix(want, numbered):
		n, ok := got.(json.Number)
		if !ok {
			return fmt.Errorf("%s: got %v, want a number", where(path), show(got))
		}
		if name, remember := strings.CutPrefix(want, numbered); remember {
			vars[name] = n.String()
		}
	case !isText:
		return fmt.Errorf("%s: got %v, want a string", where(path), show(got))
	case remember:
		vars[name] = text
	case mustDiffer && text == unwanted:
		return fmt.Errorf("%s: got %q again", where(path), text)
	case want != anyString && !mustDiffer && want != text:
		return fmt.Errorf("%s: got %q, want %q", where(path), text, want)
	}
	return nil
}

func where(path string) string {
	if path == "" {
		return "the body"
	}
	return strings.TrimPrefix(path, ".")
}

func show(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}
