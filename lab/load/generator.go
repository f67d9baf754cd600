package load

import (
	"context"
	"time"

	"shoplab/lab/result"
)

// Generator sends load to one shop: a Crowd in this process, or several that share it.
type Generator interface {
	// URL is the address of the shop.
	URL() string
	// Lead is how long before its start a load must be told; 0: it begins at once.
	Lead() time.Duration
	// PrepareFor registers the accounts that the load needs; progress may be nil.
	PrepareFor(ctx context.Context, l Load, progress func(done, total int)) error
	// Run holds the load, see Crowd.Run.
	Run(ctx context.Context, l Load) (result.Step, error)
	// Ready asks the shop for its cheapest real answer, outside any measurement.
	Ready(ctx context.Context) error
	// CheckOrders holds the shop's orders against what its shoppers were told.
	CheckOrders(ctx context.Context) (result.Invariant, error)
	// SoldOut and Accountless count what shoppers met, see Crowd.
	SoldOut() int
	Accountless() int
	Close()
}

// Gatherer brings shoppers before a shop, which must have products and simulated payments.
type Gatherer interface {
	Gather(ctx context.Context, o Options) (Generator, Info, error)
}

// Here gathers them in this process.
type Here struct{}

// Gather implements Gatherer.
func (Here) Gather(ctx context.Context, o Options) (Generator, Info, error) {
	c, info, err := NewCrowd(ctx, o)
	if err != nil {
		return nil, info, err
	}
	return c, info, nil
}

// Lead implements Generator.
func (c *Crowd) Lead() time.Duration { return 0 }

// PrepareFor implements Generator.
func (c *Crowd) PrepareFor(ctx context.Context, l Load, progress func(done, total int)) error {
	part := l
	part.Users, part.Rate = l.Part.users(l.Users), l.Rate/float64(l.Part.of())
	return c.Prepare(ctx, AccountsFor(part), progress)
}
