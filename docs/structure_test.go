package docs

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestEveryReferenceLeadsSomewhere(t *testing.T) {
	c := load(t)
	for file := range c.files {
		c.walk(at{file: file}, func(a at, n map[string]any) {
			ref, ok := n["$ref"].(string)
			if !ok || strings.HasSuffix(a.pointer, "/properties") {
				return
			}
			if c.node(target(a, ref)) == nil {
				t.Errorf("%s: %s is nowhere", a, ref)
			}
		})
	}
}

func TestEverySchemaIsOne(t *testing.T) {
	c := load(t)
	used := make(map[string]bool)
	for file := range c.files {
		c.walk(at{file: file}, func(a at, n map[string]any) {
			if ref, ok := n["$ref"].(string); ok && target(a, ref).file == schemas {
				used[target(a, ref).pointer] = true
			}
		})
	}
	for name := range c.object(at{file: schemas}.of("$defs")) {
		if _, err := c.compiler.Compile(home + def(name).String()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, own := range []string{"CommandHeader", "CommandClaims"} { // of what is inside a JWS
			used[def(own).pointer] = true
		}
		if !used[def(name).pointer] {
			t.Errorf("nothing uses the schema %s", name)
		}
	}
}

func TestExamplesAreValid(t *testing.T) {
	c := load(t)
	n := 0
	for name := range c.object(at{file: schemas}.of("$defs")) {
		list, _ := c.object(def(name))["examples"].([]any)
		for _, example := range list {
			n++
			if err := c.check(def(name), example); err != nil {
				t.Errorf("an example of %s: %v", name, err)
			}
		}
	}
	if n < 10 {
		t.Errorf("%d examples only", n)
	}
}

var inBraces = regexp.MustCompile(`\{([a-z]+)\}`)

// TestOpenAPIIsWhole checks what OpenAPI 3.1 demands of the parts that are used.
func TestOpenAPIIsWhole(t *testing.T) {
	c := load(t)
	root := at{file: openAPI}
	if v := c.node(root.of("openapi")); v != "3.1.0" {
		t.Errorf("openapi: %v", v)
	}
	for _, name := range []string{"title", "version"} {
		if v, _ := c.node(root.of("info", name)).(string); v == "" {
			t.Errorf("info has no %s", name)
		}
	}
	ids := make(map[string]bool)
	for _, op := range c.operations() {
		o := c.object(op.at)
		id, _ := o["operationId"].(string)
		if id == "" || ids[id] {
			t.Errorf("%s: operationId %q is missing or taken", op.at, id)
		}
		ids[id] = true
		if o["summary"] == nil || len(c.object(op.at.of("responses"))) == 0 {
			t.Errorf("%s has no summary or no responses", op.at)
		}
		for status := range c.object(op.at.of("responses")) {
			r := c.follow(op.at.of("responses", status))
			if c.object(r)["description"] == nil || !regexp.MustCompile(`^[1-5](\d\d|XX)$`).MatchString(status) {
				t.Errorf("%s: response %s has no description, or no such status", op.at, status)
			}
			for media := range c.object(r.of("content")) {
				if c.node(r.of("content", media, "schema")) == nil {
					t.Errorf("%s: %s has no schema", r, media)
				}
			}
		}
		declared := make(map[string]bool)
		for _, p := range c.parameters(op) {
			n := c.object(p)
			in, _ := n["in"].(string)
			if !slices.Contains([]string{"path", "query", "header"}, in) || n["schema"] == nil || (in == "path" && n["required"] != true) {
				t.Errorf("%s: a parameter needs in, a schema and, in a path, required", p)
			}
			if in == "path" {
				declared[n["name"].(string)] = true
			}
		}
		for _, m := range inBraces.FindAllStringSubmatch(op.path, -1) {
			if !declared[m[1]] {
				t.Errorf("%s: the path's %s is not declared", op.at, m[1])
			}
		}
		security, own := o["security"].([]any)
		if !own {
			security, _ = c.node(root.of("security")).([]any)
		}
		for _, s := range security {
			for name := range s.(map[string]any) {
				if c.node(root.of("components", "securitySchemes", name)) == nil {
					t.Errorf("%s: no security scheme %s", op.at, name)
				}
			}
		}
	}
}

// TestAsyncAPIIsWhole checks what AsyncAPI 3 demands of the parts that are used.
func TestAsyncAPIIsWhole(t *testing.T) {
	c := load(t)
	root := at{file: asyncAPI}
	if v := c.node(root.of("asyncapi")); v != "3.0.0" {
		t.Errorf("asyncapi: %v", v)
	}
	served := make(map[string]bool)
	for name := range c.object(root.of("operations")) {
		op := root.of("operations", name)
		if action := c.node(op.of("action")); action != "send" && action != "receive" {
			t.Errorf("%s: action %v", op, action)
		}
		served[c.follow(op.of("channel")).pointer] = true
	}
	used := make(map[string]bool)
	for name := range c.object(root.of("channels")) {
		ch := root.of("channels", name)
		if !served[ch.pointer] {
			t.Errorf("nobody sends or receives %s", ch)
		}
		address, _ := c.node(ch.of("address")).(string)
		params := c.object(ch.of("parameters"))
		found := inBraces.FindAllStringSubmatch(address, -1)
		if len(found) != len(params) {
			t.Errorf("%s: %d parameters in the address, %d declared", ch, len(found), len(params))
		}
		for _, m := range found {
			if params[m[1]] == nil {
				t.Errorf("%s: parameter %s is not declared", ch, m[1])
			}
		}
		if len(c.object(ch.of("messages"))) == 0 {
			t.Errorf("%s has no messages", ch)
		}
		for m := range c.object(ch.of("messages")) {
			message := c.follow(ch.of("messages", m))
			used[message.pointer] = true
			if format := c.node(message.of("payload", "schemaFormat")); format != "application/schema+json;version=draft-2020-12" {
				t.Errorf("%s: schemaFormat %v", message, format)
			}
			if c.node(message.of("payload", "schema")) == nil || c.node(message.of("name")) == nil {
				t.Errorf("%s has no name or no schema", message)
			}
		}
	}
	for name := range c.object(root.of("components", "messages")) {
		if !used[root.of("components", "messages", name).pointer] {
			t.Errorf("no channel has the message %s", name)
		}
	}
}

// operation is one operation of the OpenAPI document.
type operation struct {
	at           at
	method, path string
	item         at // the path item, with the parameters of all its operations
}

func (c *contract) operations() (list []operation) {
	for _, group := range []string{"paths", "webhooks"} {
		for path := range c.object(at{file: openAPI}.of(group)) {
			item := at{file: openAPI}.of(group, path)
			for _, method := range []string{"get", "put", "post", "delete", "patch"} {
				if c.node(item.of(method)) != nil {
					list = append(list, operation{item.of(method), strings.ToUpper(method), path, item})
				}
			}
		}
	}
	return list
}

// parameters returns an operation's own parameters and those of its path.
func (c *contract) parameters(op operation) (list []at) {
	for _, holder := range []at{op.item, op.at} {
		own, _ := c.node(holder.of("parameters")).([]any)
		for i := range own {
			list = append(list, c.follow(holder.of("parameters", strconv.Itoa(i))))
		}
	}
	return list
}
