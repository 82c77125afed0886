package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// trouble is a scenario over HTTPS in which something answers in the central
// service's place for a while.
func trouble(name, fault, protection, condition string, without []change, reply func(http.ResponseWriter, *http.Request) bool) scenario {
	return scenario{
		name: "https/" + name, short: true, fault: fault, protection: protection, without: without,
		run: func(ctx context.Context, w *world) error {
			s, err := w.stand(ctx, ways{central: true})
			if err != nil {
				return err
			}
			s.middle.misbehave(func(rw http.ResponseWriter, r *http.Request) bool { return isEvents(r) && reply(rw, r) })
			n := w.times(20, 4)
			if err := s.gateway.press(ctx, n); err != nil {
				return err
			}
			// Unless it believes that all is delivered, which is looked at below.
			believes := s.empty(ctx)
			asked := s.middle.asked.Load()
			if err := w.until(ctx, "the gateway has tried again", func() (bool, error) {
				done, err := believes()
				return done || s.middle.asked.Load() >= asked+2, err
			}); err != nil {
				return err
			}
			if condition != "" {
				if err := w.until(ctx, condition+" is told", func() (bool, error) {
					done, err := believes()
					if err != nil && !done {
						if holds, err := s.gateway.holds(ctx, condition); holds || err != nil {
							return holds, err
						}
					}
					return done, err
				}); err != nil {
					return err
				}
			}
			s.middle.misbehave(nil)
			w.did("%d presses during it, until the gateway had tried several times; then the service itself was back", n)
			return s.settle(ctx)
		},
	}
}

func webScenarios() []scenario {
	return []scenario{
		trouble("captive-portal", "a foreign network answers 200 with its log-in page", "only the service's own reply, read strictly, counts",
			"link-portal", anyReplyCounts(), answer(http.StatusOK, map[string]string{"Content-Type": "text/html"}, "<html><form>Log in to this network</form></html>")),
		trouble("empty-success", "a proxy on the way answers 200 with {}", "a reply without epoch, mark and refusals is none",
			"link-portal", anyReplyCounts(), answer(http.StatusOK, map[string]string{"Content-Type": "application/json"}, "{}")),
		trouble("redirect-to-another-host", "an answer sends the gateway, and its token, elsewhere", "redirections are not followed",
			"link-refused", anyAnswerCounts(), answer(http.StatusTemporaryRedirect, map[string]string{"Location": "http://127.0.0.1:9/events"}, "")),
		trouble("too-many-requests-until-2082", "429 with a Retry-After 56 years away", "what the service wants is obeyed up to a cap",
			"", []change{{file: "sync/central/answer.go", old: "return &busyError{status: a.status, at: time.Now(), wait: spread(wait)}", replacement: "time.Sleep(wait); return &busyError{status: a.status, at: time.Now(), wait: spread(wait)}"}},
			answer(http.StatusTooManyRequests, map[string]string{"Retry-After": "Fri, 21 Nov 2082 08:00:00 GMT"}, "")),
		trouble("server-errors", "the service answers 500 for a while", "an answer that is no receipt leaves the rows for later",
			"link-down", anyAnswerCounts(),
			answer(http.StatusInternalServerError, nil, "oops")),
		{
			name: "https/one-refused-row-in-a-batch", short: true,
			fault:      "the service refuses a whole batch because of one row",
			protection: "the batch is cut in halves until the row stands alone; it is parked, loudly, and the rest goes on",
			without:    parksWhole(),
			run:        refusedRow,
		},
		{
			name: "https/batch-too-large", short: true,
			fault:      "413: a batch is larger than a proxy on the way lets through",
			protection: "batches are cut in halves until they fit",
			without:    parksWhole(),
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, ways{central: true, stopped: true})
				if err != nil {
					return err
				}
				rows := w.times(5000, 1000)
				if err := s.gateway.fill(ctx, rows, "central"); err != nil {
					return err
				}
				s.middle.misbehave(func(rw http.ResponseWriter, r *http.Request) bool {
					if !isEvents(r) {
						return false
					}
					b, err := body(r)
					if err == nil && len(b) <= 20_000 {
						return false
					}
					return answer(http.StatusRequestEntityTooLarge, nil, "")(rw, r)
				})
				if err := s.gateway.run(ctx); err != nil {
					return err
				}
				w.did("%d rows queued, a proxy that lets nothing through above 20,000 bytes", rows)
				return s.settle(ctx)
			},
		},
		{
			name: "https/dispatch-killed-while-it-stores", short: true,
			fault:      "the service dies between a batch and its answer",
			protection: "the service answers after the commit; the gateway sends again what was not answered; each is kept once",
			bare:       "the service answers before it stores",
			without: []change{{
				file: "sync/dispatch/gate/events.go", old: "	receipts, refusals, err := g.o.Intake.Submit(ctx, b.arrivals)\n",
				replacement: "	for _, a := range b.arrivals {\n		reply.Received = max(reply.Received, a.Event.Ref.Seq)\n	}\n	go func() {\n		time.Sleep(300 * time.Millisecond)\n		_, _, _ = g.o.Intake.Submit(context.WithoutCancel(ctx), b.arrivals)\n	}()\n	var receipts []store.Receipt\n	var refusals []store.Refusal\n	var err error\n",
			}},
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, ways{central: true, stopped: true})
				if err != nil {
					return err
				}
				rows, kills := w.times(20_000, 3000), w.times(10, 3)
				if err := s.gateway.fill(ctx, rows, "central"); err != nil {
					return err
				}
				if err := s.gateway.run(ctx); err != nil {
					return err
				}
				for range kills {
					if err := s.middle.askedAtLeast(ctx, 2); err != nil {
						break // everything has been delivered already
					}
					if err := s.dispatch.kill(); err != nil {
						return err
					}
					if err := s.gateway.press(ctx, 1); err != nil {
						return err
					}
					if err := s.dispatch.run(ctx); err != nil {
						return err
					}
				}
				w.did("%d rows queued; dispatch killed with kill -9 up to %d times in mid-flow, a press at each", rows, kills)
				return s.settle(ctx)
			},
		},
		{
			name: "https/both-links-at-once", short: true,
			fault:      "the same events arrive over MQTT and over HTTPS",
			protection: "an event has one id on every link; dispatch keeps one of each",
			without:    keepsRepetitions(),
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, ways{mqtt: true, central: true})
				if err != nil {
					return err
				}
				n := w.times(200, 30)
				if err := s.gateway.press(ctx, n/2); err != nil {
					return err
				}
				s.net.down()
				if err := s.gateway.press(ctx, n/2); err != nil {
					return err
				}
				if err := s.net.up(); err != nil {
					return err
				}
				w.did("%d presses with both links, half of them while MQTT was cut", n)
				return s.settle(ctx)
			},
		},
	}
}

// refusedRow lets the service refuse every batch that holds one certain row.
func refusedRow(ctx context.Context, w *world) error {
	s, err := w.stand(ctx, ways{central: true, stopped: true})
	if err != nil {
		return err
	}
	rows := w.times(5000, 1000)
	if err := s.gateway.fill(ctx, rows, "central"); err != nil {
		return err
	}
	bad := fmt.Sprintf("routine event %d\"", rows/2)
	s.middle.misbehave(func(rw http.ResponseWriter, r *http.Request) bool {
		if !isEvents(r) {
			return false
		}
		b, err := body(r)
		if err != nil || !strings.Contains(string(b), bad) {
			return false
		}
		return answer(http.StatusUnprocessableEntity, map[string]string{"Content-Type": "application/json"}, `{"error":"this row is refused"}`)(rw, r)
	})
	if err := s.gateway.run(ctx); err != nil {
		return err
	}
	if err := s.gateway.press(ctx, 4); err != nil {
		return err
	}
	w.did("%d rows queued, one of which the service refuses together with its whole batch; 4 presses on top", rows)
	if err := s.delivered(ctx); err != nil {
		return err
	}
	if err := s.parked(ctx, 1); err != nil {
		return err
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	return s.onlyParkedLost(1)
}

// body reads a request's body and puts it back for whoever comes next.
func body(r *http.Request) ([]byte, error) {
	const most = 16 << 20
	raw, err := io.ReadAll(io.LimitReader(r.Body, most))
	if err != nil {
		return nil, fmt.Errorf("read a request: %w", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	if r.Header.Get("Content-Encoding") != "gzip" {
		return raw, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("open a compressed request: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(z, most))
	if err != nil {
		return nil, fmt.Errorf("open a compressed request: %w", err)
	}
	return b, nil
}
