package redis

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/singleflight"

	"shoplab/service/shop"
)

// MaxAge is how old an answer of Catalog may be. A cache in front of it has a second, and 100 ms
// are left for handing things on, before shop.CatalogMaxAge is over.
const MaxAge = shop.CatalogMaxAge - time.Second - 100*time.Millisecond

// catalogPrefix carries the version of what is stored. Instances of different builds share one
// Redis during a deploy: count it up whenever a stored type changes.
const catalogPrefix = "shoplab:catalog:1:"

// loadTimeout bounds a load that several callers wait for.
const loadTimeout = 3 * time.Second

// Catalog is a shop.Catalog that shares the answers of the next one among all instances. Callers
// may get the same slices; they must not write to them.
type Catalog struct {
	next   shop.Catalog
	client *Client
	flight singleflight.Group
}

var _ shop.Catalog = (*Catalog)(nil)

// NewCatalog returns a catalog that asks next for what Redis does not have.
func NewCatalog(next shop.Catalog, c *Client) *Catalog {
	return &Catalog{next: next, client: c}
}

// Products returns a page.
func (c *Catalog) Products(ctx context.Context, q shop.ProductQuery) (shop.ProductPage, error) {
	// Quoted fields cannot run into one another; the hash bounds the length of what shoppers type.
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %d %q", q.Search, q.Category, q.Sort, q.Limit, q.Cursor))
	return cached(ctx, c, "products:"+hex.EncodeToString(sum[:16]), func(ctx context.Context) (shop.ProductPage, error) {
		return c.next.Products(ctx, q)
	})
}

// Product returns one product.
func (c *Catalog) Product(ctx context.Context, id int64) (shop.Product, error) {
	return cached(ctx, c, "product:"+strconv.FormatInt(id, 10), func(ctx context.Context) (shop.Product, error) {
		return c.next.Product(ctx, id)
	})
}

// Categories returns all categories.
func (c *Catalog) Categories(ctx context.Context) ([]shop.Category, error) {
	return cached(ctx, c, "categories", c.next.Categories)
}

// cached returns the answer under key, from Redis or else by load. Callers that ask for the same at
// once share one answer. Errors are not kept.
func cached[T any](ctx context.Context, c *Catalog, key string, load func(context.Context) (T, error)) (T, error) {
	// Do, not DoChan: the caller who loads stays until it is done, and with him the request whose
	// buffers the query's strings may point into.
	v, err, _ := c.flight.Do(key, func() (any, error) {
		// One caller that gives up must not fail the others.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		if !c.client.Up() {
			if c.client != nil {
				c.client.observe(ObservedBypass)
			}
			return load(ctx)
		}
		var v T
		if c.get(ctx, key, &v) {
			c.client.observe(ObservedHit)
			return v, nil
		}
		c.client.observe(ObservedMiss)
		began := time.Now()
		v, err := load(ctx)
		if err == nil {
			c.set(ctx, key, began, v)
		}
		return v, err
	})
	out, _ := v.(T)
	return out, err
}

// What is stored is the time at which the load began, in microseconds since 1970, and JSON.
const stampSize = 8

// get says whether it found a fresh answer. Redis' own expiry counts from when it got the answer;
// the stamp also covers an answer that was long on its way. Clocks of instances that differ make it
// miss, or leave it to the expiry.
func (c *Catalog) get(ctx context.Context, key string, into any) bool {
	b, err := c.client.rdb.Get(ctx, catalogPrefix+key).Bytes()
	c.client.report(ctx, err)
	if err != nil || len(b) < stampSize {
		return false
	}
	age := time.Since(time.UnixMicro(int64(binary.BigEndian.Uint64(b))))
	if age > MaxAge || age < -MaxAge {
		return false
	}
	return json.Unmarshal(b[stampSize:], into) == nil
}

// set stores v for what is left of MaxAge since the load began.
func (c *Catalog) set(ctx context.Context, key string, began time.Time, v any) {
	b := binary.BigEndian.AppendUint64(nil, uint64(began.UnixMicro()))
	encoded, err := json.Marshal(v)
	left := (MaxAge - time.Since(began)).Truncate(time.Millisecond)
	if err != nil || left <= 0 || !c.client.Up() {
		return
	}
	err = c.client.rdb.Set(ctx, catalogPrefix+key, append(b, encoded...), left).Err()
	c.client.report(ctx, err)
}
