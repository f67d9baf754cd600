package load

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"

	"golang.org/x/sync/errgroup"

	"shoplab/lab/result"
)

// ledger is the shoppers' own record of what the shop promised them.
type ledger struct {
	mu         sync.Mutex
	orders     map[id]receipt
	owners     map[*account]int // acknowledged orders of each
	duplicates int
}

type receipt struct {
	account *account
	cents   int64
	paid    bool
}

// placed notes an acknowledged order; false when it was acknowledged before, under another key.
func (l *ledger) placed(a *account, order id, cents int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.orders == nil {
		l.orders, l.owners = map[id]receipt{}, map[*account]int{}
	}
	if _, twice := l.orders[order]; twice {
		l.duplicates++
		return false
	}
	l.orders[order] = receipt{account: a, cents: cents}
	l.owners[a]++
	return true
}

func (l *ledger) paid(a *account, order id) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.orders[order]
	r.account, r.paid = a, true
	l.orders[order] = r
}

func (l *ledger) duplicate() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.duplicates++
}

// Names of the invariants.
const (
	InvariantStock  = "stock"
	InvariantMoney  = "money"
	InvariantOrders = "orders"
)

// Rules of the invariants.
var invariantRules = map[string]string{
	InvariantStock:  "stock + sold + held = what was put in, for every product",
	InvariantMoney:  "money captured = orders paid - refunds",
	InvariantOrders: "no order is placed twice, and none that was acknowledged is lost",
}

// NewInvariant is a checked invariant.
func NewInvariant(name string, status result.InvariantStatus, detail string) result.Invariant {
	return result.Invariant{Name: name, Rule: invariantRules[name], Status: status, Detail: detail}
}

// reading is how many accounts' orders are read back at once.
const reading = 8

// Books is what came of the orders that the shop acknowledged to some shoppers.
type Books struct {
	Orders   int      `json:"orders"`
	Problems []string `json:"problems,omitempty"` // violations of the invariant
}

// CheckOrders implements Generator.
func (c *Crowd) CheckOrders(ctx context.Context) (result.Invariant, error) {
	b, err := c.ReadOrders(ctx)
	if err != nil {
		return result.Invariant{}, err
	}
	return b.Invariant(), nil
}

// ReadOrders reads all shoppers' orders back through the API and holds them against what the shop
// acknowledged: every order is there once, with its total, and paid if it was called paid.
func (c *Crowd) ReadOrders(ctx context.Context) (Books, error) {
	c.ledger.mu.Lock()
	defer c.ledger.mu.Unlock() // no load is running
	var problems []string
	if n := c.ledger.duplicates; n > 0 {
		problems = append(problems, fmt.Sprintf("%d repeated requests did not give the same order", n))
	}
	listed, err := c.allOrders(ctx)
	if err != nil {
		return Books{}, fmt.Errorf("check orders: %w", err)
	}
	for order, r := range c.ledger.orders {
		switch got := listed[order]; {
		case len(got) == 0:
			problems = append(problems, fmt.Sprintf("order %s was acknowledged and is lost", order))
		case len(got) > 1:
			problems = append(problems, fmt.Sprintf("order %s is listed %d times", order, len(got)))
		case got[0].TotalCents != r.cents:
			problems = append(problems, fmt.Sprintf("order %s was %d cents and is %d", order, r.cents, got[0].TotalCents))
		case r.paid && got[0].Status != "paid":
			problems = append(problems, fmt.Sprintf("order %s was paid and is %s", order, got[0].Status))
		}
	}
	return Books{Orders: len(c.ledger.orders), Problems: problems}, nil
}

// Invariant is what the books say.
func (b Books) Invariant() result.Invariant {
	switch {
	case len(b.Problems) > 0:
		return NewInvariant(InvariantOrders, result.InvariantViolated,
			fmt.Sprintf("%d violations, the first: %s", len(b.Problems), b.Problems[0]))
	case b.Orders == 0:
		return NewInvariant(InvariantOrders, result.InvariantNotChecked, "no order was placed")
	default:
		return NewInvariant(InvariantOrders, result.InvariantHeld,
			fmt.Sprintf("all %d acknowledged orders read back through the API", b.Orders))
	}
}

type listedOrder struct {
	ID         id     `json:"id"`
	Status     string `json:"status"`
	TotalCents int64  `json:"total_cents"`
}

// allOrders reads the orders of every account that placed one.
func (c *Crowd) allOrders(ctx context.Context) (map[id][]listedOrder, error) {
	var mu sync.Mutex
	all := map[id][]listedOrder{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(reading)
	for acc := range c.ledger.owners {
		g.Go(func() error {
			orders, err := c.ordersOf(ctx, acc)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for _, o := range orders {
				all[o.ID] = append(all[o.ID], o)
			}
			return nil
		})
	}
	return all, g.Wait()
}

// ordersOf reads all orders of an account.
func (c *Crowd) ordersOf(ctx context.Context, a *account) ([]listedOrder, error) {
	var listed []listedOrder
	for cursor := ""; ; {
		status, _, body, err := c.call(ctx, http.MethodGet, "/api/orders?limit=100&cursor="+url.QueryEscape(cursor), nil,
			a.token)
		if err != nil {
			return nil, err
		}
		if status != http.StatusOK {
			return nil, fmt.Errorf("GET /api/orders: %s", statusKind(status, body))
		}
		var page struct {
			Items      []listedOrder
			NextCursor string `json:"next_cursor"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return nil, fmt.Errorf("GET /api/orders: decode: %w", err)
		}
		listed = append(listed, page.Items...)
		if cursor = page.NextCursor; cursor == "" {
			return listed, nil
		}
	}
}
