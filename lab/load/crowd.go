package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"shoplab/lab/result"
)

// Options is what a crowd needs to know.
type Options struct {
	URL string // the shop's address, such as http://127.0.0.1:8080
	// Objective decides whether a step was served. Zero means DefaultObjective.
	Objective result.Objective
	// Timeout is how long a shopper waits for an answer; 10 s if zero.
	Timeout time.Duration
	// Insecure accepts any certificate.
	Insecure bool
	// Shard is which of several generators the crowd is: each has errands of its own.
	Shard int
	// PayAt is where shoppers confirm payments in Stripe's API; "" for a shop that simulates them itself. Only ever a
	// stand-in: the load would place real orders.
	PayAt string
	// Observe is told of each request that a load measured, at the moment of its answer; nil means nobody listens.
	Observe func(Seen)
	// Dial replaces the network, in tests; nil means TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// DefaultObjective is the objective of every run unless told otherwise.
var DefaultObjective = result.Objective{P95MS: 500, MaxErrorRatio: 0.01}

// Crowd is shoppers before one shop. Its steps run one at a time; connections and accounts are kept
// between them.
type Crowd struct {
	url       string
	run       string // distinguishes this run's accounts and keys from earlier ones
	shard     int
	objective result.Objective
	timeout   time.Duration
	payAt     string
	observe   func(Seen)
	transport *http.Transport
	inMemory  bool // the network is a test's, in this process, whose CPU time then tells nothing of the sender's
	catalog   catalog
	accounts  accounts
	ledger    ledger

	mu       sync.Mutex
	shoppers []*shopper
	idle     []*shopper

	only *flow // the errand of all shoppers in this step; nil: the mix

	keys        atomic.Int64
	accountless atomic.Int64 // purchases that found no free account
	soldOut     atomic.Int64 // orders refused because somebody else was faster
}

// Info is what a shop says of itself.
type Info struct {
	Stage    string `json:"stage"`
	Topology string `json:"topology"`
	Version  string `json:"version"`
	Payments string `json:"payments"`
	// RoundTripMS is how far the generator is from the address of the shop: the shortest of some TCP
	// handshakes. Nil through a proxy.
	RoundTripMS *float64 `json:"round_trip_ms,omitempty"`
	// Sender says who sends the load; "" is this process.
	Sender string `json:"-"`
}

// catalog is what shoppers know of the shop before they come.
type catalog struct {
	products   []id
	categories []string
	words      []string // to search for
}

// NewCrowd looks at the shop and gathers shoppers before it. The shop must have products and
// simulated payments.
func NewCrowd(ctx context.Context, o Options) (*Crowd, Info, error) {
	address, err := ParseURL(o.URL)
	if err != nil {
		return nil, Info{}, err
	}
	if o.Objective == (result.Objective{}) {
		o.Objective = DefaultObjective
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	proxy := http.ProxyFromEnvironment // never for loopback addresses
	if o.Dial != nil {
		proxy = nil
	} else {
		o.Dial = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	c := &Crowd{
		inMemory: proxy == nil,
		url:      address, objective: o.Objective, timeout: o.Timeout, payAt: o.PayAt, observe: o.Observe,
		run: strconv.FormatInt(time.Now().UnixMilli(), 36) +
			strconv.FormatUint(uint64(rand.Uint32N(1<<16)), 36) + strconv.Itoa(o.Shard), //nolint:gosec // no secret
		shard: o.Shard,
		transport: &http.Transport{
			// As browsers and load balancers do: connections are kept, one request on each at a time.
			Proxy:               proxy,
			DialContext:         o.Dial,
			TLSClientConfig:     tlsConfig(o.Insecure),
			MaxIdleConnsPerHost: 1 << 16, IdleConnTimeout: 90 * time.Second,
			DisableCompression: true, // bodies are thrown away; unpacking them is not the shop's time
		},
	}
	info, err := c.meet(ctx)
	if err != nil {
		return nil, Info{}, err
	}
	if info.Payments != "simulated" && o.PayAt == "" {
		return nil, info, errors.New("the shop does not simulate payments: the load would place real orders; run it with " +
			"PAYMENTS=simulated")
	}
	if err := c.learn(ctx); err != nil {
		return nil, info, err
	}
	info.RoundTripMS = c.roundTrip(ctx)
	return c, info, nil
}

// Close drops the connections.
func (c *Crowd) Close() { c.transport.CloseIdleConnections() }

// URL is the address of the shop.
func (c *Crowd) URL() string { return c.url }

// SoldOut is how many orders were refused because a product was sold out.
func (c *Crowd) SoldOut() int { return int(c.soldOut.Load()) }

// Accountless is how many purchases could not begin because every prepared account was in use.
func (c *Crowd) Accountless() int { return int(c.accountless.Load()) }

// ask gets a JSON document outside any measurement.
func (c *Crowd) ask(ctx context.Context, path string, into any) error {
	status, _, body, err := c.call(ctx, http.MethodGet, path, nil, "")
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, statusKind(status, body))
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("GET %s: decode: %w", path, err)
	}
	return nil
}

// catalogSize is how many products shoppers spread over at most, and wellStocked how many pieces a
// product needs to be among them: the load is not to become a test of the sold-out page.
const (
	catalogSize = 500
	wellStocked = 100
)

// learn reads the catalog.
func (c *Crowd) learn(ctx context.Context) error {
	var cats struct{ Items []struct{ Name string } }
	if err := c.ask(ctx, "/api/categories", &cats); err != nil {
		return err
	}
	for _, cat := range cats.Items {
		c.catalog.categories = append(c.catalog.categories, cat.Name)
	}
	seen := map[string]bool{}
	for cursor := ""; len(c.catalog.products) < catalogSize; {
		var page struct {
			Items []struct {
				ID    id
				Name  string
				Stock int
			}
			NextCursor string `json:"next_cursor"`
		}
		if err := c.ask(ctx, "/api/products?limit=100&cursor="+url.QueryEscape(cursor), &page); err != nil {
			return err
		}
		for _, p := range page.Items {
			if p.Stock >= wellStocked {
				c.catalog.products = append(c.catalog.products, p.ID)
			}
			for word := range strings.FieldsSeq(strings.ToLower(p.Name)) {
				if word = strings.Trim(word, ".,()-"); len(word) > 2 && !seen[word] {
					seen[word] = true
					c.catalog.words = append(c.catalog.words, word)
				}
			}
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if len(c.catalog.products) == 0 || len(c.catalog.categories) == 0 || len(c.catalog.words) == 0 {
		return fmt.Errorf("the shop has no product with %d pieces in stock to load it with", wellStocked)
	}
	return nil
}

// enter returns an idle shopper, or a new one.
func (c *Crowd) enter() *shopper {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.idle); n > 0 {
		s := c.idle[n-1]
		c.idle = c.idle[:n-1]
		return s
	}
	s := &shopper{id: len(c.shoppers), crowd: c}
	s.rng = rand.New(rand.NewPCG(uint64(s.id), uint64(1+c.shard))) //nolint:gosec // the same errands in every run
	c.shoppers = append(c.shoppers, s)
	return s
}

// shopper returns the shopper with the number in a request's header.
func (c *Crowd) shopper(number string) *shopper {
	n, err := strconv.Atoi(number)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil || n < 0 || n >= len(c.shoppers) {
		return nil
	}
	return c.shoppers[n]
}

// rest makes the shopper available again.
func (c *Crowd) rest(s *shopper) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, s)
}

// Ready asks the shop for its cheapest real answer, outside any measurement.
func (c *Crowd) Ready(ctx context.Context) error {
	var info Info
	return c.ask(ctx, "/api/info", &info)
}
