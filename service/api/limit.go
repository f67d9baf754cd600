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
// limits. An address may be the one of a whole office. Ten guesses a minute at one account are
// 5 million a year, which no password of eight characters that is not a common one fears.
var (
	limitRegister     = namedLimit{"register", Limit{Rate: 20, Burst: 20, Period: time.Minute}}
	limitLoginAddress = namedLimit{"login_address", Limit{Rate: 60, Burst: 30, Period: time.Minute}}
	limitLoginAccount = namedLimit{"login_account", Limit{Rate: 10, Burst: 10, Period: time.Minute}}
	limitCart         = namedLimit{"cart", Limit{Rate: 600, Burst: 120, Period: time.Minute}}
	limitOrder        = namedLimit{"order", Limit{Rate: 30, Burst: 10, Period: time.Minute}}
	limitPayment      = namedLimit{"payment", Limit{Rate: 60, Burst: 20, Period: time.Minute}}
)

// limit refuses the request with CodeRateLimited when who has used the limit up.
func (s *Server) limit(c *fiber.Ctx, l namedLimit, who string) error {
	if s.allow == nil {
		return nil
	}
	ok, retryAfter := s.allow(c.UserContext(), l.name+":"+who, l.Limit)
	if ok {
		return nil
	}
	s.metrics.limited.WithLabelValues(l.name).Inc()
	c.Set(fiber.HeaderRetryAfter, strconv.Itoa(max(1, int(math.Ceil(retryAfter.Seconds())))))
	return shop.Errorf(shop.CodeRateLimited, "Too many attempts. Try again in a moment.")
}
