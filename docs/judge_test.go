package docs

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"nabat/sync/dispatch/webhook"
)

// unseen is what the documents name and the session does not bring about.
func unseen() map[string]string {
	m := map[string]string{
		"message nabat.journal.gap":        "needs a journal at its cap",
		"message nabat.journal.parked":     "needs an event that a service refuses for good, and the gateway makes none",
		"message nabat.journal.recovered":  "needs a damaged file",
		"message nabat.clock.synchronised": "comes only where the kernel of this machine holds its clock for synchronised",
		"alertChange 4XX":                  "the session's receiver takes everything",
		"alertChange 5XX":                  "the session's receiver takes everything",
	}
	for _, op := range []string{"sendEvents", "sendStatus", "getCommands", "getConfig"} {
		m[op+" 403"] = "needs TLS and another gateway's certificate; the tests of the gate have both"
		m[op+" 503"] = "needs a database that does not answer; the tests of the gate have that"
	}
	return m
}

// judge holds everything that was noted against the documents, and the
// documents against what was noted. kept are the topics of which the broker kept
// messages, at several times.
func judge(t *testing.T, c *contract, r *rig, kept ...[]string) {
	t.Helper()
	requests, hooks, messages := r.notes.all()
	j := &judgement{t: t, c: c, seen: make(map[string]int)}
	for _, x := range requests {
		j.request(x, "paths")
	}
	for _, x := range hooks {
		j.request(x, "webhooks")
		h := x.request.Header
		if want := webhook.Sign([]byte(hookSecret), h.Get("Nabat-Id"), h.Get("Nabat-Timestamp"), x.sent); h.Get("Nabat-Signature") != want {
			t.Errorf("the webhook's signature is %s, want %s", h.Get("Nabat-Signature"), want)
		}
	}
	for _, m := range messages {
		if string(m.payload) != strange {
			j.message(m)
		}
	}
	for _, topics := range kept {
		j.retained(topics)
	}
	known := unseen()
	for _, name := range j.documented() {
		if _, excused := known[name]; !excused && j.seen[name] == 0 {
			t.Errorf("the documents name %q, which was never seen", name)
		}
		delete(known, name)
	}
	for name := range known {
		t.Errorf("%q is excused, but no document names it", name)
	}
	t.Logf("%d requests, %d calls of the webhook, %d messages: %v", len(requests), len(hooks), len(messages), j.seen)
}

type judgement struct {
	t    *testing.T
	c    *contract
	seen map[string]int
}

// documented lists every answer and every message that the documents name.
func (j *judgement) documented() (list []string) {
	for _, op := range j.c.operations() {
		for status := range j.c.object(op.at.of("responses")) {
			list = append(list, fmt.Sprintf("%s %s", j.c.node(op.at.of("operationId")), status))
		}
	}
	messages := at{file: asyncAPI}.of("components", "messages")
	for name := range j.c.object(messages) {
		list = append(list, fmt.Sprintf("message %s", j.c.node(messages.of(name, "name"))))
	}
	for i := range j.claims() {
		list = append(list, "claims "+strconv.Itoa(i))
	}
	return list
}

func (j *judgement) claims() []any {
	list, _ := j.c.node(def("CommandClaims").of("oneOf")).([]any)
	return list
}

// request checks one exchange. What strangers ask need not be right; what they
// are answered must be.
func (j *judgement) request(x exchange, group string) {
	j.t.Helper()
	for _, op := range j.c.operations() {
		path := ""
		if group == "paths" {
			path = "^" + inBraces.ReplaceAllString(op.path, "([^/]+)") + "$"
		}
		if !strings.HasPrefix(op.at.pointer, "/"+group+"/") || op.method != x.request.Method || !regexp.MustCompile(path).MatchString(x.request.URL.EscapedPath()) {
			continue
		}
		id, _ := j.c.node(op.at.of("operationId")).(string)
		what := fmt.Sprintf("%s %s -> %d", x.request.Method, x.request.URL.RequestURI(), x.status)
		if ours := x.request.UserAgent(); ours == "nabat" || ours == "nabat-dispatch" {
			if err := j.asked(op, x, regexp.MustCompile(path).FindStringSubmatch(x.request.URL.EscapedPath())); err != nil {
				j.t.Errorf("%s: request: %v", what, err)
			}
		}
		status := strconv.Itoa(x.status)
		if j.c.node(op.at.of("responses", status)) == nil {
			status = status[:1] + "XX"
		}
		if j.c.node(op.at.of("responses", status)) == nil {
			j.t.Errorf("%s: %s does not name this answer", what, op.at)
			return
		}
		j.seen[id+" "+status]++
		if err := j.answered(j.c.follow(op.at.of("responses", status)), x); err != nil {
			j.t.Errorf("%s: answer: %v", what, err)
		}
		return
	}
	j.t.Errorf("no document names %s %s", x.request.Method, x.request.URL.Path)
}

// asked checks a request of our own programs.
func (j *judgement) asked(op operation, x exchange, levels []string) error {
	query, level := x.request.URL.Query(), 0
	for _, p := range j.c.parameters(op) {
		n := j.c.object(p)
		name, _ := n["name"].(string)
		var value any
		switch n["in"] {
		case "path":
			level++
			s, err := url.PathUnescape(levels[level])
			if err != nil {
				return err
			}
			value = s
		case "query":
			if s, ok := query[name]; ok {
				value = s[0]
				if j.c.node(p.of("schema", "type")) == "integer" {
					value = json.Number(s[0])
				}
			}
			query.Del(name)
		case "header":
			if s := x.request.Header.Get(name); s != "" {
				value = s
			}
		}
		if value == nil {
			if n["required"] == true {
				return fmt.Errorf("%s is missing", name)
			}
			continue
		}
		if err := j.c.check(p.of("schema"), value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(query) > 0 {
		return fmt.Errorf("the document names none of %v", query)
	}
	body, err := plain(x)
	if err != nil {
		return err
	}
	if strings.HasSuffix(op.path, "/events") {
		// One by one: what is wrong with an event is then easier to read.
		var list []json.RawMessage
		if err := json.Unmarshal(body, &list); err != nil {
			return err
		}
		for _, raw := range list {
			if err := j.event(raw); err != nil {
				return err
			}
		}
	}
	return j.body(op.at.of("requestBody", "content"), x.request.Header, body)
}

// answered checks an answer against its response.
func (j *judgement) answered(response at, x exchange) error {
	for name := range j.c.object(response.of("headers")) {
		h := j.c.follow(response.of("headers", name))
		value := x.header.Get(name)
		if value == "" && j.c.node(h.of("required")) == true {
			return fmt.Errorf("header %s is missing", name)
		}
		if err := j.c.check(h.of("schema"), value); err != nil {
			return fmt.Errorf("header %s: %w", name, err)
		}
	}
	return j.body(response.of("content"), x.header, x.got)
}

// body checks a body against the media types that are possible.
func (j *judgement) body(content at, h http.Header, body []byte) error {
	if j.c.node(content) == nil {
		if len(body) > 0 {
			return fmt.Errorf("a body that no document names: %.200q", body)
		}
		return nil
	}
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || j.c.node(content.of(media)) == nil {
		return fmt.Errorf("the content type %q is not in %s", h.Get("Content-Type"), content)
	}
	if strings.HasSuffix(media, "json") {
		return j.c.checkJSON(content.of(media, "schema"), body)
	}
	return j.c.check(content.of(media, "schema"), string(body))
}

// event checks one event, by the schema that its message has.
func (j *judgement) event(raw []byte) error {
	var e struct{ Type string }
	if err := json.Unmarshal(raw, &e); err != nil {
		return err
	}
	name := strings.TrimPrefix(e.Type, "nabat.")
	return j.as(at{file: asyncAPI}.of("channels", "event", "messages", name), raw)
}

// as checks a payload as one message of a channel.
func (j *judgement) as(a at, payload []byte) error {
	m := j.c.follow(a)
	if j.c.node(m) == nil {
		return fmt.Errorf("there is no message %s", a)
	}
	var err error
	if j.c.node(m.of("contentType")) == "application/jose" {
		err = j.jws(m, string(payload))
	} else {
		err = j.c.checkJSON(m.of("payload", "schema"), payload)
	}
	if err == nil {
		j.seen[fmt.Sprintf("message %s", j.c.node(m.of("name")))]++
	}
	return err
}

// jws checks a signed command, its header and its claims.
func (j *judgement) jws(m at, compact string) error {
	if err := j.c.check(m.of("payload", "schema"), compact); err != nil {
		return err
	}
	parts := strings.Split(compact, ".")
	for i, name := range []string{"CommandHeader", "CommandClaims"} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return err
		}
		if err := j.c.checkJSON(def(name), b); err != nil {
			return err
		}
		for k := range j.claims() {
			if name == "CommandClaims" && j.c.checkJSON(def(name).of("oneOf", strconv.Itoa(k)), b) == nil {
				j.seen["claims "+strconv.Itoa(k)]++
			}
		}
	}
	return nil
}

// message checks one MQTT message.
func (j *judgement) message(m message) {
	j.t.Helper()
	ch, params, ok := j.channel(m.topic)
	if !ok {
		j.t.Errorf("no document names the topic %s", m.topic)
		return
	}
	qos, _ := j.c.node(j.operation(ch).of("bindings", "mqtt", "qos")).(json.Number)
	if strconv.Itoa(int(m.qos)) != qos.String() {
		j.t.Errorf("%s: QoS %d, the document says %s", m.topic, m.qos, qos)
	}
	if len(params) == 3 { // an event
		if err := j.as(ch.of("messages", params[2]), m.payload); err != nil {
			j.t.Errorf("%s: %v", m.topic, err)
		}
		return
	}
	var errs []error
	for name := range j.c.object(ch.of("messages")) {
		if err := j.as(ch.of("messages", name), m.payload); err == nil {
			return
		} else {
			errs = append(errs, err)
		}
	}
	j.t.Errorf("%s is none of the messages: %v", m.topic, errs)
}

// channel returns the channel of a topic and the parameters in it.
func (j *judgement) channel(topic string) (at, []string, bool) {
	channels := at{file: asyncAPI}.of("channels")
	for name := range j.c.object(channels) {
		address, _ := j.c.node(channels.of(name, "address")).(string)
		re := regexp.MustCompile("^" + inBraces.ReplaceAllString(address, "([^/]+)") + "$")
		if m := re.FindStringSubmatch(topic); m != nil {
			return channels.of(name), m[1:], true
		}
	}
	return at{}, nil, false
}

// operation returns the operation of a channel.
func (j *judgement) operation(ch at) at {
	operations := at{file: asyncAPI}.of("operations")
	for name := range j.c.object(operations) {
		if j.c.follow(operations.of(name, "channel")) == ch {
			return operations.of(name)
		}
	}
	return at{}
}

// retained checks that the broker kept what the document says, and nothing else.
func (j *judgement) retained(topics []string) {
	j.t.Helper()
	var found, want []string
	for _, topic := range topics {
		if ch, _, ok := j.channel(topic); ok {
			found = append(found, ch.pointer)
		}
	}
	channels := at{file: asyncAPI}.of("channels")
	for name := range j.c.object(channels) {
		if j.c.node(j.operation(channels.of(name)).of("bindings", "mqtt", "retain")) == true {
			want = append(want, channels.of(name).pointer)
		}
	}
	slices.Sort(found)
	slices.Sort(want)
	if found = slices.Compact(found); !slices.Equal(found, want) {
		j.t.Errorf("the broker keeps messages of %v, the document says of %v", found, want)
	}
}

// plain returns the body of a request, decompressed.
func plain(x exchange) ([]byte, error) {
	if x.request.Header.Get("Content-Encoding") != "gzip" {
		return x.sent, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(x.sent))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, 64<<20))
}
