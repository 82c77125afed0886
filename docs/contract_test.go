package docs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// home is a base for the files' names; nothing is fetched from it.
const home = "https://contract.invalid/"

const (
	openAPI  = "openapi.yaml"
	asyncAPI = "asyncapi.yaml"
	schemas  = "schemas.yaml"
)

// contract is the three documents, read.
type contract struct {
	t        *testing.T
	files    map[string]any
	compiler *jsonschema.Compiler
}

// at is a place in one of the documents.
type at struct{ file, pointer string }

func (a at) String() string { return a.file + "#" + a.pointer }

// of returns the place below a by the given names.
func (a at) of(names ...string) at {
	for _, n := range names {
		a.pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(n)
	}
	return a
}

func def(name string) at { return at{file: schemas}.of("$defs", name) }

func load(t *testing.T) *contract {
	t.Helper()
	c := &contract{t: t, files: make(map[string]any), compiler: jsonschema.NewCompiler()}
	c.compiler.AssertFormat()
	for _, name := range []string{openAPI, asyncAPI, schemas} {
		b, err := Contract.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := yaml.YAMLToJSON(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if c.files[name], err = jsonschema.UnmarshalJSON(bytes.NewReader(text)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := c.compiler.AddResource(home+name, c.files[name]); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return c
}

// node returns what stands at a place, or nil.
func (c *contract) node(a at) any {
	n := c.files[a.file]
	for _, name := range strings.Split(a.pointer, "/")[1:] {
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		switch v := n.(type) {
		case map[string]any:
			n = v[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(v) {
				return nil
			}
			n = v[i]
		default:
			return nil
		}
	}
	return n
}

// object returns the object at a place; what is not there is empty.
func (c *contract) object(a at) map[string]any {
	m, _ := c.node(a).(map[string]any)
	return m
}

// follow goes where a reference at a place leads, and stays where there is none.
func (c *contract) follow(a at) at {
	for range 10 {
		ref, ok := c.object(a)["$ref"].(string)
		if !ok {
			return a
		}
		a = target(a, ref)
	}
	c.t.Fatalf("%s: references in a circle", a)
	return a
}

func target(from at, ref string) at {
	file, pointer, _ := strings.Cut(ref, "#")
	if file == "" {
		file = from.file
	}
	return at{file, pointer}
}

// check validates a value against the schema at a place.
func (c *contract) check(a at, v any) error {
	s, err := c.compiler.Compile(home + a.file + "#" + (&url.URL{Fragment: a.pointer}).EscapedFragment())
	if err != nil {
		return fmt.Errorf("schema %s: %w", a, err)
	}
	if err := s.Validate(v); err != nil {
		b, _ := json.Marshal(v)
		return fmt.Errorf("%w\nin %.2000s", err, b)
	}
	return nil
}

// checkJSON validates a document.
func (c *contract) checkJSON(a at, b []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("%w in %.300q", err, b)
	}
	return c.check(a, v)
}

// walk visits every object below a place.
func (c *contract) walk(a at, visit func(at, map[string]any)) { walk(a, c.node(a), visit) }

func walk(a at, n any, visit func(at, map[string]any)) {
	switch v := n.(type) {
	case map[string]any:
		visit(a, v)
		for name, child := range v {
			walk(a.of(name), child, visit)
		}
	case []any:
		for i, child := range v {
			walk(a.of(strconv.Itoa(i)), child, visit)
		}
	}
}

// names returns the properties that a schema describes, those of the schemas
// that it is made of included.
func (c *contract) names(a at) map[string]at {
	out := make(map[string]at)
	n := c.object(a)
	if ref, ok := n["$ref"].(string); ok {
		for k, v := range c.names(target(a, ref)) {
			out[k] = v
		}
	}
	for name, p := range c.object(a.of("properties")) {
		if p != false {
			out[name] = a.of("properties", name)
		}
	}
	for _, key := range []string{"oneOf", "allOf", "anyOf"} {
		list, _ := n[key].([]any)
		for i := range list {
			for k, v := range c.names(a.of(key, strconv.Itoa(i))) {
				out[k] = v
			}
		}
	}
	return out
}
