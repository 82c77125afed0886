package store

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/sync/event"
)

func TestCredentialsComeAndGo(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		ctx := context.Background()
		s, other := open(t, Options{URL: url}), open(t, Options{URL: url})
		token, err := s.AddGateway(ctx, school, "School 12", "anna")
		if err != nil {
			t.Fatal(err)
		}
		if b, err := base64.RawURLEncoding.DecodeString(token); err != nil || len(b) != 32 {
			t.Errorf("a token of %d bytes, %v", len(b), err)
		}
		if _, err := s.AddGateway(ctx, school, "", "anna"); !errors.Is(err, ErrExists) {
			t.Errorf("added twice: %v", err)
		}
		if _, err := s.AddGateway(ctx, Gateway{"a/b", "c"}, "", "anna"); !errors.Is(err, ErrInvalid) {
			t.Errorf("an impossible name: %v", err)
		}
		check := func(s *Store, token string, want error) {
			t.Helper()
			if err := s.Authenticate(ctx, school, token); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		check(s, token, nil)
		check(other, token, nil)
		check(s, token+"x", ErrDenied)
		check(s, "", ErrDenied)
		if err := s.Authenticate(ctx, Gateway{"school-13", "main"}, token); !errors.Is(err, ErrDenied) {
			t.Errorf("another gateway's token: %v", err)
		}
		fresh, err := s.RotateToken(ctx, school, "anna")
		if err != nil {
			t.Fatal(err)
		}
		check(s, token, ErrDenied)
		check(s, fresh, nil)
		check(other, fresh, nil) // although it remembers the old one
		if err := s.Revoke(ctx, school, "anna"); err != nil {
			t.Fatal(err)
		}
		check(s, fresh, ErrDenied)
		if _, err := s.ByCertificate(ctx, "school-12/main"); !errors.Is(err, ErrDenied) {
			t.Errorf("a withdrawn certificate: %v", err)
		}
		if _, err := s.RotateToken(ctx, school, "anna"); err != nil {
			t.Fatal(err)
		}
		if g, err := s.ByCertificate(ctx, "school-12/main"); err != nil || g != school {
			t.Errorf("certificate: %v, %v", g, err)
		}
		if err := s.MapCertificate(ctx, school, "gw-0042", "anna"); err != nil {
			t.Fatal(err)
		}
		if g, err := s.ByCertificate(ctx, "gw-0042"); err != nil || g != school {
			t.Errorf("mapped certificate: %v, %v", g, err)
		}
		for _, name := range []string{"school-12/main", "", "gw-0043"} {
			if _, err := s.ByCertificate(ctx, name); !errors.Is(err, ErrDenied) {
				t.Errorf("certificate %q: %v", name, err)
			}
		}
		if err := s.Revoke(ctx, Gateway{"no", "one"}, "anna"); !errors.Is(err, ErrNotFound) {
			t.Errorf("unknown gateway: %v", err)
		}
		digest, err := s.AssignConfig(ctx, school, "[site]\n", "anna")
		if err != nil || len(digest) != 64 {
			t.Errorf("config: %q, %v", digest, err)
		}
		if toml, err := other.Config(ctx, school); err != nil || toml != "[site]\n" {
			t.Errorf("config: %q, %v", toml, err)
		}
		if n, err := s.VerifyAudit(ctx); err != nil || n != 6 {
			t.Errorf("audit has %d entries, %v", n, err)
		}
	})
}

func TestOtherProcessesHearOfChanges(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		ctx, cancel := context.WithCancel(context.Background())
		a, b := ready(t, Options{URL: url}), open(t, Options{URL: url})
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}()
		// Changes are made until one is heard, because Run may begin later.
		deadline := time.After(time.Minute)
		again := time.NewTicker(20 * time.Millisecond)
		defer again.Stop()
		for seq := uint64(1); ; seq++ {
			ch := b.Changed(AlertsChanged)
			mine := a.Changed(AlertsChanged)
			ingest(t, a, said(school, "e1", seq, about(alert.Raised, "a1", seq, stamp(time.Now(), "b", 1, true)), "mqtt", time.Now()))
			select {
			case <-mine:
			default:
				t.Fatal("its own change was not told")
			}
			select {
			case <-ch:
				return
			case <-again.C:
			case <-deadline:
				t.Fatal("nothing was heard")
			}
		}
	})
}

func TestWhoLivesAndWhoIsSilent(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		ctx := context.Background()
		w := newWatch()
		s := ready(t, Options{URL: url, Now: w.now})
		say := func(link, session string, online, stale bool, last uint64) Heard {
			t.Helper()
			h, err := s.Heard(ctx, Word{Gateway: school, Link: link, At: w.now(), Stale: stale, Status: event.Status{
				Online: online, Session: session, Epoch: "e1", LastSeq: last, Counter: 7,
				Conditions: []health.Condition{{Name: "disk-full"}}, Clock: event.Clock{Wall: w.now().Add(3 * time.Second), Boot: "b", Mono: time.Hour, Synced: true},
			}})
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
		info := func() GatewayInfo {
			t.Helper()
			i, err := s.GatewayInfo(ctx, school)
			if err != nil {
				t.Fatal(err)
			}
			return i
		}
		say("mqtt", "s0", true, true, 0)
		if i := info(); i.Online || !i.Heard.IsZero() {
			t.Errorf("a retained word is taken for life: %+v", i)
		}
		if h := say("mqtt", "s1", true, false, 5); !h.NewSession || !h.Due || h.Receipt.Epoch != "e1" {
			t.Errorf("first word: %+v", h)
		}
		if i := info(); !i.Online || !i.Heard.Equal(w.now()) || len(i.Conditions) != 1 || i.ClockError != 3*time.Second {
			t.Errorf("alive: %+v", i)
		}
		w.add(5 * time.Second)
		if h := say("mqtt", "s1", true, false, 5); h.NewSession || h.Due {
			t.Errorf("5 s behind: %+v", h)
		}
		w.add(6 * time.Second)
		if h := say("mqtt", "s1", true, false, 5); !h.Due {
			t.Errorf("11 s behind: %+v", h)
		}
		say("mqtt", "s0", false, false, 0)
		if !info().Online {
			t.Error("the will of an older session ended this one")
		}
		say("mqtt", "s1", false, false, 0)
		if i := info(); i.Online || len(i.Conditions) != 1 {
			t.Errorf("after the will: %+v", i)
		}
		say("http", "s2", true, false, 0)
		if !info().Online {
			t.Error("one link is enough to be alive")
		}
		w.add(SilentAfter)
		if info().Online {
			t.Error("silence goes unseen")
		}
		if x, err := s.Stats(ctx); err != nil || x.Gateways != 1 || x.Online != 0 || x.Bytes == 0 {
			t.Errorf("stats %+v, %v", x, err)
		}
		if _, err := s.Heard(ctx, Word{Gateway: Gateway{"x", "y"}}); !errors.Is(err, ErrDenied) {
			t.Errorf("a stranger: %v", err)
		}
	})
}

func TestOperatorsAndSessions(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		ctx := context.Background()
		w := newWatch()
		s := open(t, Options{URL: url, Now: w.now})
		const secret = "correct horse"
		if err := s.AddOperator(ctx, Operator{ID: "anna", Name: "Anna", Role: AdminRole}, secret, "setup"); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			o    Operator
			pass string
			want error
		}{
			"twice":            {Operator{ID: "anna", Role: AdminRole}, secret, ErrExists},
			"a short password": {Operator{ID: "b", Role: AdminRole}, "short", ErrInvalid},
			"a strange role":   {Operator{ID: "b", Role: "root"}, secret, ErrInvalid},
			"a strange name":   {Operator{ID: "b c", Role: AdminRole}, secret, ErrInvalid},
			"a long password":  {Operator{ID: "b", Role: AdminRole}, strings.Repeat("x", 65), ErrInvalid},
		} {
			if err := s.AddOperator(ctx, c.o, c.pass, "setup"); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if o, err := s.Login(ctx, "anna", secret); err != nil || o.Role != AdminRole || o.Name != "Anna" || !o.PasswordSet.Equal(w.now()) {
			t.Errorf("log in: %+v, %v", o, err)
		}
		for _, c := range [][2]string{{"anna", "wrong horse"}, {"nobody", secret}, {"nobody", "nobody-nobody-nobody-nobody-nobo"}} {
			if _, err := s.Login(ctx, c[0], c[1]); !errors.Is(err, ErrDenied) {
				t.Errorf("%s: %v", c[0], err)
			}
		}
		if err := s.SetOperator(ctx, Operator{ID: "anna", Role: OperatorRole}, "anna"); !errors.Is(err, ErrInvalid) {
			t.Errorf("the last admin: %v", err)
		}
		if err := s.AddOperator(ctx, Operator{ID: "boris", Role: OperatorRole}, secret, "anna"); err != nil {
			t.Fatal(err)
		}
		if err := s.SetOperator(ctx, Operator{ID: "boris", Role: OperatorRole, Disabled: w.now()}, "anna"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Login(ctx, "boris", secret); !errors.Is(err, ErrDenied) {
			t.Errorf("a disabled account: %v", err)
		}
		w.add(time.Second)
		if err := s.SetPassword(ctx, "anna", "another horse", "anna"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Login(ctx, "anna", secret); !errors.Is(err, ErrDenied) {
			t.Errorf("the old password: %v", err)
		}
		if o, err := s.Login(ctx, "anna", "another horse"); err != nil || !o.PasswordSet.Equal(w.now()) {
			t.Errorf("the new password: %+v, %v", o, err)
		}

		v := s.Sessions()
		if err := v.CommitCtx(ctx, "token", []byte("data"), w.now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if b, ok, err := v.FindCtx(ctx, "token"); err != nil || !ok || string(b) != "data" {
			t.Errorf("session: %q %v %v", b, ok, err)
		}
		var plainText int
		if err := s.db().one(ctx, []any{&plainText}, "SELECT count(*) FROM session WHERE token = $1", []byte("token")); err != nil || plainText != 0 {
			t.Errorf("the token itself is stored: %v", err)
		}
		w.add(time.Minute)
		if _, ok, err := v.FindCtx(ctx, "token"); err != nil || ok {
			t.Errorf("an expired session: %v %v", ok, err)
		}
		if err := v.Delete("token"); err != nil {
			t.Error(err)
		}
	})
}

func TestAChangedAuditLogIsSeen(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		ctx := context.Background()
		s := open(t, Options{URL: url})
		for _, what := range []string{"one", "two", "three"} {
			if err := s.Audit(ctx, "anna", what, "thing", "=1+1\x00"); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := s.VerifyAudit(ctx); err != nil || n != 3 {
			t.Fatal(n, err)
		}
		if list, err := s.AuditLog(ctx, 3, 10); err != nil || len(list) != 2 || list[0].What != "two" {
			t.Errorf("log: %+v, %v", list, err)
		}
		n := 0
		for e, err := range s.ExportAudit(ctx) {
			if err != nil || e.Who != "anna" {
				t.Error(e, err)
			}
			n++
		}
		if n != 3 {
			t.Errorf("%d entries exported", n)
		}
		if err := s.update(ctx, func(t tx) error {
			_, err := t.exec(ctx, "UPDATE audit SET who = 'boris' WHERE number = 2")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.VerifyAudit(ctx); !errors.Is(err, ErrInvalid) {
			t.Errorf("a changed entry: %v", err)
		}
	})
}

func TestManyWriteOneAuditLog(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		ctx := context.Background()
		stores := []*Store{open(t, Options{URL: url}), open(t, Options{URL: url})}
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for range 10 {
					if err := stores[i%2].Audit(ctx, "anna", "test", "thing", ""); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if n, err := stores[0].VerifyAudit(ctx); err != nil || n != 40 {
			t.Errorf("%d entries, %v", n, err)
		}
	})
}
