package event

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"nabat/gateway/health"
)

func TestParseReceipt(t *testing.T) {
	r, err := ParseReceipt([]byte(`{"epoch":"3f9c","sequence":18446744073709551615}`))
	if err != nil || r.Epoch != "3f9c" || r.Through != 1<<64-1 || r.Above != nil {
		t.Errorf("got %+v, %v", r, err)
	}
	r, err = ParseReceipt([]byte(` {"epoch":"3f9c","sequence":0,"above":[2,9]} `))
	if err != nil || r.Through != 0 || !slices.Equal(r.Above, []uint64{2, 9}) {
		t.Errorf("got %+v, %v", r, err)
	}
	for name, in := range map[string]string{
		"nothing":            ``,
		"null":               `null`,
		"no epoch":           `{"sequence":1}`,
		"no sequence":        `{"epoch":"e"}`,
		"a negative number":  `{"epoch":"e","sequence":-1}`,
		"a fraction":         `{"epoch":"e","sequence":1.5}`,
		"too high":           `{"epoch":"e","sequence":18446744073709551616}`,
		"a text":             `{"epoch":"e","sequence":"1"}`,
		"an unknown member":  `{"epoch":"e","sequence":1,"more":true}`,
		"two receipts":       `{"epoch":"e","sequence":1}{}`,
		"below the mark":     `{"epoch":"e","sequence":5,"above":[4]}`,
		"at the mark":        `{"epoch":"e","sequence":5,"above":[5]}`,
		"out of order":       `{"epoch":"e","sequence":5,"above":[9,8]}`,
		"twice":              `{"epoch":"e","sequence":5,"above":[9,9]}`,
		"an epoch of levels": `{"epoch":"e/#","sequence":5}`,
		"too large":          `{"epoch":"e","sequence":5,` + strings.Repeat(" ", MaxReceiptBytes) + `"above":[]}`,
	} {
		if r, err := ParseReceipt([]byte(in)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %+v, %v; want ErrMalformed", name, r, err)
		}
	}
}

func TestMergeSaysWhatBothSay(t *testing.T) {
	gen := rapid.Custom(func(t *rapid.T) Receipt {
		r := Receipt{Epoch: "e", Through: rapid.Uint64Range(0, 20).Draw(t, "through")}
		above := rapid.SliceOfN(rapid.Uint64Range(r.Through+1, 40), 0, 10).Draw(t, "above")
		slices.Sort(above)
		r.Above = slices.Compact(above)
		return r
	})
	has := func(r Receipt, n uint64) bool { return n <= r.Through || slices.Contains(r.Above, n) }
	rapid.Check(t, func(t *rapid.T) {
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		m := a.Merge(b)
		for n := range uint64(50) {
			if has(m, n) != (has(a, n) || has(b, n)) {
				t.Fatalf("%+v with %+v gives %+v: wrong about %d", a, b, m, n)
			}
		}
		back, err := ParseReceipt(m.Encode())
		if err != nil || back.Through != m.Through || !slices.Equal(back.Above, m.Above) {
			t.Fatalf("%+v comes back as %+v, %v", m, back, err)
		}
	})
}

func FuzzParseReceipt(f *testing.F) {
	f.Add([]byte(`{"epoch":"3f9c","sequence":5,"above":[7,9]}`))
	f.Add([]byte(`{"epoch":null,"sequence":1e3}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseReceipt(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("unclassified error %v", err)
			}
			return
		}
		again, err := ParseReceipt(r.Encode())
		if err != nil || again.Epoch != r.Epoch || again.Through != r.Through || !slices.Equal(again.Above, r.Above) {
			t.Fatalf("%+v comes back as %+v, %v", r, again, err)
		}
	})
}

func TestStatusIsBounded(t *testing.T) {
	s := Status{Online: true, Session: "x", Epoch: "e", LastSeq: 9}
	for range 500 {
		s.Conditions = append(s.Conditions, health.Condition{Name: "n", Detail: strings.Repeat("ү", 5000)})
	}
	b, err := s.Encode()
	if err != nil || len(b) > MaxStatusBytes {
		t.Fatalf("%d bytes, %v; want at most %d", len(b), err, MaxStatusBytes)
	}
	back, err := DecodeStatus(b)
	if err != nil || !back.Online || back.LastSeq != 9 || len(back.Conditions) != maxConditions {
		t.Errorf("got %+v, %v", back, err)
	}
	will, err := s.Will().Encode()
	if want := `{"online":false,"session":"x","epoch":"e","queue_depth":0,"oldest_age_seconds":0,"conditions":[]}`; err != nil || string(will) != want {
		t.Errorf("will %s, %v; want %s", will, err, want)
	}
}

func FuzzDecodeStatus(f *testing.F) {
	f.Add([]byte(`{"online":true,"session":"x","conditions":[{"name":"link-down:mqtt"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeStatus(b)
		if err != nil {
			return
		}
		if _, err := s.Encode(); err != nil {
			t.Fatal(err)
		}
	})
}
