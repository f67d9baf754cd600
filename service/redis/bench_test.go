package redis

import (
	"testing"
	"time"

	"shoplab/service/shop"
)

// BenchmarkCatalog asks for a page of 20 products: from the in-memory store itself, from Redis, from
// a Redis that is down, and from a store that takes 2 ms with Redis before it.
func BenchmarkCatalog(b *testing.B) {
	store, _ := stocked(b, 50)
	r := startRedis(b)
	up, _ := open(b, r.URL())
	await(b, "the client is up", up.Up)
	down, _ := open(b, "redis://127.0.0.1:1")
	slow := &counted{Catalog: store, slow: 2 * time.Millisecond}
	for _, bb := range []struct {
		name    string
		catalog shop.Catalog
	}{
		{"store", store},
		{"redis", NewCatalog(store, up)},
		{"redis down", NewCatalog(store, down)},
		{"slow store", slow},
		{"slow store with redis", NewCatalog(slow, up)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := bb.catalog.Products(b.Context(), shop.ProductQuery{Sort: shop.SortNewest, Limit: 20}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLimiter allows events of one key.
func BenchmarkLimiter(b *testing.B) {
	r := startRedis(b)
	up, _ := open(b, r.URL())
	await(b, "the client is up", up.Up)
	limit := Limit{Rate: 1_000_000, Burst: 1_000_000, Period: time.Second}
	for name, l := range map[string]*Limiter{"shared": NewLimiter(up), "local": NewLimiter(nil)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				l.Allow(b.Context(), "k", limit)
			}
		})
	}
}
