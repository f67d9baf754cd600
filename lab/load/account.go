package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"shoplab/lab/watch"
)

// MaxAccounts bounds how many accounts are prepared: each costs the shop a password hash.
const MaxAccounts = 2000

// account is a prepared shopper's sign-in.
type account struct {
	email, password, token string
}

// accounts lends accounts out, one shopper at a time each.
type accounts struct {
	mu   sync.Mutex
	all  []*account
	free []*account
}

func (a *accounts) add(acc *account) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all, a.free = append(a.all, acc), append(a.free, acc)
}

func (a *accounts) len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.all)
}

// lease returns an account that nobody holds, or nil.
func (a *accounts) lease() *account {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.free) == 0 {
		return nil
	}
	acc := a.free[len(a.free)-1]
	a.free = a.free[:len(a.free)-1]
	return acc
}

func (a *accounts) release(acc *account) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.free = append(a.free, acc)
}

// any returns some account, held or not: signing in disturbs nobody.
func (a *accounts) any(rng *rand.Rand) *account {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all[rng.IntN(len(a.all))]
}

// AccountsFor is how many accounts a load needs. Of the errands 8% are purchases, but where a shop is at its
// end they take much longer than the others, which caches answer: up to a third of the users are then
// between their cart and its order. Of the requests of an open loop 3% begin a purchase, which holds its
// account for 4 s at the worst.
func AccountsFor(l Load) int {
	few := min(l.Users, 50)
	return min(MaxAccounts, 8+few/2+(l.Users-few)/3+int(l.Rate/8))
}

// registering is how many registrations are under way at once. The shop bounds hashing itself.
const registering = 4

// Prepare registers accounts until there are n. progress, if not nil, is told as they come.
func (c *Crowd) Prepare(ctx context.Context, n int, progress func(done, total int)) error {
	have := c.accounts.len()
	if have >= n {
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(registering)
	for i := have; i < n; i++ {
		g.Go(func() error {
			acc, err := c.register(ctx, i)
			if err != nil {
				return fmt.Errorf("prepare shopper accounts: %w", err)
			}
			c.accounts.add(acc)
			if progress != nil {
				progress(c.accounts.len(), n)
			}
			return nil
		})
	}
	return g.Wait()
}

// register makes the account, asking again for a while when the shop is busy. A busy shop may have made it
// before it said so; then it is signed in to.
func (c *Crowd) register(ctx context.Context, n int) (*account, error) {
	acc := &account{
		email:    fmt.Sprintf("load-%s-%d@example.com", c.run, n),
		password: fmt.Sprintf("correct horse %s %d", c.run, n),
	}
	body, err := json.Marshal(map[string]string{
		"email": acc.email, "password": acc.password, "first_name": "Load", "last_name": "Shopper",
	})
	if err != nil {
		return nil, err
	}
	path := "/api/auth/register"
	for try := 1; ; try++ {
		status, header, answer, err := c.call(ctx, http.MethodPost, path, body, "")
		if err != nil {
			return nil, err
		}
		if status == http.StatusCreated || status == http.StatusOK {
			var in struct{ Token string }
			if err := json.Unmarshal(answer, &in); err != nil || in.Token == "" {
				return nil, fmt.Errorf("register: no token in the answer")
			}
			acc.token = in.Token
			return acc, nil
		}
		if status == http.StatusConflict && try > 1 {
			path = "/api/auth/login" // which takes the email and the password, and ignores the names
			continue
		}
		busy := status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
		if !busy || try == 10 {
			return nil, fmt.Errorf("register: %s%s", statusKind(status, answer), limitHint(status, answer))
		}
		if err := watch.Pause(ctx, retryAfter(header)); err != nil {
			return nil, err
		}
	}
}

// retryAfter is what the shop asks for, between 100 ms and 5 s.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil {
		seconds = 1
	}
	return min(max(time.Duration(seconds)*time.Second, 100*time.Millisecond), 5*time.Second)
}

// call asks the shop outside any measurement.
func (c *Crowd) call(ctx context.Context, method, path string, body []byte,
	token string,
) (int, http.Header, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if cerr := resp.Body.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return 0, nil, nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return resp.StatusCode, resp.Header, answer, nil
}
