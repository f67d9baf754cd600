package api

import (
	"context"
	"crypto/rand"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"shoplab/service/shop"
)

const (
	sessionTTL  = 7 * 24 * time.Hour
	cartTTL     = shop.CartTTL
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

// startSession signs the user in and returns the session's token.
func (s *Server) startSession(ctx context.Context, userID int64) (token string, err error) {
	session := shop.Session{ID: rand.Text(), UserID: userID, ExpiresAt: time.Now().Add(sessionTTL)}
	if err := s.Sessions.StartSession(ctx, session); err != nil {
		return "", fmt.Errorf("start session: %w", err)
	}
	return s.sign(forSession, session.ID, strconv.FormatInt(userID, 10), session.ExpiresAt)
}

// claimed is the session that the request's token names, and false without a token that the shop has signed.
// Whether it goes on is not known yet. bearer says that the token came from a program.
func (s *Server) claimed(c *fiber.Ctx) (session shop.Session, bearer, ok bool) {
	token := s.cookie(c, sessionName)
	if h := c.Get(fiber.HeaderAuthorization); h != "" {
		var scheme string
		scheme, token, _ = strings.Cut(h, " ")
		if bearer = true; !strings.EqualFold(scheme, "Bearer") {
			return session, bearer, false
		}
	}
	if token == "" {
		return session, bearer, false
	}
	id, subject, ok := s.verify(forSession, token)
	user, err := strconv.ParseInt(subject, 10, 64)
	return shop.Session{ID: id, UserID: user}, bearer, ok && err == nil
}

// session returns the user who is signed in, or 0. A bearer token that is not valid is
// CodeUnauthenticated, as the program that sends it means to be signed in; a stale cookie is only
// ignored.
func (s *Server) session(c *fiber.Ctx) (userID int64, err error) {
	claimed, bearer, ok := s.claimed(c)
	if ok {
		stored, err := s.Sessions.Session(c.UserContext(), claimed.ID)
		if err != nil && shop.CodeOf(err) != shop.CodeNotFound {
			return 0, fmt.Errorf("look up session: %w", err)
		}
		// The user too: a database may have been restored, or another's key be in use here.
		if ok = err == nil && stored.UserID == claimed.UserID; ok {
			return stored.UserID, nil
		}
	}
	if bearer {
		return 0, shop.Errorf(shop.CodeUnauthenticated, "The token is not valid, or no longer. Sign in again.")
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
	guest, err := s.guest(c) // an id that cannot be one is an error of whoever sends it
	if err != nil {
		return shop.Owner{}, err
	}
	id, err := s.session(c)
	if err != nil || id != 0 {
		return shop.Owner{UserID: id}, err
	}
	return shop.Owner{Guest: guest}, nil
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
