package announce

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nabat/hw/audio"
)

// idle waits until something is heard, it is time to open the output again, or
// wait is over. Meanwhile it proves that the output would work.
func (o *output) idle(ctx context.Context, e ears, wanted bool, wait time.Duration) {
	now := time.Now()
	if o.probe == nil && !wanted && !now.Before(o.probeAt) {
		o.check(ctx)
	}
	switch {
	case wanted:
		wait = min(wait, o.retryAt.Sub(now))
	case o.probe == nil:
		wait = min(wait, o.probeAt.Sub(now))
	case !o.probe.dropped:
		wait = min(wait, o.probe.late.Sub(now))
	}
	var checked chan error
	if o.probe != nil {
		checked = o.probe.done
	}
	timer := time.NewTimer(max(wait, time.Millisecond))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-e.view:
	case <-e.bells:
	case <-e.voices:
	case err := <-checked:
		dropped := o.probe.dropped
		o.probe, o.probeAt = nil, time.Now().Add(checkEvery)
		o.checked(ctx, dropped, err)
	case <-timer.C:
		if p := o.probe; p != nil && !p.dropped && !time.Now().Before(p.late) {
			p.dropped = true
			p.cancel()
			o.failing("", fmt.Errorf("%w within %v", errHung, checkLimit))
		}
	}
}

// check begins to prove that the output would open.
func (o *output) check(ctx context.Context) {
	c, cancel := context.WithTimeout(ctx, checkLimit)
	done := make(chan error, 1)
	o.probe = &probe{cancel: cancel, done: done, late: time.Now().Add(checkLimit)}
	o.calls.Go(func() {
		defer cancel()
		done <- contained(func() error {
			err := o.speaker.Driver.Check(c)
			if err == nil && o.speaker.Emergency != nil {
				err = o.speaker.Emergency.Check(c)
			}
			return err
		})
	})
}

func (o *output) checked(ctx context.Context, dropped bool, err error) {
	switch {
	case dropped || ctx.Err() != nil:
	case err == nil:
		o.works()
	case errors.Is(err, context.DeadlineExceeded):
		o.failing("", fmt.Errorf("%w within %v: %w", errHung, checkLimit, err))
	default:
		o.failing("", err)
	}
}

// failing notes that the output does not work, and when it is tried again. It
// reports whether this is news about the announcement with the given key.
func (o *output) failing(key string, err error) bool {
	news := o.trouble == nil || o.failed != key
	if o.trouble == nil {
		o.log.Warn("a loudspeaker does not work", "err", err)
	}
	if key != "" {
		o.retry = min(max(2*o.retry, firstRetry), lastRetry)
		o.failed, o.retryAt = key, time.Now().Add(o.retry)
	}
	o.trouble = err
	o.condition(err)
	return news
}

// works notes that the output does what it should.
func (o *output) works() {
	if o.trouble != nil {
		o.log.Info("a loudspeaker works again")
	}
	o.trouble, o.retry, o.failed = nil, 0, ""
	o.condition(nil)
}

// condition is the one place where the conditions of a loudspeaker are set and
// cleared. At most one of them holds.
func (o *output) condition(err error) {
	id := o.speaker.ID
	name, remedy := "", ""
	switch {
	case err == nil:
	case errors.Is(err, audio.ErrAbsent):
		name, remedy = "speaker-absent:"+id, "is it plugged in, switched on, and named rightly in the configuration?"
	case errors.Is(err, errHung):
		name, remedy = "speaker-hung:"+id, "restart the sound server or the device; it is opened again by itself"
	default:
		name, remedy = "speaker-failed:"+id, "check the device, its cable and its settings; it is opened again by itself"
	}
	for _, each := range []string{"speaker-absent:" + id, "speaker-hung:" + id, "speaker-failed:" + id} {
		if each != name {
			o.health.Clear(each)
		}
	}
	if name != "" {
		o.health.Set(name, fmt.Sprintf("loudspeaker %s cannot be heard: %v; %s", id, err, remedy))
	}
}
