package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"
)

// staffMember is a person at the console, without a browser.
type staffMember struct {
	base string
	http *http.Client
}

// login opens a session with the PIN of the tests.
func login(ctx context.Context, address string) (*staffMember, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	s := &staffMember{base: "http://" + address, http: &http.Client{Jar: jar}}
	form := url.Values{"pin": {testPIN}, "role": {"duty"}, "lang": {"en"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+"/console/login", bytes.NewBufferString(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 2000))
		return nil, fmt.Errorf("login: %s\n%s", resp.Status, b)
	}
	return s, nil
}

// decide clears or acknowledges; it returns nil when the gateway said that the
// decision is recorded.
func (s *staffMember) decide(ctx context.Context, id, verb string, decision map[string]any) error {
	b, err := json.Marshal(decision)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+"/api/v1/alerts/"+id+"/"+verb, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 2000))
		return fmt.Errorf("%s %s: %s %s", verb, id, resp.Status, b)
	}
	return nil
}

func mustLogin(t *testing.T, address string) *staffMember {
	t.Helper()
	s, err := login(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
