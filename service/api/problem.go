package api

import (
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"shoplab/contract"
	"shoplab/service/shop"
)

// Codes that only HTTP knows.
const (
	codeMalformed        shop.Code = "MALFORMED_REQUEST"
	codeMethodNotAllowed shop.Code = "METHOD_NOT_ALLOWED"
	codeTimeout          shop.Code = "REQUEST_TIMEOUT"
	codeTooLarge         shop.Code = "BODY_TOO_LARGE"
	codeMediaType        shop.Code = "UNSUPPORTED_MEDIA_TYPE"
	codeHeadersTooLarge  shop.Code = "HEADERS_TOO_LARGE"
	codeNotImplemented   shop.Code = "NOT_IMPLEMENTED"
	codeHTTPVersion      shop.Code = "HTTP_VERSION_NOT_SUPPORTED"
)

// statuses is the one map of what went wrong to HTTP.
var statuses = map[shop.Code]int{
	codeMalformed:               http.StatusBadRequest,
	shop.CodeInvalidCursor:      http.StatusBadRequest,
	shop.CodeIdempotencyKey:     http.StatusBadRequest,
	shop.CodeBadSignature:       http.StatusBadRequest,
	shop.CodeEventRefused:       http.StatusBadRequest,
	shop.CodeUnauthenticated:    http.StatusUnauthorized,
	shop.CodeInvalidCredentials: http.StatusUnauthorized,
	shop.CodeForbidden:          http.StatusForbidden,
	shop.CodeNotFound:           http.StatusNotFound,
	shop.CodeWebhooksOff:        http.StatusNotFound, // not 503: anybody could make as many server errors as they like
	codeMethodNotAllowed:        http.StatusMethodNotAllowed,
	codeTimeout:                 http.StatusRequestTimeout,
	shop.CodeEmailTaken:         http.StatusConflict,
	shop.CodeEmptyCart:          http.StatusConflict,
	shop.CodeOutOfStock:         http.StatusConflict,
	shop.CodePriceChanged:       http.StatusConflict,
	shop.CodeTotalTooSmall:      http.StatusConflict,
	shop.CodeTotalTooLarge:      http.StatusConflict,
	shop.CodeHoldLimit:          http.StatusConflict,
	shop.CodeOrderNotPending:    http.StatusConflict,
	codeTooLarge:                http.StatusRequestEntityTooLarge,
	codeMediaType:               http.StatusUnsupportedMediaType,
	shop.CodeInvalid:            http.StatusUnprocessableEntity,
	shop.CodeKeyReused:          http.StatusUnprocessableEntity,
	shop.CodeRateLimited:        http.StatusTooManyRequests,
	codeHeadersTooLarge:         http.StatusRequestHeaderFieldsTooLarge,
	shop.CodeInternal:           http.StatusInternalServerError,
	codeNotImplemented:          http.StatusNotImplemented,
	shop.CodeOverloaded:         http.StatusServiceUnavailable,
	shop.CodeBusy:               http.StatusServiceUnavailable,
	shop.CodePaymentUnavailable: http.StatusServiceUnavailable,
	codeHTTPVersion:             http.StatusHTTPVersionNotSupported,
}

const problemType = "application/problem+json"

// Problem is an RFC 9457 problem document.
type problem struct {
	Type   string            `json:"type" doc:"Always about:blank: code tells problems apart." example:"about:blank"`
	Title  string            `json:"title" example:"Conflict"`
	Status int               `json:"status" example:"409"`
	Detail string            `json:"detail,omitempty" doc:"For people. It may change."`
	Code   shop.Code         `json:"code" doc:"For programs. It is stable." example:"OUT_OF_STOCK"`
	Errors []shop.FieldError `json:"errors,omitempty" doc:"What is wrong with which input field."`
	extra  map[string]any
}

// MarshalJSON puts the extra members beside the others.
func (p problem) MarshalJSON() ([]byte, error) {
	type plain problem
	b, err := json.Marshal(plain(p))
	if err != nil || len(p.extra) == 0 {
		return b, err
	}
	members := make(map[string]any)
	maps.Copy(members, p.extra)
	if err := json.Unmarshal(b, &members); err != nil { // RFC 9457's own members win
		return nil, err
	}
	return json.Marshal(members)
}

// asShopError finds the error that a client may see, or nil.
func asShopError(err error) *shop.Error {
	var e *shop.Error
	if errors.As(err, &e) {
		return e
	}
	var f *fiber.Error
	if !errors.As(err, &f) {
		return nil
	}
	switch f.Code {
	case http.StatusNotFound:
		return shop.Errorf(shop.CodeNotFound, "There is nothing at this address.")
	case http.StatusMethodNotAllowed:
		return shop.Errorf(codeMethodNotAllowed, "This address does not know the method.")
	case http.StatusRequestTimeout:
		return shop.Errorf(codeTimeout, "The request took too long to arrive.")
	case http.StatusRequestEntityTooLarge:
		return shop.Errorf(codeTooLarge, "The request's body is too large.")
	case http.StatusRequestHeaderFieldsTooLarge:
		return shop.Errorf(codeHeadersTooLarge, "The request's header is too large.")
	case http.StatusInternalServerError:
		return nil
	}
	return notHTTP(f)
}

// fail answers with the problem document of err. What a client may not see is logged.
func (s *Server) fail(c *fiber.Ctx, err error) error {
	if requestID(c) == "" { // around has not seen it
		s.identify(c)
	}
	s.secure(c)
	e := asShopError(err)
	explained := e != nil && e.Err == nil && err == error(e) //nolint:errorlint // nothing is wrapped
	if e == nil {
		e = shop.Errorf(shop.CodeInternal, "Something went wrong here. It has been noted.")
	}
	status, ok := statuses[e.Code]
	if !ok {
		status = http.StatusInternalServerError
	}
	if status >= http.StatusInternalServerError && !explained {
		level := slog.LevelError
		if status == http.StatusServiceUnavailable {
			level = slog.LevelWarn // overload makes many
		}
		s.log.Log(c.UserContext(), level, "request failed", "request_id", requestID(c),
			"method", c.Method(), "route", c.Route().Path, "code", e.Code, "error", err)
	}
	starting := errors.Is(err, errStarting)
	body, err := json.Marshal(problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: e.Detail, Code: e.Code, Errors: e.Fields, extra: e.Extra,
	})
	if err != nil {
		return err
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		if len(c.Response().Header.Peek(fiber.HeaderRetryAfter)) == 0 {
			c.Set(fiber.HeaderRetryAfter, strconv.Itoa(retryAfterSeconds))
		}
	}
	if status == http.StatusServiceUnavailable && !starting {
		c.Set(contract.HeaderNoRetry, "true")
	}
	if status == http.StatusUnauthorized {
		c.Set(fiber.HeaderWWWAuthenticate, "Bearer")
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderContentType, problemType)
	return c.Status(status).Send(body)
}

// retryAfterSeconds is what a client is told who met an overload: about one sweep of the queue for
// a database connection.
const retryAfterSeconds = 1

// invalid is a CodeInvalid about one field.
func invalid(field, message string) error {
	return &shop.Error{
		Code: shop.CodeInvalid, Detail: "The input is not valid.",
		Fields: []shop.FieldError{{Field: field, Message: message}},
	}
}
