package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/gofiber/fiber/v2"
)

// A browser that has signed in to an account keeps a device cookie for it, for long: who shops once a year
// is not to be locked out then because somebody guesses.
const (
	deviceName = "device"
	deviceTTL  = 365 * 24 * time.Hour
)

// guess is a login that is under way: what it has used up of the limits on wrong passwords.
type guess struct {
	ctx    context.Context
	server *Server
	used   []string // keys of limits
	limits []Limit
}

// guess lets a login go on within the limits, as OWASP's device cookies do it: a device that has signed in
// to the account before has limits of its own, so that nobody who guesses can lock it out. All others are
// counted by network, by account and network, and, slowly, by account.
// https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies
func (s *Server) guess(c *fiber.Ctx, email string) (*guess, error) {
	g := &guess{ctx: c.UserContext(), server: s}
	if id, subject, ok := s.verify(forDevice, s.cookie(c, deviceName)); ok && subject == deviceSubject(email) {
		return g, s.limit(c, limitLoginDevice, id)
	}
	network := s.network(c)
	if err := s.limit(c, limitLoginNetwork, network); err != nil {
		return g, err
	}
	for _, l := range []struct {
		namedLimit
		who string
	}{{limitLoginPair, network + " " + email}, {limitLoginAccount, email}} {
		if err := s.limit(c, l.namedLimit, l.who); err != nil {
			return g, err
		}
		g.used, g.limits = append(g.used, l.key(l.who)), append(g.limits, l.Limit)
	}
	return g, nil
}

// forgive takes back what counts against the account: only wrong passwords do, not right ones nor those that
// the shop had no time to look at.
func (g *guess) forgive() {
	for i, key := range g.used {
		if g.server.forgive != nil {
			g.server.forgive(g.ctx, key, g.limits[i])
		}
	}
}

// rememberDevice gives the browser its device cookie for the account.
func (s *Server) rememberDevice(c *fiber.Ctx, email string) error {
	token, err := s.sign(forDevice, rand.Text(), deviceSubject(email), time.Now().Add(deviceTTL))
	if err == nil {
		s.setCookie(c, deviceName, token, deviceTTL)
	}
	return err
}

// deviceSubject names the account without telling its email to who finds the cookie.
func deviceSubject(email string) string {
	sum := sha256.Sum256([]byte(email))
	return hex.EncodeToString(sum[:16])
}
