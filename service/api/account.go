package api

import (
	"fmt"

	"github.com/gofiber/fiber/v2"

	"shoplab/service/shop"
)

// Registration is what a new user fills in. Package shop holds its rules.
type Registration struct {
	Email     string `json:"email" format:"email" maxLength:"254" doc:"Upper and lower case are the same."`
	Password  string `json:"password" format:"password" minLength:"8" maxLength:"128"`
	FirstName string `json:"first_name" minLength:"1" maxLength:"100" doc:"Some of it can be seen."`
	LastName  string `json:"last_name" minLength:"1" maxLength:"100" doc:"Some of it can be seen."`
}

// Credentials are what a user signs in with.
type Credentials struct {
	Email    string `json:"email" maxLength:"254"`
	Password string `json:"password" format:"password" maxLength:"128"`
}

// User is an account as its owner sees it.
type User struct {
	ID        int64  `json:"id"`
	Email     string `json:"email"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
}

// Session is a user who has just signed in. The token goes into "Authorization: Bearer".
type Session struct {
	User  User   `json:"user"`
	Token string `json:"token"`
}

// Account is who is signed in.
type Account struct {
	User User `json:"user"`
}

func newUser(u shop.User) User {
	return User{ID: u.ID, Email: u.Email, FirstName: u.FirstName, LastName: u.LastName}
}

// register answers POST /api/auth/register.
func (s *Server) register(c *fiber.Ctx) error {
	if err := s.limit(c, limitRegister, s.network(c)); err != nil {
		return err
	}
	var in Registration
	if err := s.decode(c, &in); err != nil {
		return err
	}
	if _, err := s.guest(c); err != nil {
		return err
	}
	r, err := shop.Registration(in).Normalize()
	if err != nil {
		return err
	}
	ctx := c.UserContext()
	hash, err := s.Hasher.Hash(ctx, r.Password)
	if err != nil {
		return fmt.Errorf("register: %w", err)
	}
	u, err := s.Accounts.CreateUser(ctx, shop.User{
		Email: r.Email, FirstName: r.FirstName, LastName: r.LastName, PasswordHash: hash,
	})
	return s.registered(c, u, err)
}

// registered answers a registration, and is the only place that tells an outsider whether the email had an
// account: until here the work is the same. Once the shop can send mail, both are answered alike here, and the
// mail tells the owner of the address which it was; see docs/decisions/0042.
func (s *Server) registered(c *fiber.Ctx, u shop.User, err error) error {
	if err != nil {
		return fmt.Errorf("register: %w", err)
	}
	return s.signIn(c, fiber.StatusCreated, u)
}

// login answers POST /api/auth/login. For an email that nobody has it does the same work as for a
// wrong password, and says the same.
func (s *Server) login(c *fiber.Ctx) error {
	var in Credentials
	if err := s.decode(c, &in); err != nil {
		return err
	}
	if _, err := s.guest(c); err != nil {
		return err
	}
	email := shop.NormalizeEmail(in.Email)
	guess, err := s.guess(c, email)
	if err != nil {
		return err
	}
	ctx := c.UserContext()
	u, err := s.Accounts.UserByEmail(ctx, email)
	if err != nil && shop.CodeOf(err) != shop.CodeNotFound {
		return fmt.Errorf("login: %w", err)
	}
	ok, err := s.Hasher.Verify(ctx, u.PasswordHash, in.Password)
	if ok || err != nil {
		guess.forgive()
	}
	if err != nil {
		return fmt.Errorf("login: %w", err)
	}
	if !ok {
		return shop.Errorf(shop.CodeInvalidCredentials, "Email and password do not match.")
	}
	s.rehash(c, u, in.Password)
	return s.signIn(c, fiber.StatusOK, u)
}

// rehash brings a password's hash up to date, now that the password is known. Should that fail, the next
// login tries again.
func (s *Server) rehash(c *fiber.Ctx, u shop.User, password string) {
	if !s.Hasher.Outdated(u.PasswordHash) {
		return
	}
	ctx := c.UserContext()
	hash, err := s.Hasher.Hash(ctx, password)
	if err == nil {
		err = s.Accounts.SetPasswordHash(ctx, u.ID, u.PasswordHash, hash)
	}
	if err != nil {
		s.log.WarnContext(ctx, "rehash password", "request_id", requestID(c), "user", u.ID, "error", err)
	}
}

// signIn answers with a session of the user and moves the guest's cart into the user's.
func (s *Server) signIn(c *fiber.Ctx, status int, u shop.User) error {
	token, err := s.startSession(c.UserContext(), u.ID)
	if err != nil {
		return err
	}
	if err := s.rememberDevice(c, u.Email); err != nil {
		return err
	}
	s.mergeCart(c, u.ID)
	s.setCookie(c, sessionName, token, sessionTTL)
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.Status(status).JSON(Session{User: newUser(u), Token: token})
}

// mergeCart moves the guest's cart into the user's. Should that fail, the user is signed in all the
// same, and the guest keeps the cart for the next time.
func (s *Server) mergeCart(c *fiber.Ctx, userID int64) {
	guest, err := s.guest(c)
	if err != nil || guest == "" {
		return
	}
	if err := s.Carts.MergeCart(c.UserContext(), guest, userID); err != nil {
		s.log.ErrorContext(c.UserContext(), "merge cart", "request_id", requestID(c), "user", userID, "error", err)
		return
	}
	if s.cookie(c, cartName) != "" {
		s.dropCookie(c, cartName)
	}
}

// logout answers POST /api/auth/logout. It ends the session wherever its token was copied to. Without a
// session the answer is the same.
func (s *Server) logout(c *fiber.Ctx) error {
	if session, _, ok := s.claimed(c); ok {
		if err := s.Sessions.EndSession(c.UserContext(), session.ID); err != nil {
			return fmt.Errorf("logout: %w", err)
		}
	}
	s.dropCookie(c, sessionName)
	return c.SendStatus(fiber.StatusNoContent)
}

// logoutEverywhere answers POST /api/auth/logout-everywhere: it ends all sessions of the user.
func (s *Server) logoutEverywhere(c *fiber.Ctx) error {
	user, err := s.signedIn(c)
	if err != nil {
		return err
	}
	if err := s.Sessions.EndSessions(c.UserContext(), user); err != nil {
		return fmt.Errorf("logout everywhere: %w", err)
	}
	s.dropCookie(c, sessionName)
	return c.SendStatus(fiber.StatusNoContent)
}

// account answers GET /api/account.
func (s *Server) account(c *fiber.Ctx) error {
	id, err := s.signedIn(c)
	if err != nil {
		return err
	}
	u, err := s.Accounts.User(c.UserContext(), id)
	if shop.CodeOf(err) == shop.CodeNotFound {
		return shop.Errorf(shop.CodeUnauthenticated, "This account is gone.")
	}
	if err != nil {
		return fmt.Errorf("get account: %w", err)
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(Account{User: newUser(u)})
}
