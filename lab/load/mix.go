// Package load sends shoppers to a shop and measures what they see: closed and open loops, load
// steps, the search for the breaking point, the fit of the Universal Scalability Law, the validity
// of it all, and the shop's invariants while it is under load.
package load

import (
	"math/rand/v2"

	"shoplab/lab/result"
)

// flow is one errand of a shopper: its requests in order, and how often it is run.
type flow struct {
	name   string
	weight int // of all weights in mix
	reason string
	ops    []op
}

// mix is what shoppers do. Weights are shares of errands, not of requests: an errand that asks
// three things counts once. They are a declaration, not a measurement of any real shop.
var mix = []flow{
	{
		name: "browse", weight: 34,
		reason: "the front page, a category, a product: the commonest way through a shop, and what caches are for",
		ops:    []op{opCategories, opList, opProduct},
	},
	{
		name: "search", weight: 20,
		reason: "free text misses caches and makes the database read",
		ops:    []op{opSearch, opProduct},
	},
	{
		name: "product", weight: 25,
		reason: "arrivals from a link outside land on one product and leave",
		ops:    []op{opProduct},
	},
	{
		name: "cart", weight: 11,
		reason: "guests fill carts that they abandon: writes without an account",
		ops:    []op{opProduct, opGuestAdd, opGuestSet, opGuestCart},
	},
	{
		name: "login", weight: 2,
		reason: "sessions outlive visits, so sign-ins are rare; but each burns CPU and memory on purpose (argon2)",
		ops:    []op{opLogin, opAccount},
	},
	{
		name: "buy", weight: 8,
		reason: "more than shops sell, on purpose: transactions, locks and the payment's webhook are what breaks",
		ops:    []op{opProduct, opAdd, opOrder, opPay, opConfirm, opAwait},
	},
}

// mixWeight is the sum of the weights.
func mixWeight() int {
	total := 0
	for _, f := range mix {
		total += f.weight
	}
	return total
}

// Flows are the names of the errands.
func Flows() []string {
	var names []string
	for _, f := range mix {
		names = append(names, f.name)
	}
	return names
}

// Work is what an operation has the shop do, beside its CPU. A test counts the trips on a real shop.
type Work struct {
	// Trips is how often the shop asks its database for it, those of the webhook that follows included.
	Trips int
	// Locks says that the last of them may wait for a lock, Hashes that a password is hashed, After that all of them are
	// the webhook's, which the answer does not wait for.
	Locks, Hashes, After bool
}

// Asks is what an operation has the shop do; nothing for one that is not known.
func Asks(operation string) Work {
	for _, f := range mix {
		for _, o := range f.ops {
			if o.name == operation {
				return o.work
			}
		}
	}
	return Work{}
}

// flowNamed is the errand of that name, nil for none.
func flowNamed(name string) *flow {
	for i := range mix {
		if mix[i].name == name {
			return &mix[i]
		}
	}
	return nil
}

// pick draws an errand by weight, unless all shoppers are on the same one.
func pick(rng *rand.Rand, only *flow) *flow {
	if only != nil {
		return only
	}
	n := rng.IntN(mixWeight())
	for i := range mix {
		if n -= mix[i].weight; n < 0 {
			return &mix[i]
		}
	}
	return &mix[0] // not reached: n is below the sum of the weights
}

// Mix returns the declared mix for the result file.
func Mix() []result.Weight {
	weights := make([]result.Weight, 0, len(mix))
	for _, f := range mix {
		w := result.Weight{Flow: f.name, ShareRatio: float64(f.weight) / float64(mixWeight()), Reason: f.reason}
		for _, o := range f.ops {
			w.Operations = append(w.Operations, o.name)
		}
		weights = append(weights, w)
	}
	return weights
}
