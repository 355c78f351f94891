package lenient

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestBool has a row for every way in which a client was seen to say yes or no.
func TestBool(t *testing.T) {
	for _, c := range []struct {
		name, data string
		want       Bool
		fails      bool
	}{
		{"true", `true`, given(true), false},
		{"false", `false`, given(false), false},
		{"string", `"true"`, given(true), false},
		{"string as Python writes it", `"True"`, given(true), false},
		{"string in capitals", `"FALSE"`, given(false), false},
		{"number one", `1`, given(true), false},
		{"number zero", `0`, given(false), false},
		{"number in a string", `"1"`, given(true), false},
		{"blanks around it", `" 0 "`, given(false), false},
		{"null is no value", `null`, Bool{Presence: Presence{Null: true}}, false},
		{"empty string is left out", `""`, Bool{}, false},
		{"another number", `2`, Bool{}, true},
		{"a word", `"maybe"`, Bool{}, true},
		{"an array", `[true]`, Bool{}, true},
		{"an object", `{}`, Bool{}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got Bool
			check(t, json.Unmarshal([]byte(c.data), &got), c.fails, got, c.want)
		})
	}
}

func given(v bool) Bool { return Bool{Presence{Set: true}, v} }

// TestInt keeps what is no number for whoever refuses it.
func TestInt(t *testing.T) {
	set := Presence{Set: true}
	for _, c := range []struct {
		name, data string
		want       Int
	}{
		{"number", `60`, Int{set, 60, ""}},
		{"string", `"60"`, Int{set, 60, ""}},
		{"blanks around it", `" 60 "`, Int{set, 60, ""}},
		{"negative", `-1`, Int{set, -1, ""}},
		{"null is no value", `null`, Int{Presence: Presence{Null: true}}},
		{"a word", `"soon"`, Int{set, 0, "soon"}},
		{"empty string", `""`, Int{set, 0, `""`}},
		{"a fraction", `1.5`, Int{set, 0, "1.5"}},
		{"too large", `99999999999999999999`, Int{set, 0, "99999999999999999999"}},
		{"an array", `[1]`, Int{set, 0, "[1]"}},
		{"a boolean", `true`, Int{set, 0, "true"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got Int
			check(t, json.Unmarshal([]byte(c.data), &got), false, got, c.want)
		})
	}
}

// TestInt64 holds ids that are larger than those of Int may be.
func TestInt64(t *testing.T) {
	set := Presence{Set: true}
	for _, c := range []struct {
		name, data string
		want       Int64
	}{
		{"number", `9007199254740993`, Int64{set, 9007199254740993, ""}},
		{"string", `" 9223372036854775807 "`, Int64{set, 9223372036854775807, ""}},
		{"negative", `-1`, Int64{set, -1, ""}},
		{"null is no value", `null`, Int64{Presence: Presence{Null: true}}},
		{"a word", `"soon"`, Int64{set, 0, "soon"}},
		{"empty string is left out", `""`, Int64{}},
		{"too large", `9223372036854775808`, Int64{set, 0, "9223372036854775808"}},
		{"an object", `{}`, Int64{set, 0, "{}"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got Int64
			check(t, json.Unmarshal([]byte(c.data), &got), false, got, c.want)
		})
	}
}

// TestString takes numbers and booleans as they are written.
func TestString(t *testing.T) {
	set := Presence{Set: true}
	for _, c := range []struct {
		name, data string
		want       String
		fails      bool
	}{
		{"string", `"a\u0027b"`, String{set, "a'b"}, false},
		{"empty string is given", `""`, String{set, ""}, false},
		{"number", `12`, String{set, "12"}, false},
		{"boolean", `true`, String{set, "true"}, false},
		{"null is no value", `null`, String{Presence: Presence{Null: true}}, false},
		{"an array", `["a"]`, String{}, true},
		{"an object", `{"a":1}`, String{}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got String
			check(t, json.Unmarshal([]byte(c.data), &got), c.fails, got, c.want)
		})
	}
}

// TestStringList takes one value for a list of one, and lists in lists.
func TestStringList(t *testing.T) {
	set := Presence{Set: true}
	for _, c := range []struct {
		name, data string
		want       StringList
		fails      bool
	}{
		{"array", `["a","b"]`, StringList{Presence: set, Values: []string{"a", "b"}}, false},
		{"single string", `"a"`, StringList{Presence: set, Values: []string{"a"}}, false},
		{"numbers", `[1,true]`, StringList{Presence: set, Values: []string{"1", "true"}}, false},
		{"nested once", `[["a","b"],"c"]`, StringList{Presence: set, Values: []string{"a", "b", "c"}}, false},
		{"nested deeply", `[[[["a"]],[]],"b"]`, StringList{Presence: set, Values: []string{"a", "b"}}, false},
		{"a large number", `[1e400]`, StringList{Presence: set, Values: []string{"1e400"}}, false},
		{"null inside", `[null,"a"]`, StringList{Presence: set, Values: []string{"a"}, HasNull: true}, false},
		{"null far inside", `[[null]]`, StringList{Presence: set, Values: []string{}, HasNull: true}, false},
		{"object far inside", `["a",[{"a":1}]]`, StringList{}, true},
		{"empty array is given", `[]`, StringList{Presence: set, Values: []string{}}, false},
		{"null is no value", `null`, StringList{Presence: Presence{Null: true}}, false},
		{"object inside", `[{}]`, StringList{}, true},
		{"an object", `{}`, StringList{}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got StringList
			check(t, json.Unmarshal([]byte(c.data), &got), c.fails, got, c.want)
		})
	}
}

// TestNonEmpty has a row for every way in which clients clear a list, and for those
// that only look like it.
func TestNonEmpty(t *testing.T) {
	for _, c := range []struct {
		name, data string
		want       []string
	}{
		{"left out", `{}`, nil},
		{"null", `{"L":null}`, nil},
		{"an empty string", `{"L":""}`, nil},
		{"an empty array", `{"L":[]}`, nil},
		{"an empty string in an array", `{"L":[""]}`, nil},
		{"null in an array", `{"L":[null]}`, nil},
		{"the word null", `{"L":["null"]}`, nil},
		{"the word null and an empty string", `{"L":["","null"]}`, nil},
		{"real values", `{"L":["a","b"]}`, []string{"a", "b"}},
		{"a real value among empty ones", `{"L":["",null,"a",""]}`, []string{"a"}},
		{"the word null among real values", `{"L":["null","a"]}`, []string{"null", "a"}},
		{"zero", `{"L":0}`, []string{"0"}},
		{"no", `{"L":false}`, []string{"false"}},
		{"a blank", `{"L":" "}`, []string{" "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got struct{ L StringList }
			check(t, json.Unmarshal([]byte(c.data), &got), false, got.L.NonEmpty(), c.want)
		})
	}
}

// TestDate has a row for every form of a date that clients send.
func TestDate(t *testing.T) {
	at := time.Date(2020, 1, 15, 14, 46, 53, 0, time.UTC)
	for _, c := range []struct {
		name, text string
		want       time.Time
		fails      bool
	}{
		{"date", "2020-01-15", time.Date(2020, 1, 15, 0, 0, 0, 0, time.UTC), false},
		{"UTC", "2020-01-15T14:46:53Z", at, false},
		{"seven digits", "2020-01-15T14:46:53.2296661Z", at.Add(229666100), false},
		{"offset", "2020-01-15T16:46:53+02:00", at, false},
		{"offset whose plus became a blank", "2020-01-15T16:46:53 02:00", at, false},
		{"negative offset", "2020-01-15T09:46:53-05:00", at, false},
		{"no offset is UTC", "2020-01-15T14:46:53", at, false},
		{"blank for T", "2020-01-15 14:46:53", at, false},
		{"milliseconds", "/Date(1579099613000)/", at, false},
		{"milliseconds with a zone", "/Date(1579099613000-0700)/", at, false},
		{"milliseconds before 1970", "/Date(-1000)/", time.Unix(-1, 0).UTC(), false},
		{"seven digits without an offset", "2020-01-15T14:46:53.2296661", at.Add(229666100), false},
		{"month first", "01/15/2020 14:46:53", at, false},
		{"day first", "15/01/2020 14:46:53", time.Time{}, true},
		{"milliseconds between escaped slashes", `\/Date(1579099613000)\/`, at, false},
		{"a word", "tomorrow", time.Time{}, true},
		{"empty", "", time.Time{}, true},
		{"broken milliseconds", "/Date(1", time.Time{}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			data, _ := json.Marshal(c.text)
			var got Date
			err := json.Unmarshal(data, &got)
			check(t, err, c.fails, got, Date{Presence{Set: true}, c.want})
		})
	}
}

// TestDateInJSON takes the slashes of a date escaped, as .NET's older serialisers
// write them.
func TestDateInJSON(t *testing.T) {
	var got Date
	err := json.Unmarshal([]byte(`"\/Date(1579099613000+0100)\/"`), &got)
	check(t, err, false, got, Date{Presence{Set: true}, time.Date(2020, 1, 15, 14, 46, 53, 0, time.UTC)})
}

type body struct {
	Name    String
	Count   Int
	Restart Bool
	List    StringList
	When    Date
}

// TestDecode forgives what clients do to whole bodies.
func TestDecode(t *testing.T) {
	for _, c := range []struct {
		name, data, err string
		want            body
	}{
		{"nothing", "", "", body{}},
		{"blanks", " \r\n", "", body{}},
		{"null", "null", "", body{}},
		{"an empty string", `""`, "", body{}},
		{"unknown members", `{"Other":[1,{}],"Name":"x"}`, "", body{Name: String{Presence{Set: true}, "x"}}},
		{"names in another case", `{"NAME":"x"}`, "", body{Name: String{Presence{Set: true}, "x"}}},
		{"a byte order mark", "\xef\xbb\xbf{}", "", body{}},
		{"an array", `[]`, "the request body is not a JSON object", body{}},
		{"half an object", `{"Name":`, "the request body is not valid JSON (at byte 8)", body{}},
		{"two objects", `{}{}`, "the request body is not valid JSON (at byte 3)", body{}},
		{"a wrong boolean", `{"Restart":"hunter2"}`, "the value of Restart is not a boolean", body{}},
		{"a wrong list", `{"List":{"a":1}}`, "the value of List is not a list of strings", body{}},
		{"a wrong string", `{"Name":{}}`, "the value of Name is not a string", body{}},
		{"a wrong date", `{"When":"hunter2"}`, "the value of When is not a date", body{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got body
			err := Decode(strings.NewReader(c.data), 1000, &got)
			if c.err != "" {
				if err == nil || err.Error() != c.err {
					t.Fatalf("got error %v, want %q", err, c.err)
				}
				return
			}
			check(t, err, false, got, c.want)
		})
	}
}

// TestDecodeNamesMembers as clients know them, whichever struct of ours they stand in.
func TestDecodeNamesMembers(t *testing.T) {
	type shared struct{ body }
	for _, c := range []struct{ name, data, err string }{
		{"of an embedded struct", `{"Restart":"hunter2"}`, "the value of Restart is not a boolean"},
		{"a list of an embedded struct", `{"List":{"a":1}}`, "the value of List is not a list of strings"},
		{"of an object in the object", `{"Inner":{"Name":{}}}`, "the value of Inner.Name is not a string"},
		{"of an object in a list", `{"Many":[{"Restart":"hunter2"}]}`, "the value of Many.Restart is not a boolean"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got struct {
				shared
				Inner body
				Many  []shared
			}
			if err := Decode(strings.NewReader(c.data), 1000, &got); err == nil || err.Error() != c.err {
				t.Errorf("got %v, want %q", err, c.err)
			}
		})
	}
}

// TestDecodeHoldsTheLimit takes a body of the size that is allowed and no larger one.
func TestDecodeHoldsTheLimit(t *testing.T) {
	var v body
	data := `{"Name":"x"}`
	if err := Decode(strings.NewReader(data), int64(len(data)), &v); err != nil {
		t.Errorf("got %v for a body of just the size", err)
	}
	if err := Decode(strings.NewReader(data), int64(len(data))-1, &v); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
}

// TestDecodeForm reads parameters as if they were members.
func TestDecodeForm(t *testing.T) {
	var got body
	form := url.Values{"name": {"x"}, "Count": {"3"}, "RESTART": {"True"}, "list": {"a", "b"}}
	err := DecodeForm(form, &got)
	set := Presence{Set: true}
	check(t, err, false, got, body{String{set, "x"}, Int{set, 3, ""}, given(true), StringList{Presence: set, Values: []string{"a", "b"}}, Date{}})
}

func check[T any](t *testing.T, err error, fails bool, got, want T) {
	t.Helper()
	if fails {
		if err == nil {
			t.Fatalf("got %+v, want an error", got)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// FuzzDecode must neither panic nor fail with anything but an error for clients,
// and must not repeat values in it.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{}`, `{"Name":1,"Count":"x","Restart":"1","List":[["a"]],"When":"2020-01-01"}`, `[`, "null", `{"Restart":[]}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		var v body
		if err := Decode(strings.NewReader(data), 1<<16, &v); err == nil && v.Name.Set && v.Name.Null {
			t.Error("a member is both given and null")
		}
	})
}

// FuzzParseDate reads back every date that it writes.
func FuzzParseDate(f *testing.F) {
	for _, seed := range []string{"2020-01-15T14:46:53.2296661Z", "/Date(1)/", "2020-01-15", "2020-01-15T16:46:53 02:00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, err := ParseDate(s)
		if err != nil || at.Year() < 0 || at.Year() > 9999 {
			return
		}
		again, err := ParseDate(at.Format(time.RFC3339Nano))
		if err != nil || !again.Equal(at) {
			t.Errorf("%q is %v, read again %v (%v)", s, at, again, err)
		}
	})
}
