package api

import (
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"shoplab/service/shop"
)

// sameOrigin refuses writes that another site makes a browser send, by the rules of net/http's
// CrossOriginProtection: Sec-Fetch-Site where the browser sends it (over HTTPS, and to localhost),
// else Origin, whose host must be the one that the browser asked for. What has neither header is no
// browser. Bearer tokens need no protection, as browsers do not send them by themselves.
func sameOrigin(h fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		switch c.Get("Sec-Fetch-Site") {
		case "same-origin", "none":
			return h(c)
		case "":
		default:
			return errCrossOrigin()
		}
		origin := c.Get(fiber.HeaderOrigin)
		if origin == "" {
			return h(c)
		}
		u, err := url.Parse(origin)
		if err == nil && u.Host != "" && hostOf(u.Host, u.Scheme) == hostOf(string(c.Request().Host()), u.Scheme) {
			return h(c)
		}
		return errCrossOrigin()
	}
}

// hostOf is a host and its port, in one spelling: lower case, without the scheme's default port, which
// browsers leave out of Origin and programs may write into Host.
func hostOf(host, scheme string) string {
	host = strings.ToLower(host)
	switch scheme {
	case "http":
		return strings.TrimSuffix(host, ":80")
	case "https":
		return strings.TrimSuffix(host, ":443")
	}
	return host
}

func errCrossOrigin() error {
	return shop.Errorf(shop.CodeForbidden, "This write comes from another site.")
}
