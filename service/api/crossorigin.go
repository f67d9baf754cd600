package api

import (
	"net/url"

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
		if u, err := url.Parse(origin); err == nil && u.Host != "" && u.Host == string(c.Request().Host()) {
			return h(c)
		}
		return errCrossOrigin()
	}
}

func errCrossOrigin() error {
	return shop.Errorf(shop.CodeForbidden, "This write comes from another site.")
}
