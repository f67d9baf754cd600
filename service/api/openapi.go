package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"shoplab/service/shop"
)

// operation is a route of the API and what the OpenAPI document says about it.
type operation struct {
	method, path string // path in OpenAPI's notation: /api/products/{id}
	id, summary  string
	handler      fiber.Handler
	params       []*huma.Param
	in           any   // a value of the body's type, nil for none
	bare         bool  // works without the body too
	status       []int // of success, the first with a body of out
	out          any   // a value of the answer's type, nil for none
	user         bool  // needs a user who is signed in
	hot          bool  // bounds its context by itself, only where it needs one
	early        bool  // works before Open
	signed       bool  // proves by itself where it comes from, so that any origin may send it
	fails        []shop.Code
}

// spec is the OpenAPI document and the schemas in it.
type spec struct {
	registry huma.Registry
	schemas  map[reflect.Type]*huma.Schema
	document []byte
}

// schema returns the schema of a type, or of what a pointer points to, that is some operation's in.
func (s *spec) schema(t reflect.Type) *huma.Schema {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return s.schemas[t]
}

const schemaPrefix = "#/components/schemas/"

// newSpec writes the document. Members of a body that the shop does not know are ignored, so that
// its schema admits them; answers hold what the schema says and nothing else.
func newSpec(version string, ops []operation) (*spec, error) {
	s := &spec{
		registry: huma.NewMapRegistry(schemaPrefix, huma.DefaultSchemaNamer), schemas: map[reflect.Type]*huma.Schema{},
	}
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Shoplab", Version: version,
			Description: "Money is an integer number of minor units in members that end in _cents. " +
				"Failures are RFC 9457 problem documents with a stable code.",
		},
		Paths: map[string]*huma.PathItem{},
		Components: &huma.Components{
			Schemas: s.registry,
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"bearer": {
					Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "For programs: the token of register or login.",
				},
				"cookie": {
					Type: "apiKey", In: "cookie", Name: sessionName, Description: "For browsers: set by register and login. Over " +
						"HTTPS its name begins with " + hostPrefix + ".",
				},
			},
		},
	}
	problemSchema := s.registry.Schema(reflect.TypeFor[problem](), true, "")
	s.registry.SchemaFromRef(problemSchema.Ref).AdditionalProperties = true
	for _, op := range ops {
		item, ok := doc.Paths[op.path]
		if !ok {
			item = &huma.PathItem{}
			doc.Paths[op.path] = item
		}
		slot := map[string]**huma.Operation{
			http.MethodGet: &item.Get, http.MethodPost: &item.Post, http.MethodPut: &item.Put, http.MethodDelete: &item.Delete,
		}[op.method]
		if slot == nil || *slot != nil {
			return nil, fmt.Errorf("openapi: cannot describe %s %s", op.method, op.path)
		}
		*slot = s.describe(op, problemSchema)
	}
	var err error
	s.document, err = json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("encode openapi document: %w", err)
	}
	return s, nil
}

func (s *spec) describe(op operation, problemSchema *huma.Schema) *huma.Operation {
	o := &huma.Operation{
		OperationID: op.id, Summary: op.summary,
		Parameters: slices.Concat(pathParams(op.path), op.params),
		Responses:  map[string]*huma.Response{},
	}
	if op.user {
		o.Security = []map[string][]string{{"bearer": {}}, {"cookie": {}}}
		op.fails = append(op.fails, shop.CodeUnauthenticated)
	}
	if op.in != nil {
		t := reflect.TypeOf(op.in)
		ref := s.registry.Schema(t, true, "")
		schema := s.registry.SchemaFromRef(ref.Ref)
		schema.AdditionalProperties = true
		onlyText(schema)
		s.schemas[t] = schema
		o.RequestBody = &huma.RequestBody{
			Required: !op.bare, Content: map[string]*huma.MediaType{fiber.MIMEApplicationJSON: {Schema: ref}},
		}
		op.fails = append(op.fails, codeMalformed, codeTooLarge, codeMediaType, shop.CodeInvalid)
	}
	for _, status := range op.status {
		r := &huma.Response{Description: http.StatusText(status)}
		if op.out != nil {
			ref := s.registry.Schema(reflect.TypeOf(op.out), true, "")
			r.Content = map[string]*huma.MediaType{fiber.MIMEApplicationJSON: {Schema: ref}}
			r.Links = links(op.id)
		}
		o.Responses[strconv.Itoa(status)] = r
	}
	for _, code := range append(op.fails, shop.CodeOverloaded, shop.CodeInternal) {
		status := strconv.Itoa(statuses[code])
		r, ok := o.Responses[status]
		if !ok {
			r = &huma.Response{Content: map[string]*huma.MediaType{problemType: {Schema: problemSchema}}}
			o.Responses[status] = r
		}
		if r.Description != "" {
			r.Description += ", "
		}
		r.Description += string(code)
	}
	return o
}

// What text that comes in is, for whoever reads why it was refused.
const (
	textDescription = "text without control characters"
	nameDescription = "text that can be seen, without control characters"
)

// onlyText makes the strings of a body's schema text, as shop.ValidText has it, and those that may not
// be empty something that can be seen. A password is only hashed, and may be anything.
func onlyText(schema *huma.Schema) {
	for _, p := range schema.Properties {
		if p.Type != huma.TypeString || p.Enum != nil || p.Format == "password" {
			continue
		}
		p.Pattern, p.PatternDescription = shop.TextPattern, textDescription
		if p.MinLength != nil {
			p.Pattern, p.PatternDescription = shop.NamePattern, nameDescription
		}
		p.PrecomputeMessages()
	}
}

var braces = regexp.MustCompile(`\{(\w+)\}`)

func pathParams(path string) (params []*huma.Param) {
	for _, m := range braces.FindAllStringSubmatch(path, -1) {
		params = append(params, &huma.Param{
			Name: m[1], In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeInteger, Format: "int64"},
		})
	}
	return params
}

// query describes an optional parameter of the query.
func query(name, description string, schema *huma.Schema) *huma.Param {
	return &huma.Param{Name: name, In: "query", Description: description, Schema: schema}
}

// textSchema is text that is searched for, of at most so many characters.
func textSchema(maxLength int) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, MaxLength: &maxLength, Pattern: shop.TextPattern}
}

// header describes a header of the request whose value matches the pattern.
func header(name, description, pattern string, required bool) *huma.Param {
	return &huma.Param{
		Name: name, In: "header", Description: description, Required: required,
		Schema: &huma.Schema{Type: huma.TypeString, Pattern: pattern},
	}
}

// pageParams are the parameters of a list that comes in pages.
func pageParams() []*huma.Param {
	return []*huma.Param{
		query("limit", "How many items at most.", &huma.Schema{
			Type: huma.TypeInteger, Minimum: new(1.0), Maximum: new(float64(maxLimit)), Default: defaultLimit,
		}),
		query("cursor", "What the page before gave as next_cursor.", &huma.Schema{
			Type: huma.TypeString, Pattern: cursorPattern,
		}),
	}
}

// openAPI answers GET /api/openapi.json.
func (s *Server) openAPI(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	return c.Send(s.spec.document)
}
