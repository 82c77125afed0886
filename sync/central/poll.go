package central

import (
	"crypto/sha256"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	// remembered bounds how many commands of a session are known by sight.
	remembered = 1024
	// pollFailures in a row make it a condition.
	pollFailures = 3
	// pollPause is the longest rest between questions that are answered at once
	// with nothing new.
	pollPause = 5 * time.Second
)

// poll asks for commands until the session is over. Its failures do not end the
// session: events go out, whatever becomes of commands.
func (s *session) poll() {
	// The service may hold the question for as long as it was told, and then
	// needs some time to answer.
	client := s.caller.client(s.c.t.Poll+s.c.t.Request, 0, 0)
	seen := make(map[[sha256.Size]byte]struct{})
	failures, empty := 0, 0
	for {
		begun := time.Now()
		list, err := s.ask(client)
		if s.life.Err() != nil {
			return
		}
		fresh := false
		for _, one := range list {
			sum := sha256.Sum256([]byte(one))
			if _, ok := seen[sum]; ok {
				continue
			}
			if len(seen) >= remembered {
				clear(seen)
			}
			seen[sum] = struct{}{}
			fresh = true
			s.c.o.Command([]byte(one), false)
		}
		var rest time.Duration
		switch {
		case err != nil:
			failures++
			rest = max(s.c.t.Backoff.Gap, s.c.t.Backoff.Wait(failures, false, false, rand.Float64()))
		case fresh, time.Since(begun) >= s.c.t.Poll/2:
			failures, empty = 0, 0
		default:
			// Whoever answers at once with nothing new is not asked in a circle.
			failures = 0
			rest = min(pollPause, s.c.t.Backoff.Gap<<min(empty, 10))
			empty++
		}
		if err == nil || failures >= pollFailures {
			s.c.report.commands(err)
		}
		if rest > 0 && !s.pause(rest) {
			return
		}
		if s.Err() != nil {
			return
		}
	}
}

// ask waits for commands, for the time of a poll at most.
func (s *session) ask(client *retryablehttp.Client) ([]string, error) {
	q := url.Values{"wait": {strconv.Itoa(max(1, int(s.c.t.Poll/time.Second))) + "s"}}
	if s.c.o.After != nil {
		q.Set("after", strconv.FormatUint(s.c.o.After(), 10))
	}
	if s.c.o.Challenge != nil {
		if word := s.c.o.Challenge(); word != "" {
			q.Set("challenge", word)
		}
	}
	a, err := s.caller.do(s.life, client, call{method: http.MethodGet, path: "/commands", query: q})
	if err != nil {
		return nil, err
	}
	if err := s.c.check(a); err != nil {
		return nil, err
	}
	list, err := parseCommands(a.body)
	if err != nil {
		return nil, s.c.foreign(a)
	}
	return list, nil
}
