package event

import (
	"bytes"
	"errors"
	"testing"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
)

func TestBatchHoldsTheSameBytes(t *testing.T) {
	rows := []journal.Row{
		{Ref: alert.Ref{Epoch: "e1", Seq: 1}, Type: alert.Raised, Data: []byte(`{"number":1}`)},
		{Ref: alert.Ref{Epoch: "e1", Seq: 2}, Type: alert.Cleared, Data: []byte(`{"number":1}`)},
	}
	list, err := DecodeBatch(AppendBatch(nil, "/sites/s/gateways/g", rows))
	if err != nil || len(list) != len(rows) {
		t.Fatalf("%d events, %v", len(list), err)
	}
	for i, raw := range list {
		if want := Append(nil, "/sites/s/gateways/g", rows[i]); !bytes.Equal(raw, want) {
			t.Errorf("event %d is %s, want %s", i, raw, want)
		}
	}
	if list, err := DecodeBatch(AppendBatch(nil, "/s", nil)); err != nil || len(list) != 0 {
		t.Errorf("an empty batch: %d events, %v", len(list), err)
	}
}

func TestOnlyARealReplyIsOne(t *testing.T) {
	r, err := ParseReply([]byte(`{"epoch":"e1","received":5,"above":[7,9],"rejected":[{"id":"e1-6","reason":"too old"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for seq, want := range map[uint64]bool{1: true, 5: true, 6: false, 7: true, 8: false, 9: true, 10: false} {
		if got := r.Has(alert.Ref{Epoch: "e1", Seq: seq}); got != want {
			t.Errorf("has %d: %v", seq, got)
		}
	}
	if r.Has(alert.Ref{Epoch: "e2", Seq: 1}) {
		t.Error("a reply about another epoch counts")
	}
	for _, bad := range []string{
		"", "<html>log in first</html>", "{}", `{"epoch":"e1"}`, `{"epoch":"e1","received":1}`, `{"epoch":"e1","received":1,"rejected":null}`,
		`{"epoch":"e1","received":1,"rejected":[]} x`, `{"epoch":"e1","received":-1,"rejected":[]}`, `{"epoch":"e1","received":1,"above":[1],"rejected":[]}`,
		`{"epoch":"a/b","received":1,"rejected":[]}`, `{"epoch":"e1","received":1,"rejected":[],"more":1}`,
	} {
		if _, err := ParseReply([]byte(bad)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func FuzzBatchAndReply(f *testing.F) {
	f.Add([]byte(`[{"specversion":"1.0"}]`))
	f.Add([]byte(`{"epoch":"e1","received":5,"above":[7,9],"rejected":[]}`))
	f.Add([]byte(`[[[[`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if list, err := DecodeBatch(b); err == nil {
			for _, raw := range list {
				if len(raw) == 0 {
					t.Error("an event without bytes")
				}
			}
		}
		if r, err := ParseReply(b); err == nil && r.Has(alert.Ref{Epoch: r.Epoch, Seq: r.Received + 1}) != (len(r.Above) > 0 && r.Above[0] == r.Received+1) {
			t.Error("a reply says more than its numbers")
		}
	})
}
