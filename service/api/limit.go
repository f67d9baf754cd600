package api

import (
	"math"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"shoplab/service/shop"
)

// Limit allows Rate events a Period on average, and Burst at once.
type Limit struct {
	Rate   int
	Burst  int
	Period time.Duration
}

// namedLimit is a limit and its name, which is part of the key and a metric's label.
type namedLimit struct {
	name string
	Limit
}

// The limits. Reading the catalog has none: it is cached, so a limit would cost more than what it
// limits. An address may be the one of a whole office. Logins: see guess. It takes ten networks and more to
// use up what an account may be guessed at by strangers: 100 times an hour, which are 876,000 a year. No
// password of eight characters that is not a common one fears that.
var (
	limitRegister     = namedLimit{"register", Limit{Rate: 20, Burst: 20, Period: time.Minute}}
	limitLoginNetwork = namedLimit{"login_network", Limit{Rate: 60, Burst: 30, Period: time.Minute}}
	limitLoginPair    = namedLimit{"login_account_network", Limit{Rate: 10, Burst: 10, Period: time.Hour}}
	limitLoginAccount = namedLimit{"login_account", Limit{Rate: 100, Burst: 100, Period: time.Hour}}
	limitLoginDevice  = namedLimit{"login_device", Limit{Rate: 10, Burst: 10, Period: time.Minute}}
	limitCart         = namedLimit{"cart", Limit{Rate: 600, Burst: 120, Period: time.Minute}}
	limitGuestCart    = namedLimit{"guest_cart", Limit{Rate: 120, Burst: 60, Period: time.Minute}}
	limitOrder        = namedLimit{"order", Limit{Rate: 30, Burst: 10, Period: time.Minute}}
	limitCancel       = namedLimit{"cancel", Limit{Rate: 30, Burst: 10, Period: time.Minute}}
	limitPayment      = namedLimit{"payment", Limit{Rate: 60, Burst: 20, Period: time.Minute}}
	// those that Stripe did not sign
	limitWebhook = namedLimit{"webhook", Limit{Rate: 60, Burst: 60, Period: time.Minute}}
)

// key is what the limit counts who's events under.
func (l namedLimit) key(who string) string { return l.name + ":" + who }

// limit refuses the request with CodeRateLimited when who has used the limit up.
func (s *Server) limit(c *fiber.Ctx, l namedLimit, who string) error {
	if s.allow == nil {
		return nil
	}
	ok, retryAfter := s.allow(c.UserContext(), l.key(who), l.Limit)
	if ok {
		return nil
	}
	s.metrics.limited.WithLabelValues(l.name).Inc()
	c.Set(fiber.HeaderRetryAfter, strconv.Itoa(max(1, int(math.Ceil(retryAfter.Seconds())))))
	when := "a moment"
	if minutes := int(math.Ceil(retryAfter.Minutes())); minutes > 1 {
		when = strconv.Itoa(minutes) + " minutes"
	}
	return shop.Errorf(shop.CodeRateLimited, "Too many attempts. Try again in %s.", when)
}
