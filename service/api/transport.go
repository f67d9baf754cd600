package api

import (
	"bytes"
	"net/http"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"shoplab/service/shop"
)

// methods are the request methods that the shop recognizes: 405 where an address does not have one of
// them. Any other is 501 (RFC 9110 section 9.1).
var methods = append(slices.Clone(fiber.DefaultMethods), "QUERY")

const (
	unmatched   = "unmatched" // the route of a request that no handler saw, as a metric's label
	otherMethod = "other"     // the method, where the client could make up any number of them
)

// admit refuses what is HTTP but not for the router, which would answer in plain text.
func (s *Server) admit(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(rc *fasthttp.RequestCtx) {
		err := inadmissible(rc)
		if err == nil {
			next(rc)
			return
		}
		c := s.app.AcquireCtx(rc)
		defer s.app.ReleaseCtx(c)
		if err := s.refuse(c, err); err != nil {
			rc.SetStatusCode(http.StatusInternalServerError)
		}
	}
}

// inadmissible says what is wrong with the request as HTTP, or nil.
func inadmissible(rc *fasthttp.RequestCtx) error {
	h := &rc.Request.Header
	switch {
	case !bytes.HasPrefix(h.Protocol(), []byte("HTTP/1.")):
		return shop.Errorf(codeHTTPVersion, "The shop speaks HTTP/1.1 and HTTP/1.0.")
	case !slices.Contains(methods, string(h.Method())):
		return shop.Errorf(codeNotImplemented, "The shop does not know this method.")
	case len(h.Host()) == 0 && h.IsHTTP11():
		return shop.Errorf(codeMalformed, "The request has no Host header.") // RFC 9112 section 3.2
	}
	return nil
}

// refuse answers a request that did not get as far as the middleware: it is not for the router, or
// not even HTTP.
func (s *Server) refuse(c *fiber.Ctx, err error) error {
	if err := s.fail(c, err); err != nil {
		return err
	}
	c.Set(fiber.HeaderConnection, "close") // where the next request would begin is not certain
	s.answered(c, unmatched, otherMethod, 0)
	return nil
}

// notHTTP puts the HTTP engine's own errors, which have no types, into the shop's words.
func notHTTP(err *fiber.Error) *shop.Error {
	if strings.Contains(strings.ToLower(err.Message), "transfer") {
		return shop.Errorf(codeNotImplemented, "The shop knows no Transfer-Encoding but chunked.") // RFC 9112 section 6.1
	}
	return shop.Errorf(codeMalformed, "The request is not valid HTTP.")
}

// notAllowed is the error of a method that an address does not have; allow lists those that it has.
func notAllowed(c *fiber.Ctx, allow string) error {
	c.Set(fiber.HeaderAllow, allow)
	return fiber.ErrMethodNotAllowed
}
