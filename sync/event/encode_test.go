package event

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"nabat/gateway/alert"
	"nabat/gateway/journal"
)

func sample() journal.Row {
	return journal.Row{
		Ref:     alert.Ref{Epoch: "3f9c2a7e51d04b68", Seq: 42},
		Type:    alert.Raised,
		Subject: "0199e6a4-5c1b-7c3e-9a57-3b1f0c9d2e11",
		At: alert.Stamp{
			Wall: time.Date(2026, 11, 21, 8, 15, 3, 123456000, time.UTC),
			Boot: "7b1f5c1e-0f1d-4b9a-a2b7-6f0a5f0f7f11", Mono: 812 * time.Second, Synced: true,
		},
		Data: []byte(`{"kind":"intruder","level":"emergency"}`),
	}
}

func TestAppendWritesTheContract(t *testing.T) {
	got := string(Append(nil, Source("school-12", "main"), sample()))
	want := `{"specversion":"1.0","id":"3f9c2a7e51d04b68-42","source":"/sites/school-12/gateways/main",` +
		`"type":"nabat.alert.raised","subject":"0199e6a4-5c1b-7c3e-9a57-3b1f0c9d2e11",` +
		`"time":"2026-11-21T08:15:03.123456Z","datacontenttype":"application/json",` +
		`"epoch":"3f9c2a7e51d04b68","sequence":"00000000000000000042","clocksynced":true,` +
		`"bootid":"7b1f5c1e-0f1d-4b9a-a2b7-6f0a5f0f7f11","monotonic":"812000000000",` +
		`"data":{"kind":"intruder","level":"emergency"}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAppendLeavesOutWhatIsNotKnown(t *testing.T) {
	got := string(Append([]byte("x"), "/s", journal.Row{Ref: alert.Ref{Epoch: "e", Seq: 1}, Type: alert.GatewayStarted}))
	want := `x{"specversion":"1.0","id":"e-1","source":"/s","type":"nabat.gateway.started",` +
		`"datacontenttype":"application/json","epoch":"e","sequence":"00000000000000000001","clocksynced":false}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSourceIsAURIReference(t *testing.T) {
	if got, want := Source("школа 1", "a#b"), "/sites/%D1%88%D0%BA%D0%BE%D0%BB%D0%B0%201/gateways/a%23b"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWhatIsEncodedIsDecoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row := journal.Row{
			Ref: alert.Ref{
				Epoch: rapid.StringMatching(`[0-9a-f]{16}`).Draw(t, "epoch"),
				Seq:   rapid.Uint64().Draw(t, "seq"),
			},
			Type:    alert.Type("nabat." + rapid.StringMatching(`[a-z]{1,9}\.[a-z]{1,9}`).Draw(t, "type")),
			Subject: rapid.StringN(0, 60, 200).Draw(t, "subject"),
			At: alert.Stamp{
				Wall:   time.Unix(rapid.Int64Range(-6e10, 2e11).Draw(t, "s"), rapid.Int64Range(0, 999999999).Draw(t, "ns")).UTC(),
				Boot:   rapid.StringMatching(`[0-9a-f-]{1,36}`).Draw(t, "boot"),
				Mono:   time.Duration(rapid.Int64().Draw(t, "mono")),
				Synced: rapid.Bool().Draw(t, "synced"),
			},
			Data: []byte(`{"a":[1,2,{"b":"ү"}]}`),
		}
		b := Append(nil, "/sites/a/gateways/b", row)
		if !json.Valid(b) {
			t.Fatalf("not JSON: %s", b)
		}
		e, err := Decode(b)
		if err != nil {
			t.Fatalf("%v in %s", err, b)
		}
		if e.Ref != row.Ref || e.Type != row.Type || e.At != row.At || !bytes.Equal(e.Data, row.Data) {
			t.Fatalf("got %+v\nwant %+v", e, row)
		}
		if e.Subject != strings.ToValidUTF8(row.Subject, "\ufffd") {
			t.Fatalf("subject %q, want %q", e.Subject, row.Subject)
		}
	})
}

func TestClockOutsideTheCalendarStillLeaves(t *testing.T) {
	for _, year := range []int{-5, 0, 1, 9999, 12000} {
		row := sample()
		row.At.Wall = time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC)
		if _, err := Decode(Append(nil, "/s", row)); err != nil {
			t.Errorf("year %d: %v", year, err)
		}
	}
}

// FuzzAppend shows that no text from inside the gateway can break the frame.
func FuzzAppend(f *testing.F) {
	f.Add("e", "subject", "nabat.alert.raised", "/sites/a/gateways/b", "boot")
	f.Add("\"", "\\u\x00\xff", "\n", "\u2028", "\x7f")
	f.Fuzz(func(t *testing.T, epoch, subject, typ, source, boot string) {
		row := journal.Row{Ref: alert.Ref{Epoch: epoch, Seq: 7}, Type: alert.Type(typ), Subject: subject, At: alert.Stamp{Boot: boot}}
		b := Append(nil, source, row)
		var m map[string]any
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatalf("%v in %s", err, b)
		}
		if got, want := m["source"], strings.ToValidUTF8(source, "\ufffd"); len([]rune(source)) < 2 && got != want {
			t.Fatalf("source %q, want %q", got, want)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	row := sample()
	row.Data = append(append([]byte(`{"detail":"`), bytes.Repeat([]byte("x"), 180)...), `"}`...)
	source := Source("school-12", "main")
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = Append(buf[:0], source, row)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.SetBytes(int64(len(buf)))
}
