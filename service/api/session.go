package api

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/golang-jwt/jwt/v5"

	"shoplab/service/shop"
)

const (
	sessionTTL  = 7 * 24 * time.Hour
	cartTTL     = 30 * 24 * time.Hour
	issuer      = "shoplab"
	sessionName = "session"
	cartName    = "cart"
	cartHeader  = "X-Cart-ID"
	// hostPrefix makes browsers refuse the cookie unless it is Secure, for this very host and all
	// of its paths. They accept such names over HTTPS only.
	hostPrefix = "__Host-"
)

// cartID is what newCartID makes.
var cartID = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// newCartID is 130 bits of randomness: nobody guesses another's cart.
func newCartID() string { return rand.Text() }

// token is a signed statement that its bearer is the user.
func (s *Server) token(userID int64, now time.Time) (string, error) {
	t, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer:    issuer,
		Subject:   strconv.FormatInt(userID, 10),
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(sessionTTL)),
	}).SignedString(s.sessionKey)
	if err != nil {
		return "", fmt.Errorf("sign session token: %w", err)
	}
	return t, nil
}

// verify returns the user whom the token names, and false if it is not a valid one of ours.
func (s *Server) verify(token string) (userID int64, ok bool) {
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return s.sessionKey, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithIssuer(issuer), jwt.WithExpirationRequired())
	if err != nil {
		return 0, false
	}
	id, err := strconv.ParseInt(claims.Subject, 10, 64)
	return id, err == nil && id > 0
}

// session returns the user who is signed in, or 0. A bearer token that is not valid is
// CodeUnauthenticated, as the program that sends it means to be signed in; a stale cookie is only
// ignored.
func (s *Server) session(c *fiber.Ctx) (userID int64, err error) {
	if h := c.Get(fiber.HeaderAuthorization); h != "" {
		scheme, token, _ := strings.Cut(h, " ")
		id, ok := s.verify(token)
		if !ok || !strings.EqualFold(scheme, "Bearer") {
			return 0, shop.Errorf(shop.CodeUnauthenticated, "The token is not valid, or no longer. Sign in again.")
		}
		return id, nil
	}
	if token := s.cookie(c, sessionName); token != "" {
		if id, ok := s.verify(token); ok {
			return id, nil
		}
	}
	return 0, nil
}

// signedIn is session for routes that need a user.
func (s *Server) signedIn(c *fiber.Ctx) (userID int64, err error) {
	id, err := s.session(c)
	if err == nil && id == 0 {
		err = shop.Errorf(shop.CodeUnauthenticated, "Sign in first.")
	}
	return id, err
}

// owner says whose cart the request is about. A guest who has none yet has an empty Guest.
func (s *Server) owner(c *fiber.Ctx) (shop.Owner, error) {
	id, err := s.session(c)
	if err != nil || id != 0 {
		return shop.Owner{UserID: id}, err
	}
	guest, err := s.guest(c)
	return shop.Owner{Guest: guest}, err
}

// guest is the id of the guest's cart, "" without one.
func (s *Server) guest(c *fiber.Ctx) (string, error) {
	if id := c.Get(cartHeader); id != "" {
		if !cartID.MatchString(id) {
			return "", invalid(cartHeader, "must be an id that the shop handed out")
		}
		return strings.Clone(id), nil
	}
	if id := s.cookie(c, cartName); cartID.MatchString(id) {
		return strings.Clone(id), nil
	}
	return "", nil
}

// handOutCart gives a guest who has begun a cart its id, as a header for programs and as a cookie
// for browsers.
func (s *Server) handOutCart(c *fiber.Ctx, id string) {
	c.Set(cartHeader, id)
	s.setCookie(c, cartName, id, cartTTL)
}

func (s *Server) cookieName(c *fiber.Ctx, name string) string {
	if s.https(c) {
		return hostPrefix + name
	}
	return name
}

// cookie returns the cookie's value; valid until the handler returns.
func (s *Server) cookie(c *fiber.Ctx, name string) string {
	return c.Cookies(s.cookieName(c, name))
}

func (s *Server) setCookie(c *fiber.Ctx, name, value string, ttl time.Duration) {
	c.Cookie(&fiber.Cookie{
		Name: s.cookieName(c, name), Value: value, Path: "/", MaxAge: int(ttl.Seconds()),
		HTTPOnly: true, Secure: s.https(c), SameSite: fiber.CookieSameSiteLaxMode,
	})
}

func (s *Server) dropCookie(c *fiber.Ctx, name string) {
	c.Cookie(&fiber.Cookie{
		Name: s.cookieName(c, name), Path: "/", Expires: time.Unix(1, 0),
		HTTPOnly: true, Secure: s.https(c), SameSite: fiber.CookieSameSiteLaxMode,
	})
}
