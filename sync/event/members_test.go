package event

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestMembersAreCutWhereTheyEnd(t *testing.T) {
	const object = " {\"a\" : \"b\\u0041\\\"}\" ,\n\"\\u0062\":-1.5e3,\"c\":true , \"d\": {\"x\":[1,{\"y\":\"}]\\\\\"}]} ,\"e\":[] , \"f\":null}\t"
	var got []string
	if err := members([]byte(object), func(name string, raw []byte) error {
		got = append(got, name, string(raw))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{"a", `"b\u0041\"}"`, "b", "-1.5e3", "c", "true", "d", `{"x":[1,{"y":"}]\\"}]}`, "e", "[]", "f", "null"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOnlyAnObjectHasMembers(t *testing.T) {
	for _, bad := range []string{"", " ", "{", "[]", "1", `"a"`, "null", `{"a":1}x`, `{"a":1,}`, `{"a":tru}`, `{"a" 1}`} {
		if err := members([]byte(bad), func(string, []byte) error { return nil }); err == nil {
			t.Errorf("%q has members", bad)
		}
	}
	if err := members([]byte(" {} "), func(string, []byte) error { t.Error("a member of an empty object"); return nil }); err != nil {
		t.Error(err)
	}
}

// The cuts rely on valid JSON; encoding/json has the last word about each.
func FuzzMembers(f *testing.F) {
	f.Add([]byte(` {"a" : "b\u0041\"}" ,"n":-1.5e3,"t":true , "o": {"x":[1,{"y":"}]\\"}]} }  `))
	f.Fuzz(func(t *testing.T, b []byte) {
		names := 0
		err := members(b, func(_ string, raw []byte) error {
			names++
			if !json.Valid(raw) || raw[0] == ' ' || raw[len(raw)-1] == ' ' {
				t.Errorf("a value is %q", raw)
			}
			return nil
		})
		var all map[string]json.RawMessage
		if json.Unmarshal(b, &all) == nil && all != nil && (err != nil || names < len(all)) {
			t.Errorf("%d of %d members, %v", names, len(all), err)
		}
	})
}
