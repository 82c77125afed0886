package sip

import (
	"context"
	"errors"

	"github.com/emiago/sipgo/sip"

	"nabat/hw/audio/g711"
)

// allowed are the methods that serve knows.
const allowed = "INVITE, ACK, CANCEL, BYE, OPTIONS"

var errHungUp = errors.New("the device has hung up: look for a limit on the length of paging in its settings")

// serve answers what the device asks during the call. It runs in goroutines of
// sipgo, also at the same time.
func (c *call) serve(req *sip.Request, tx *sip.ServerTx) {
	answer := func(status int, reason string, more ...sip.Header) {
		res := sip.NewResponseFromRequest(req, status, reason, nil)
		for _, h := range more {
			res.AppendHeader(h)
		}
		_ = tx.Respond(res) // it asks again
	}
	switch {
	case req.IsAck():
	case !c.owns(req):
		if req.Method == sip.OPTIONS {
			answer(sip.StatusOK, "OK", sip.NewHeader("Allow", allowed))
			return
		}
		answer(sip.StatusCallTransactionDoesNotExists, "Call Does Not Exist")
	case len(req.GetHeaders("Require")) > 0 && req.Method != sip.BYE:
		answer(sip.StatusBadExtension, "Bad Extension", sip.NewHeader("Unsupported", req.GetHeaders("Require")[0].Value()))
	case req.Method == sip.BYE:
		answer(sip.StatusOK, "OK")
		c.end(errHungUp)
	case req.Method == sip.OPTIONS:
		answer(sip.StatusOK, "OK", sip.NewHeader("Allow", allowed))
	case req.IsInvite():
		c.renew(req, tx)
	default:
		answer(sip.StatusMethodNotAllowed, "Method Not Allowed", sip.NewHeader("Allow", allowed))
	}
}

// owns says whether a request is of this call: anybody on the network can send
// one to our port, but knows neither its name nor the tags.
func (c *call) owns(req *sip.Request) bool {
	from := req.From()
	if req.CallID() == nil || from == nil {
		return false
	}
	theirs, _ := from.Params.Get("tag")
	return string(*req.CallID()) == c.id && tag(req) == c.ours && theirs != "" && theirs == c.tag()
}

// end ends the stream with a reason, if there is one.
func (c *call) end(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop != nil {
		c.stop(why)
	}
}

// renew answers an INVITE within the call: the device wants its sound elsewhere,
// or only asks whether we are still there. What it asks for that we cannot do is
// refused, and the call goes on as it was.
func (c *call) renew(req *sip.Request, tx *sip.ServerTx) {
	c.mu.Lock()
	retarget, describe := c.retarget, c.describe
	if contact := req.Contact(); contact != nil && retarget != nil {
		c.target = *contact.Address.Clone()
	}
	c.mu.Unlock()
	if retarget == nil {
		_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusRequestPending, "Request Pending", nil))
		return
	}
	if len(req.Body()) > 0 {
		m, err := parse(req.Body())
		if err == nil {
			err = retarget(m)
		}
		if err != nil {
			c.d.o.Log.Warn("a change of the call was refused", "device", c.d.String(), "error", err)
			_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusNotAcceptableHere, "Not Acceptable Here", nil))
			return
		}
	}
	res := sip.NewSDPResponseFromRequest(req, describe())
	res.AppendHeader(c.a.contact())
	_ = tx.Respond(res)
}

// alive asks the device within the call, again and again, and returns an error
// when it is gone. A device that answers no such question at all says nothing
// by its silence, and one that denies the call from the beginning nothing by
// that: nil is returned then, and what is left are refused packets of sound.
func (c *call) alive(ctx context.Context, pause func(context.Context)) error {
	for first, denies := true, false; ; first = false {
		status := c.ask(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case status == 0 && first:
			c.d.o.Log.Info("the device answers no OPTIONS within a call: that it vanishes is noticed by its port only", "device", c.d.String())
			return nil
		case status == 0:
			return errGone
		case first:
			denies = status == sip.StatusCallTransactionDoesNotExists
		case status == sip.StatusCallTransactionDoesNotExists && !denies:
			return errForgotten
		}
		pause(ctx)
	}
}

var (
	errGone      = errors.New("the device does not answer any more: is it switched on, and is its network cable in?")
	errForgotten = errors.New("the device has forgotten the call: it was restarted")
)

// ask sends one question and returns the status of the answer, 0 for none.
func (c *call) ask(ctx context.Context) int {
	ctx, cancel := context.WithTimeout(ctx, deaf)
	defer cancel()
	tx, err := c.a.start(ctx, c.request(sip.OPTIONS, c.next()))
	if err != nil {
		return 0
	}
	defer tx.Terminate()
	return final(ctx, tx)
}

// laws is what we speak, the first one first.
func laws() []g711.Law { return []g711.Law{g711.MuLaw, g711.ALaw} }
