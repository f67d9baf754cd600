package api

import (
	"github.com/gofiber/fiber/v2"

	"shoplab/service/shop"
)

// Health is what GET /api/health says.
type Health struct {
	Status string `json:"status" enum:"ok"`
}

// live answers GET /livez: the process runs.
func (s *Server) live(c *fiber.Ctx) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.SendString("ok\n")
}

// ready answers GET /readyz: this instance can serve. It asks nobody, so that probes cost nothing.
func (s *Server) ready(c *fiber.Ctx) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	switch {
	case s.draining.Load():
		return shop.Errorf(shop.CodeOverloaded, "The instance is stopping.")
	case !s.isOpen.Load():
		return shop.Errorf(shop.CodeOverloaded, "The instance is starting.")
	}
	if err := s.Ready(c.UserContext()); err != nil {
		// which has logged why
		return shop.Errorf(shop.CodeOverloaded, "The instance is without its database, or that without its schema.")
	}
	return c.SendString("ok\n")
}

// health answers GET /api/health.
func (s *Server) health(c *fiber.Ctx) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(Health{Status: "ok"})
}

// getInfo answers GET /api/info.
func (s *Server) getInfo(c *fiber.Ctx) error {
	c.Set(fiber.HeaderCacheControl, "no-cache")
	return c.JSON(s.info)
}
