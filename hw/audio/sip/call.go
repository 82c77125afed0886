package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// call is one dialogue: what both sides call it, and how the next request is
// written. sipgo has one of its own, which forgets to hang up on a device that
// answers while it is being cancelled, and gives up after ten rings.
type call struct {
	d     *Driver
	a     *agent
	id    string
	ours  string // our tag
	tx    *sip.ClientTx
	asked *sip.Request // the INVITE that was answered

	mu sync.Mutex
	// number is the CSeq of the last request, theirs the device's tag once it has
	// answered; target, to (a host:port) and route (the first to pass first) are
	// where requests within the call go. mu guards them.
	number     uint32
	theirs, to string
	target     sip.Uri
	route      []string
	// stop ends the stream with a reason; retarget turns the sound to where the
	// device wants it from now on, and describe says our side once more. They are
	// nil before there is a stream. mu guards them.
	stop     context.CancelCauseFunc
	describe func() []byte
	retarget func(media) error
}

func (a *agent) newCall(d *Driver) *call {
	return &call{d: d, a: a, id: sip.GenerateTagN(24), ours: sip.GenerateTagN(16), target: d.uri, to: a.to, number: 1}
}

// request writes a request of this call, before or after the answer.
func (c *call) request(method sip.RequestMethod, number uint32) *sip.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := sip.NewRequest(method, *c.target.Clone())
	r.AppendHeader(c.a.via())
	for _, hop := range c.route {
		r.AppendHeader(sip.NewHeader("Route", hop))
	}
	from := sip.FromHeader{Address: c.d.from, Params: sip.NewParams()}
	if from.Address.Host == "" {
		from.Address = sip.Uri{Scheme: "sip", User: "nabat", Host: c.a.local.String()}
	}
	from.Params.Add("tag", c.ours)
	to := sip.ToHeader{Address: *c.d.uri.Clone(), Params: sip.NewParams()}
	if c.theirs != "" {
		to.Params.Add("tag", c.theirs)
	}
	id, hops := sip.CallIDHeader(c.id), sip.MaxForwardsHeader(70)
	r.AppendHeader(&from)
	r.AppendHeader(&to)
	r.AppendHeader(&id)
	r.AppendHeader(&sip.CSeqHeader{SeqNo: number, MethodName: method})
	r.AppendHeader(&hops)
	if method != sip.CANCEL && method != sip.BYE {
		r.AppendHeader(c.a.contact())
	}
	r.AppendHeader(sip.NewHeader("User-Agent", "Nabat"))
	r.AppendHeader(sip.NewHeader("Allow", allowed))
	r.SetBody(nil)
	c.a.bind(r, c.to)
	return r
}

// next returns the number of the next request.
func (c *call) next() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.number++
	return c.number
}

// invite calls and returns the device's answer, which is not acknowledged yet.
// early is the last description that came before the answer. rung says that the
// device knows of the call when an error is returned.
//
// Limit: of a description right before an answer that has none, as no device
// should send it, sipgo may take the answer first and lose the description.
func (c *call) invite(ctx context.Context, sdp []byte, password string) (res *sip.Response, early []byte, rung bool, err error) {
	authorization, tries := "", 0
	for {
		req := c.request(sip.INVITE, c.next())
		req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		// Telephones answer by themselves on one of these; adapters do anyway.
		req.AppendHeader(sip.NewHeader("Call-Info", "<sip:"+c.a.local.String()+">;answer-after=0"))
		req.AppendHeader(sip.NewHeader("Alert-Info", "<http://127.0.0.1>;info=alert-autoanswer;delay=0"))
		req.AppendHeader(sip.NewHeader("Answer-Mode", "Auto"))
		if authorization != "" {
			name, value, _ := strings.Cut(authorization, ": ")
			req.AppendHeader(sip.NewHeader(name, value))
		}
		req.SetBody(sdp)
		tx, err := c.a.start(ctx, req)
		if err != nil {
			return nil, nil, false, unreachable(err)
		}
		c.tx, c.asked = tx, req
		rung = false
		for res = nil; res == nil; {
			select {
			case r := <-tx.Responses():
				if r.IsProvisional() {
					rung = true
					if len(r.Body()) > 0 {
						early = r.Body()
					}
					continue
				}
				res = r
			case <-tx.Done():
				return nil, nil, false, silent(tx.Err())
			case <-ctx.Done():
				return nil, nil, rung, silent(ctx.Err())
			}
		}
		if res.IsSuccess() {
			return res, early, false, nil
		}
		tx.Terminate()
		if res.StatusCode != sip.StatusUnauthorized && res.StatusCode != sip.StatusProxyAuthRequired {
			return nil, nil, false, refused(res.StatusCode)
		}
		var again bool
		if authorization, again, err = c.credentials(req, res, password); err != nil {
			return nil, nil, false, err
		}
		// A second challenge means a wrong password, unless only the nonce is old.
		if tries++; tries > 1 && !again || tries > 3 {
			return nil, nil, false, refused(res.StatusCode)
		}
	}
}

// credentials answers the first challenge that can be answered. stale says that
// the password was right and only too late.
func (c *call) credentials(req *sip.Request, res *sip.Response, password string) (header string, stale bool, err error) {
	if password == "" {
		return "", false, errors.New("it asks for a password: set username and password_file")
	}
	challenge, answer := "WWW-Authenticate", "Authorization"
	if res.StatusCode == sip.StatusProxyAuthRequired {
		challenge, answer = "Proxy-Authenticate", "Proxy-Authorization"
	}
	for _, h := range res.GetHeaders(challenge) {
		ch, err := digest.ParseChallenge(h.Value())
		if err != nil || !digest.CanDigest(ch) || ch.SupportsQOP("auth-int") && !ch.SupportsQOP("auth") {
			continue
		}
		cred, err := digest.Digest(ch, digest.Options{
			Method: req.Method.String(), URI: req.Recipient.Addr(), Username: c.d.o.Username, Password: password,
		})
		if err == nil {
			return answer + ": " + cred.String(), ch.Stale, nil
		}
	}
	return "", false, errors.New("it asks for a password in a way that is not known here: allow digest with MD5 or SHA-256 in its settings")
}

// establish takes what the answer says about the rest of the call, and
// acknowledges it, also each time it comes again.
func (c *call) establish(res *sip.Response) error {
	c.mu.Lock()
	c.theirs = tag(res)
	if contact := res.Contact(); contact != nil {
		c.target = *contact.Address.Clone()
	}
	for _, h := range slices.Backward(res.GetHeaders("Record-Route")) {
		c.route = append(c.route, h.Value())
	}
	// A telephone may want the rest at another port than that of the call. Over a
	// connection, and where a proxy stays in between, the way remains.
	if ip, err := netip.ParseAddr(c.target.Host); err == nil && ip.Is4() && !ip.IsUnspecified() && len(c.route) == 0 && c.a.transport == "UDP" {
		port := c.target.Port
		if port == 0 {
			port = sip.DefaultUdpPort
		}
		c.to = net.JoinHostPort(ip.String(), fmt.Sprint(port))
	}
	number := c.number
	c.mu.Unlock()
	c.tx.OnRetransmission(func(r *sip.Response) {
		if tag(r) == c.tag() {
			_ = c.write(c.request(sip.ACK, number)) // it will come again
			return
		}
		c.dismiss(r, number)
	})
	if err := c.write(c.request(sip.ACK, number)); err != nil {
		return fmt.Errorf("acknowledge its answer: %w", err)
	}
	return nil
}

func (c *call) tag() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.theirs
}

// write sends a request that has no answer, on the connection of the call.
func (c *call) write(r *sip.Request) error { return c.tx.Connection().WriteMsg(r) }

// final returns the status of the final answer, or 0 when there is none in time.
func final(ctx context.Context, tx *sip.ClientTx) int {
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res.StatusCode
			}
		case <-tx.Done():
			return 0
		case <-ctx.Done():
			return 0
		}
	}
}

func tag(m interface{ To() *sip.ToHeader }) string {
	if to := m.To(); to != nil {
		t, _ := to.Params.Get("tag")
		return t
	}
	return ""
}
