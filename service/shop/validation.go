package shop

import (
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of what people type. Passwords: NIST SP 800-63B asks for at least 8 characters (revision 3,
// section 5.1.1.2; revision 4 asks for 15 where the password is the only factor), for room for 64,
// for no rules of composition, and for a check against common ones. The upper limit keeps a request
// from hashing megabytes.
const (
	MinPasswordLength = 8   // characters
	MaxPasswordLength = 128 // characters
	MaxEmailLength    = 254 // bytes, RFC 5321 section 4.5.3.1.3 less the angle brackets
	MaxNameLength     = 100 // characters
	MaxSearchLength   = 100 // characters
	MaxKeyLength      = 255 // bytes of an idempotency key, as Stripe's
)

// Registration is what a new user fills in.
type Registration struct {
	Email, Password, FirstName, LastName string
}

// Normalize trims r, puts its email in lower case, and checks everything at once: CodeInvalid with
// one field error for each field that is wrong. The password stays as it is.
func (r Registration) Normalize() (Registration, error) {
	r.Email = NormalizeEmail(r.Email)
	r.FirstName, r.LastName = strings.TrimSpace(r.FirstName), strings.TrimSpace(r.LastName)
	var v validation
	v.check(validEmail(r.Email), "email", "Enter an email address, such as name@example.com.")
	v.password(r.Password, r.Email)
	v.name("first_name", r.FirstName)
	v.name("last_name", r.LastName)
	return r, v.err()
}

// NormalizeEmail returns email as it is stored and looked up: trimmed and in lower case.
func NormalizeEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// KeyPattern is the pattern of an idempotency key: 1 to MaxKeyLength bytes of visible ASCII.
const KeyPattern = `^[!-~]{1,255}$`

var keyText = regexp.MustCompile(KeyPattern)

// ValidateIdempotencyKey checks the key of an order: CodeIdempotencyKey unless it matches KeyPattern.
func ValidateIdempotencyKey(key string) error {
	if !keyText.MatchString(key) {
		return Errorf(CodeIdempotencyKey, "Send an Idempotency-Key header of 1 to %d visible ASCII characters, new for "+
			"each order.", MaxKeyLength)
	}
	return nil
}

// ValidateQuantity checks a quantity for a cart: 1..MaxQuantity, or from 0 where 0 removes.
func ValidateQuantity(quantity, least int) error {
	var v validation
	v.check(quantity >= least && quantity <= MaxQuantity, "quantity", "Must be between %d and %d.", least, MaxQuantity)
	return v.err()
}

// validation gathers field errors.
type validation []FieldError

func (v *validation) check(ok bool, field, format string, args ...any) {
	if !ok {
		*v = append(*v, FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
	}
}

func (v *validation) err() error {
	if len(*v) == 0 {
		return nil
	}
	e := Errorf(CodeInvalid, "Check the input and try again.")
	e.Fields = *v
	return e
}

func (v *validation) password(password, email string) {
	length := utf8.RuneCountInString(password)
	switch {
	case !utf8.ValidString(password) || length < MinPasswordLength || length > MaxPasswordLength:
		v.check(false, "password", "Must be %d to %d characters long.", MinPasswordLength, MaxPasswordLength)
	case commonPassword(password) || strings.EqualFold(password, email):
		v.check(false, "password", "Is too easy to guess. Choose another.")
	}
}

func (v *validation) name(field, name string) {
	length := utf8.RuneCountInString(name)
	v.check(length >= 1 && length <= MaxNameLength, field, "Must be 1 to %d characters long.", MaxNameLength)
	v.check(length < 1 || ValidText(name) && visible.MatchString(name), field, "Must be text that can be seen.")
}

// validEmail accepts what net/mail takes as one bare address whose domain has a dot.
func validEmail(email string) bool {
	if len(email) > MaxEmailLength || !ValidText(email) || hidden.MatchString(email) {
		return false
	}
	a, err := mail.ParseAddress(email)
	if err != nil || a.Name != "" || a.Address != email {
		return false
	}
	_, domain, _ := strings.Cut(email, "@")
	return strings.Contains(strings.Trim(domain, "."), ".") && !strings.ContainsAny(domain, "[]@")
}

// commonPassword tells whether password is one character repeated, or among the most used ones that
// are long enough.
func commonPassword(password string) bool {
	first, _ := utf8.DecodeRuneInString(password)
	repeated := !strings.ContainsFunc(password, func(r rune) bool { return r != first })
	return repeated || slices.Contains([]string{
		"12345678", "123456789", "1234567890", "87654321", "password", "password1", "password123",
		"passw0rd", "qwertyui", "qwertyuiop", "qwerty123", "1q2w3e4r", "iloveyou", "sunshine",
		"princess", "football", "baseball", "superman", "trustno1", "welcome1", "abcd1234", "letmein1",
	}, strings.ToLower(password))
}
