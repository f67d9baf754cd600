package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"mime"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"shoplab/service/shop"
)

// maxJSON bounds a JSON body in bytes. Webhooks may be larger; see bodyLimit.
const maxJSON = 16 << 10

// decode reads the request's JSON body into into, and holds it against the schema that the OpenAPI
// document shows for its type.
func (s *Server) decode(c *fiber.Ctx, into any) error {
	mediaType, _, err := mime.ParseMediaType(c.Get(fiber.HeaderContentType))
	if err != nil || mediaType != fiber.MIMEApplicationJSON {
		return shop.Errorf(codeMediaType, "Send the body as application/json.")
	}
	return s.decodeJSON(c.Request().Body(), into)
}

func (s *Server) decodeJSON(body []byte, into any) error {
	if len(body) > maxJSON {
		return shop.Errorf(codeTooLarge, "The body is larger than %d bytes.", maxJSON)
	}
	if !utf8.Valid(body) || !json.Valid(body) {
		return shop.Errorf(codeMalformed, "The body is not one JSON value in UTF-8.")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	v, err := parse(d)
	if err != nil {
		return err
	}
	schema := s.spec.schema(reflect.TypeOf(into))
	// Validated and decoded are the members of exactly these names: both package huma and package json
	// would take "Quantity" for "quantity" too.
	if members, ok := v.(map[string]any); ok {
		maps.DeleteFunc(members, func(name string, _ any) bool { return schema.Properties[name] == nil })
	}
	var res huma.ValidateResult
	huma.Validate(s.spec.registry, schema, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, v, &res)
	if len(res.Errors) > 0 {
		return fieldErrors(res.Errors)
	}
	if body, err = json.Marshal(v); err != nil {
		return fmt.Errorf("encode what was validated: %w", err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		// The schema admits what Go's type does not: a whole number too large for it.
		var e *json.UnmarshalTypeError
		if errors.As(err, &e) {
			return invalid(e.Field, "is out of range")
		}
		return fmt.Errorf("decode what was validated: %w", err)
	}
	return nil
}

// parse reads a JSON value that is known to be valid. Unlike package json it refuses an object that
// names a member twice, of which each reader would take another. Whole numbers become int64, however
// they are written.
func parse(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, shop.Errorf(codeMalformed, "The body is not one JSON value in UTF-8.")
	}
	switch token {
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := parse(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token() // the bracket
		return list, err
	case json.Delim('{'):
		return parseObject(d)
	}
	if n, ok := token.(json.Number); ok {
		return parseNumber(n)
	}
	return token, nil
}

func parseObject(d *json.Decoder) (any, error) {
	object := map[string]any{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := parse(d)
		if err != nil {
			return nil, err
		}
		key, _ := name.(string)
		if _, twice := object[key]; twice {
			return nil, shop.Errorf(codeMalformed, "The body names a member of an object twice.")
		}
		object[key] = v
	}
	_, err := d.Token() // the brace
	return object, err
}

func parseNumber(n json.Number) (any, error) {
	if i, err := n.Int64(); err == nil {
		return i, nil
	}
	f, err := n.Float64()
	if err != nil {
		return nil, shop.Errorf(codeMalformed, "The body holds a number that is too large.")
	}
	const exact = 1 << 53 // below it every whole number has a float64 of its own
	if f == math.Trunc(f) && math.Abs(f) < exact {
		return int64(f), nil
	}
	return f, nil
}

// fieldErrors puts the validator's findings into the shop's words.
func fieldErrors(found []error) error {
	e := &shop.Error{Code: shop.CodeInvalid, Detail: "The input is not valid."}
	for _, f := range found {
		var d *huma.ErrorDetail
		if !errors.As(f, &d) {
			continue
		}
		field, message := d.Location, d.Message
		// "expected required property NAME to be present" is located at the object around it.
		if name, ok := strings.CutPrefix(message, "expected required property "); ok {
			name, _, _ = strings.Cut(name, " ")
			field, message = strings.TrimPrefix(field+"."+name, "."), "is required"
		}
		if strings.HasPrefix(message, "expected string to be RFC 5322 email") {
			message = "must be an email address, such as name@example.com"
		}
		if text, ok := strings.CutPrefix(message, "expected string to be text"); ok {
			message = "must be text" + text
		}
		e.Fields = append(e.Fields, shop.FieldError{Field: field, Message: message})
	}
	return e
}

// pathID is the id in the path; anything that cannot be one is not found.
func pathID(c *fiber.Ctx, name string) (int64, error) {
	id, err := strconv.ParseInt(c.Params(name), 10, 64)
	if err != nil || id <= 0 {
		return 0, shop.Errorf(shop.CodeNotFound, "There is nothing at this address.")
	}
	return id, nil
}

// Limits of a page.
const (
	defaultLimit = 20  // items
	maxLimit     = 100 // items
	// cursorPattern is what shop.EncodeCursor makes: a checksum of 8 bytes and at least one more. An empty
	// cursor is none.
	cursorPattern = `^([A-Za-z0-9_-]{12,512})?$`
)

var cursorText = regexp.MustCompile(cursorPattern)

// page reads limit and cursor out of the query.
func page(c *fiber.Ctx) (limit int, cursor string, err error) {
	if err := once(c, "limit", "cursor"); err != nil {
		return 0, "", err
	}
	limit = defaultLimit
	if args := c.Request().URI().QueryArgs(); args.Has("limit") {
		limit, err = strconv.Atoi(string(args.Peek("limit")))
		if err != nil || limit < 1 || limit > maxLimit {
			return 0, "", invalid("limit", "must be a number from 1 to "+strconv.Itoa(maxLimit))
		}
	}
	cursor = strings.Clone(c.Query("cursor"))
	if !cursorText.MatchString(cursor) {
		return 0, "", shop.Errorf(shop.CodeInvalidCursor, "This is not a cursor of the shop.")
	}
	return limit, cursor, nil
}

// once refuses a parameter of the query that comes twice, of which each reader would take another.
func once(c *fiber.Ctx, names ...string) error {
	for _, name := range names {
		if len(c.Request().URI().QueryArgs().PeekMulti(name)) > 1 {
			return invalid(name, "must not be given twice")
		}
	}
	return nil
}

// checkText refuses what cannot be in the catalog, before a database has to.
func checkText(field, text string) error {
	switch {
	case utf8.RuneCountInString(text) > shop.MaxSearchLength:
		return invalid(field, fmt.Sprintf("must not be longer than %d characters", shop.MaxSearchLength))
	case !shop.ValidText(text):
		return invalid(field, "must be "+textDescription)
	}
	return nil
}
