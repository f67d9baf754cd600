// Package shard has several processes send one load: each is a shard with shoppers, connections and a gate of
// its own. A Fleet orders them about, has them begin at one time, and merges what they counted. How orders and
// answers travel is a Conn: pipes for processes of this machine, and whatever a provider has for others.
package shard

import (
	"context"
	"errors"
	"time"

	"shoplab/lab/load"
)

// What a shard is ordered to do. It does one thing at a time, and stop ends it early.
const (
	doGather  = "gather"  // come before a shop
	doPrepare = "prepare" // accounts for a load
	doRun     = "run"     // hold a load
	doReady   = "ready"   // ask the shop for its cheapest answer
	doOrders  = "orders"  // read the orders back
	doStop    = "stop"    // end early what is being done
)

// Order is what a shard is to do. It is answered by an Answer with its ID, a stop by none of its own.
type Order struct {
	ID   int       `json:"id"`
	Do   string    `json:"do"`
	Shop *Shop     `json:"shop,omitempty"`
	Load load.Load `json:"load,omitzero"`
}

// Shop is where the shoppers are to come: load.Options as they travel.
type Shop struct {
	URL      string        `json:"url"`
	Timeout  time.Duration `json:"timeout_ns"`
	Insecure bool          `json:"insecure,omitempty"`
	Shard    int           `json:"shard"`
}

// Answer is what came of an order.
type Answer struct {
	ID          int         `json:"id"`
	Error       string      `json:"error,omitempty"`
	Info        load.Info   `json:"info,omitzero"`
	Tally       *load.Tally `json:"tally,omitempty"`
	Books       load.Books  `json:"books,omitzero"`
	SoldOut     int         `json:"sold_out,omitempty"`
	Accountless int         `json:"accountless,omitempty"`
}

// Conn is the way to one shard.
type Conn interface {
	Send(ctx context.Context, o Order) error
	// Answers is closed when the shard is gone; Err then says why.
	Answers() <-chan Answer
	Err() error
	// Close has the shard end, and waits for it.
	Close() error
}

// ErrGone is wrapped when a shard died.
var ErrGone = errors.New("a shard of the load generator is gone")
