package supervise

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// Back-off of optional jobs: full jitter between leastWait and a bound that
// doubles from firstWait to mostWait, so that jobs that failed together do not
// come back together, and none comes back in a tight loop.
const (
	leastWait = 100 * time.Millisecond
	firstWait = time.Second
	mostWait  = 30 * time.Second
)

// settled is how long a restarted job has to run before it counts as well.
const settled = 10 * time.Second

// keep runs an optional job again and again until ctx ends. Any end before
// that, also one without an error, is a failure: a link that quietly stopped
// would be the worst of all.
func (g *Group) keep(ctx context.Context, j *job, ready func()) error {
	condition := "job-restarting:" + j.name
	defer g.health.Clear(condition)
	failures := 0
	for {
		ended := g.start(ctx, j, ready)
		well := time.NewTimer(settled)
		var err error
		select {
		case err = <-ended:
		case <-well.C:
			if failures > 0 {
				g.log.Info("job runs again", "job", j.name, "failures", failures)
			}
			failures = 0
			g.health.Clear(condition)
			err = <-ended
		}
		well.Stop()
		if ctx.Err() != nil {
			return nil
		}
		failures++
		err = orEnded(err)
		g.health.Set(condition, fmt.Sprintf("job %s ended (%v); it is started again within %v", j.name, err, mostWait))
		wait := backoff(failures)
		if failures&(failures-1) == 0 { // a week of failures must not fill the log
			g.log.Warn("job ended and is started again", "job", j.name, "error", err, "failures", failures, "wait", wait)
		}
		again := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			again.Stop()
			return nil
		case <-again.C:
		}
	}
}

func backoff(failures int) time.Duration {
	bound := mostWait
	if n := failures - 1; n < 5 { // firstWait << 5 is beyond mostWait
		bound = min(firstWait<<n, mostWait)
	}
	return leastWait + rand.N(bound-leastWait)
}
