package main

import (
	"context"
	"net"
	"regexp"
	"strings"
	"testing"
)

func TestDemoSaysWhichAddressIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for flag, other := range map[string]string{"--listen": "--desk", "--desk": "--listen"} {
		args := []string{"demo", flag, l.Addr().String(), other, "127.0.0.1:0"}
		if status, _, errs := call(t, args...); status != exitFailed || !strings.Contains(errs, flag) {
			t.Errorf("%s taken: status %d: %s", flag, status, errs)
		}
	}
}

// TestDispatchPageSpeaksThreeLanguages looks at the dispatch page's words.
func TestDispatchPageSpeaksThreeLanguages(t *testing.T) {
	out := &logBuffer{}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- Main(ctx, []string{"demo", "--listen", "127.0.0.1:0", "--desk", "127.0.0.1:0"}, out, out)
	}()
	t.Cleanup(func() { stop(); <-ended })
	told := regexp.MustCompile(`http://(\S+)/dispatch`)
	var m []string
	waitUntil(t, "addresses", func() bool { m = told.FindStringSubmatch(out.String()); return m != nil })
	for language, word := range map[string]string{"ru": "Диспетчерская", "kk": "Диспетчерлік", "en": "Dispatch"} {
		if page := get(t, m[1], "/dispatch?lang="+language); !strings.Contains(page, word) {
			t.Errorf("%s: no %q in %s", language, word, page)
		}
	}
}
