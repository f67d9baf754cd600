package load

import (
	"context"
	"fmt"
	"time"

	"shoplab/lab/result"
)

// Seen is one request as its shopper saw it.
type Seen struct {
	Operation string
	Error     string // its kind, "" for none
	// Due is when it should have been sent, End when its answer was read or it was given up.
	Due, End time.Time
}

// Canceled says that the laboratory broke the request off, at the end of a load.
func (o Seen) Canceled() bool { return o.Error == kindCanceled }

// PaymentPatience is how long a shopper waits for the payment to be settled.
const PaymentPatience = pollEvery * maxPolls

// Orders reads all shoppers' orders back through the API and counts what is not as the shop acknowledged it, of all
// loads so far. No load may be running.
func (c *Crowd) Orders(ctx context.Context) (result.Orders, error) {
	c.ledger.mu.Lock()
	defer c.ledger.mu.Unlock()
	books := result.Orders{Acknowledged: len(c.ledger.orders), Duplicates: c.ledger.duplicates}
	listed, err := c.allOrders(ctx)
	if err != nil {
		return books, fmt.Errorf("read the orders back: %w", err)
	}
	for order, r := range c.ledger.orders {
		switch got := listed[order]; {
		case len(got) == 0:
			books.Lost++
		case len(got) > 1:
			books.Duplicates++
		case got[0].TotalCents != r.cents, r.paid && got[0].Status != "paid":
			books.Wrong++
		}
	}
	return books, nil
}
