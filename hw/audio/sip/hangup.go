package sip

import (
	"context"
	"sync"

	"github.com/emiago/sipgo/sip"
)

// dismiss hangs up on a second device that answered the same call, as a group
// behind an exchange may.
func (c *call) dismiss(res *sip.Response, number uint32) {
	other := &call{d: c.d, a: c.a, id: c.id, ours: c.ours, theirs: tag(res), target: c.d.uri, to: c.a.to, tx: c.tx}
	if contact := res.Contact(); contact != nil {
		other.target = *contact.Address.Clone()
	}
	_ = other.write(other.request(sip.ACK, number))
	_ = other.write(other.request(sip.BYE, number+1))
}

// bye hangs up and waits for the device to say that it knows.
func (c *call) bye(ctx context.Context) {
	tx, err := c.a.start(ctx, c.request(sip.BYE, c.next()))
	if err != nil {
		c.d.o.Log.Warn("a call could not be hung up", "device", c.d.String(), "error", err)
		return
	}
	defer tx.Terminate()
	if status := final(ctx, tx); status == 0 {
		c.d.o.Log.Warn("the device does not say that it has hung up", "device", c.d.String())
	}
}

// abandon gives a call up that has not been answered: it cancels it, and hangs
// up when the answer was faster. A CANCEL may only be sent after the device has
// been heard of (RFC 3261, 9.1).
func (c *call) abandon(ctx context.Context, rung bool) {
	defer c.tx.Terminate()
	var taking sync.WaitGroup
	defer taking.Wait()
	cancelled := false
	for {
		if rung && !cancelled {
			cancelled = true
			if tx, err := c.a.start(ctx, c.cancel()); err == nil {
				defer tx.Terminate()
				// What is not taken holds sipgo's reader up.
				taking.Go(func() { final(ctx, tx) })
			}
		}
		select {
		case res := <-c.tx.Responses():
			switch {
			case res.IsProvisional():
				rung = true
			case res.IsSuccess():
				if err := c.establish(res); err == nil {
					c.bye(ctx)
				}
				return
			default:
				return
			}
		case <-c.tx.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// cancel writes the request that takes the INVITE back: the same branch, the
// same number.
func (c *call) cancel() *sip.Request {
	r := c.request(sip.CANCEL, c.asked.CSeq().SeqNo)
	r.RemoveHeader("Via")
	r.PrependHeader(c.asked.Via().Clone())
	return r
}
