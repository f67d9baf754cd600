package shop

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Argon2id parameters: the first choice of the OWASP Password Storage Cheat Sheet (19 MiB, two
// passes, one lane), https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
const (
	argonMemory  = 19 * 1024 // KiB
	argonPasses  = 2
	argonLanes   = 1
	argonSaltLen = 16 // bytes, RFC 9106 section 3.1
	argonKeyLen  = 32 // bytes
)

// queuePerSlot is how many passwords wait for each that is worked on. At 30 ms each the last of them waits
// for a second, which is about what people wait for before they try again.
const queuePerSlot = 32

// Hasher hashes passwords with Argon2id, a bounded number at once: each takes 19 MiB and a core for
// tens of milliseconds, so that a rush of sign-ins would otherwise starve the shop of both. A bounded
// number waits; who comes beyond that is refused at once, as what waits holds a connection and a request.
type Hasher struct {
	queue chan struct{} // those who wait, and those at work
	slots chan struct{} // those at work
	dummy string        // the hash of nobody's password
}

// NewHasher returns a Hasher that works on at most concurrency passwords at once (at least one).
func NewHasher(concurrency int) *Hasher {
	salt := make([]byte, argonSaltLen)
	key := make([]byte, argonKeyLen)
	_, _ = rand.Read(salt) // crypto/rand.Read never fails
	_, _ = rand.Read(key)
	concurrency = max(concurrency, 1)
	return &Hasher{
		queue: make(chan struct{}, concurrency*(1+queuePerSlot)), slots: make(chan struct{}, concurrency),
		dummy: formatPHC(salt, key),
	}
}

// Hash returns password's hash in the PHC string format, "$argon2id$v=19$m=...". It waits for its
// turn until ctx is done: CodeOverloaded when its deadline passes, and at once when too many wait already.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, argonSaltLen)
	_, _ = rand.Read(salt) // crypto/rand.Read never fails
	if err := h.acquire(ctx); err != nil {
		return "", err
	}
	defer h.release()
	return formatPHC(salt, argon2.IDKey([]byte(password), salt, argonPasses, argonMemory, argonLanes, argonKeyLen)), nil
}

// Verify tells whether password is the one that hash was made of. With hash "", for an email that
// nobody has, it does the work of a hash made today and says no, so that the time of a login tells no
// outsider which emails have accounts; it does of accounts whose hash is Outdated. It waits for its turn as
// Hash does.
func (h *Hasher) Verify(ctx context.Context, hash, password string) (bool, error) {
	known := hash != ""
	if !known {
		hash = h.dummy
	}
	p, err := parsePHC(hash)
	if err != nil {
		return false, fmt.Errorf("read password hash: %w", err)
	}
	if err := h.acquire(ctx); err != nil {
		return false, err
	}
	defer h.release()
	key := argon2.IDKey([]byte(password), p.salt, p.passes, p.memory, p.lanes, uint32(len(p.key)))
	return subtle.ConstantTimeCompare(key, p.key) == 1 && known, nil
}

// Outdated tells whether hash was made with less work than a hash made today. Only who knows the password
// can bring it up to date.
func (h *Hasher) Outdated(hash string) bool {
	p, err := parsePHC(hash)
	return err == nil && uint64(p.memory)*uint64(p.passes) < argonMemory*argonPasses
}

func (h *Hasher) acquire(ctx context.Context) error {
	select {
	case h.queue <- struct{}{}:
	default:
		return errHasherFull(nil)
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-h.queue
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return errHasherFull(ctx.Err())
		}
		return fmt.Errorf("wait to hash a password: %w", ctx.Err())
	}
}

func (h *Hasher) release() {
	<-h.slots
	<-h.queue
}

func errHasherFull(cause error) error {
	return &Error{Code: CodeOverloaded, Detail: "Too many people are signing in. Try again in a moment.", Err: cause}
}

// phc is a parsed PHC string of Argon2id:
// https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md
type phc struct {
	memory, passes uint32
	lanes          uint8
	salt, key      []byte
}

func formatPHC(salt, key []byte) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonPasses, argonLanes,
		b64(salt), b64(key))
}

func parsePHC(s string) (phc, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return phc{}, errors.New("not an Argon2id hash of version 19")
	}
	var p phc
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.lanes); n != 3 || err != nil {
		return phc{}, errors.New("parameters are not m=,t=,p=")
	}
	// A stored hash with absurd parameters must not take the process down.
	if p.passes < 1 || p.passes > 16 || p.lanes < 1 || p.lanes > 16 || p.memory < 8*uint32(p.lanes) || p.memory > 256*
		1024 {
		return phc{}, errors.New("parameters are out of bounds")
	}
	var err error
	if p.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil || len(p.salt) < 8 || len(p.salt) > 64 {
		return phc{}, errors.New("bad salt")
	}
	if p.key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(p.key) < 16 || len(p.key) > 64 {
		return phc{}, errors.New("bad key")
	}
	return p, nil
}
