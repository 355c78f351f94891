// Package lenient reads JSON values as vendors' clients really send them: yes and
// no as booleans, strings or numbers, numbers as strings, one value where a list
// is meant, names in any case. Each of its types tells a member that was left out
// or null from one that was given, which plain Go types cannot.
package lenient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Presence says whether a member was there. The zero Presence is a member that
// was left out.
type Presence struct {
	Set  bool // it was given, and not as null
	Null bool // it was given as null
}

// see notes that the member was there, and reports whether it has a value.
func (p *Presence) see(data []byte) bool {
	p.Null = string(data) == "null"
	p.Set = !p.Null
	return p.Set
}

// Bool is a yes or no: true and false, "true" and "false" in any case, 1, 0, "1"
// and "0". An empty string counts as left out.
type Bool struct {
	Presence
	Value bool
}

// UnmarshalJSON never repeats the value in its error.
func (b *Bool) UnmarshalJSON(data []byte) error {
	*b = Bool{}
	if isBlank(data) || !b.see(data) {
		return nil
	}
	text, err := scalar(data)
	if err == nil {
		b.Value, err = ParseBool(text)
	}
	if err != nil {
		return wrong[Bool]("a boolean")
	}
	return nil
}

// ParseBool reads a yes or no as Bool does.
func ParseBool(s string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, errors.New("not a boolean")
}

// Int is a whole number, or a string that holds one, with blanks around it. What
// is no such number does not fail to decode: when it is refused, and in which
// words, is the business of whoever asks for it.
type Int struct {
	Presence
	Value int
	Wrong string // what was given instead of a number; empty when it is one
}

// UnmarshalJSON does not fail.
func (i *Int) UnmarshalJSON(data []byte) error {
	*i = Int{}
	if !i.see(data) {
		return nil
	}
	value, wrong := wholeNumber(data, strconv.IntSize)
	i.Value, i.Wrong = int(value), wrong
	return nil
}

// Int64 is a whole number as large as the ids of vault entries, read as Int is, but that
// an empty string counts as left out.
type Int64 struct {
	Presence
	Value int64
	Wrong string // what was given instead of a number; empty when it is one
}

// UnmarshalJSON does not fail.
func (i *Int64) UnmarshalJSON(data []byte) error {
	*i = Int64{}
	if !isBlank(data) && i.see(data) {
		i.Value, i.Wrong = wholeNumber(data, 64)
	}
	return nil
}

// isBlank reports whether the JSON is a string with nothing but blanks.
func isBlank(data []byte) bool {
	text, err := scalar(data)
	return err == nil && strings.TrimSpace(text) == ""
}

// wholeNumber reads a number or a string that holds one. When it is none, wrong
// is what was given.
func wholeNumber(data []byte, bits int) (value int64, wrong string) {
	text, err := scalar(data)
	if err == nil {
		value, err = strconv.ParseInt(strings.TrimSpace(text), 10, bits)
	}
	switch {
	case err == nil:
		return value, ""
	case text != "":
		return 0, text
	}
	return 0, string(data)
}

// String is a text; a number or a boolean is taken as it is written.
type String struct {
	Presence
	Value string
}

// UnmarshalJSON never repeats the value in its error.
func (s *String) UnmarshalJSON(data []byte) error {
	*s = String{}
	if !s.see(data) {
		return nil
	}
	text, err := scalar(data)
	if err != nil {
		return wrong[String]("a string")
	}
	s.Value = text
	return nil
}

// Trimmed is the text without the blanks around it.
func (s String) Trimmed() string { return strings.TrimSpace(s.Value) }

// StringList is several texts: an array, arrays in an array, or one value alone.
// Nulls in the array are passed over.
type StringList struct {
	Presence
	Values  []string
	HasNull bool // there was a null in the array
}

// UnmarshalJSON never repeats the values in its error.
func (l *StringList) UnmarshalJSON(data []byte) error {
	*l = StringList{}
	if !l.see(data) {
		return nil
	}
	if l.flatten(data) != nil {
		*l = StringList{Presence: l.Presence}
		return wrong[StringList]("a list of strings")
	}
	return nil
}

// flatten takes the values one by one, however deep they stand.
func (l *StringList) flatten(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if data[0] == '[' {
		l.Values = []string{}
	}
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		switch v := token.(type) {
		case json.Delim:
			if v == '{' {
				return errors.New("an object")
			}
		case nil:
			if err != nil {
				return err
			}
			l.HasNull = true
		default:
			l.Values = append(l.Values, fmt.Sprint(v))
		}
	}
}

// NonEmpty has the values that are not the empty string. It has none when the list
// was left out, and for every way in which clients ask to clear a list: null, "",
// [], [""], [null], and ["null"], which the vendor's page POST Config/Write tells
// them to send.
func (l StringList) NonEmpty() []string {
	var values []string
	for _, v := range l.Values {
		if v != "" {
			values = append(values, v)
		}
	}
	if len(values) == 1 && values[0] == "null" {
		return nil
	}
	return values
}

// Date is a moment, as ParseDate reads it.
type Date struct {
	Presence
	Value time.Time
}

// UnmarshalJSON never repeats the value in its error.
func (d *Date) UnmarshalJSON(data []byte) error {
	*d = Date{}
	if !d.see(data) {
		return nil
	}
	text, err := scalar(data)
	if err == nil {
		d.Value, err = ParseDate(text)
	}
	if err != nil {
		return wrong[Date]("a date")
	}
	return nil
}

// dateLayouts are tried in turn. Go reads fractions of a second in all of them.
var dateLayouts = []string{
	time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly,
	"01/02/2006 15:04:05",
}

// ParseDate reads a date, or a date and time with or without an offset; without
// one it is UTC. The day may be written month first, as 10/31/2013 18:16:01. It
// also reads the form of .NET's older serialisers, /Date(milliseconds)/, with
// its slashes escaped or not.
func ParseDate(s string) (time.Time, error) {
	s = strings.ReplaceAll(strings.TrimSpace(s), `\/`, "/")
	if inner, ok := strings.CutPrefix(s, "/Date("); ok {
		inner, ok = strings.CutSuffix(inner, ")/")
		ms, err := strconv.ParseInt(withoutZone(inner), 10, 64)
		if !ok || err != nil {
			return time.Time{}, errors.New("not a date")
		}
		return time.UnixMilli(ms).UTC(), nil
	}
	if at := len(s) - len(" 07:00"); at > len(time.DateTime)-1 && s[at] == ' ' {
		s = s[:at] + "+" + s[at+1:] // a plus that was decoded as a blank
	}
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New("not a date")
}

// withoutZone cuts the offset off milliseconds: it only says how to show them.
func withoutZone(s string) string {
	if at := strings.LastIndexAny(s, "+-"); at > 0 {
		return s[:at]
	}
	return s
}

// scalar is the text of a JSON string, number or boolean.
func scalar(data []byte) (string, error) {
	switch {
	case len(data) == 0, data[0] == '{', data[0] == '[', data[0] == 'n':
		return "", errors.New("not a single value")
	case data[0] == '"':
		var s string
		err := json.Unmarshal(data, &s)
		return s, err
	}
	return string(data), nil
}

// wrong is an error in which encoding/json fills in the member's name.
func wrong[T any](want string) error {
	return &json.UnmarshalTypeError{Value: want, Type: reflect.TypeFor[T]()}
}

// ErrTooLarge says that a body is larger than the caller allows.
var ErrTooLarge = errors.New("the request body is too large")

// Decode reads a JSON object of at most limit bytes into v, a pointer to a
// struct. No body at all, null and "" are read as {}; members that v does not
// have are ignored; names match in any case. It fails with ErrTooLarge, or with
// an error that may be shown to the client: it names the member and repeats no
// value.
func Decode(r io.Reader, limit int64, v any) error {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return fmt.Errorf("read the request body: %w", err)
	}
	if int64(len(data)) > limit {
		return ErrTooLarge
	}
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	if len(data) == 0 || string(data) == `""` {
		return nil
	}
	return explain(json.Unmarshal(data, v))
}

// DecodeForm reads the parameters of a query or a form into v as Decode reads
// the members of an object; a parameter given several times is a list.
func DecodeForm(form url.Values, v any) error {
	object := make(map[string]any, len(form))
	for name, values := range form {
		if len(values) == 1 {
			object[name] = values[0]
		} else {
			object[name] = values
		}
	}
	data, err := json.Marshal(object)
	if err != nil {
		return err
	}
	return explain(json.Unmarshal(data, v))
}

// explain says in plain words what encoding/json found wrong.
func explain(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if e.Field == "" {
			return errors.New("the request body is not a JSON object")
		}
		want := e.Value
		if e.Type.PkgPath() != reflect.TypeFor[Bool]().PkgPath() {
			want = "of the right type"
		}
		return fmt.Errorf("the value of %s is not %s", memberName(e.Field), want)
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("the request body is not valid JSON (at byte %d)", e.Offset)
	}
	return err
}

// memberName is the name of a member, and those of the members that it stands in, without
// the names of Go's embedded structs, which begin with a small letter.
func memberName(path string) string {
	names := strings.Split(path, ".")
	last := len(names) - 1
	outer := slices.DeleteFunc(names[:last:last], func(name string) bool { return name == "" || unicode.IsLower(rune(name[0])) })
	return strings.Join(append(outer, names[last]), ".")
}
