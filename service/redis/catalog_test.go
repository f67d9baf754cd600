package redis

import (
	"context"
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shoplab/service/shop"
	"shoplab/service/shoptest"
)

// counted is a catalog that counts how often it is asked, and can be slow.
type counted struct {
	shop.Catalog
	asked atomic.Int64
	slow  time.Duration
}

func (c *counted) wait() {
	c.asked.Add(1)
	time.Sleep(c.slow)
}

func (c *counted) Products(ctx context.Context, q shop.ProductQuery) (shop.ProductPage, error) {
	c.wait()
	return c.Catalog.Products(ctx, q)
}

func (c *counted) Product(ctx context.Context, id int64) (shop.Product, error) {
	c.wait()
	return c.Catalog.Product(ctx, id)
}

func (c *counted) Categories(ctx context.Context) ([]shop.Category, error) {
	c.wait()
	return c.Catalog.Categories(ctx)
}

func stocked(tb testing.TB, n int) (*shoptest.Store, []shop.Product) {
	tb.Helper()
	s := shoptest.NewStore()
	var products []shop.Product
	for i := range n {
		p, err := s.PutProduct(tb.Context(), shop.Product{
			Name: fmt.Sprintf("Thing %d", i), Description: strings.Repeat("Useful. ", 20),
			Category:   fmt.Sprintf("Category %d", i%5),
			PriceCents: int64(100 + i), Stock: 10, ImageURL: fmt.Sprintf("/images/%d.svg", i),
		})
		if err != nil {
			tb.Fatal(err)
		}
		products = append(products, p)
	}
	return s, products
}

// TestCatalogAnswersLikeTheNext holds every kind of answer, loaded and cached, against the store's.
func TestCatalogAnswersLikeTheNext(t *testing.T) {
	store, products := stocked(t, 30)
	next := &counted{Catalog: store}
	if MaxAge+time.Second > shop.CatalogMaxAge {
		t.Errorf("MaxAge is %v: nothing is left for the cache in front", MaxAge)
	}
	client, e := open(t, startRedis(t).URL())
	await(t, "the client is up", client.Up)
	c := NewCatalog(next, client)
	asks := map[string]func(shop.Catalog) (any, error){
		"product":    func(c shop.Catalog) (any, error) { return c.Product(t.Context(), products[3].ID) },
		"categories": func(c shop.Catalog) (any, error) { return c.Categories(t.Context()) },
	}
	for _, q := range []shop.ProductQuery{
		{Sort: shop.SortNewest, Limit: 20},
		{Sort: shop.SortPrice, Limit: 5},
		{Sort: shop.SortPriceDesc, Limit: 5},
		{Sort: shop.SortName, Limit: 5, Category: "Category 1"},
		{Sort: shop.SortName, Limit: 5, Search: "Category 1"},
		{Sort: shop.SortNewest, Limit: 5, Search: "no such thing"},
	} {
		asks[fmt.Sprintf("%+v", q)] = func(c shop.Catalog) (any, error) { return c.Products(t.Context(), q) }
	}
	for name, ask := range asks {
		want, err := ask(store)
		if err != nil {
			t.Fatal(err)
		}
		hits := e.count(ObservedHit)
		await(t, "the answer comes from Redis", func() bool { // at the second time, unless the machine is busy
			if got, err := ask(c); err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: %+v, %v\nwant %+v", name, got, err, want)
			}
			return e.count(ObservedHit) > hits
		})
	}
	if n := int(next.asked.Load()); n != e.count(ObservedMiss) {
		t.Errorf("the next catalog was asked %d times; observed %v", n, e.seen)
	}
}

func TestCatalogKeepsNoErrors(t *testing.T) {
	store, products := stocked(t, 1)
	client, _ := open(t, startRedis(t).URL())
	await(t, "the client is up", client.Up)
	c := NewCatalog(store, client)
	if _, err := c.Product(t.Context(), products[0].ID+1); shop.CodeOf(err) != shop.CodeNotFound {
		t.Errorf("unknown product: %v", err)
	}
	store.SetError(fmt.Errorf("database is gone"))
	if _, err := c.Product(t.Context(), products[0].ID); err == nil {
		t.Error("no error")
	}
	store.SetError(nil)
	if _, err := c.Product(t.Context(), products[0].ID); err != nil {
		t.Errorf("after the outage: %v", err)
	}
}

// TestCatalogShowsAChangeInTime changes a price and awaits it at two instances.
func TestCatalogShowsAChangeInTime(t *testing.T) {
	store, products := stocked(t, 1)
	p := products[0]
	url := startRedis(t).URL()
	var instances []*Catalog
	for range 2 {
		client, _ := open(t, url)
		await(t, "the client is up", client.Up)
		instances = append(instances, NewCatalog(store, client))
	}
	for _, c := range instances {
		if _, err := c.Product(t.Context(), p.ID); err != nil {
			t.Fatal(err)
		}
	}
	p.PriceCents = 1
	if _, err := store.PutProduct(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	changed := time.Now()
	for _, c := range instances {
		await(t, "the new price shows", func() bool {
			got, err := c.Product(t.Context(), p.ID)
			return err == nil && got.PriceCents == 1
		})
		if took := time.Since(changed); took > shop.CatalogMaxAge {
			t.Errorf("the new price showed after %v", took)
		}
	}
}

// TestCatalogDistrustsALateAnswer stores an answer whose load began long ago, as a command that was
// long on its way does, and one from the future, as an instance whose clock is wrong does.
func TestCatalogDistrustsALateAnswer(t *testing.T) {
	store, products := stocked(t, 1)
	client, _ := open(t, startRedis(t).URL())
	await(t, "the client is up", client.Up)
	c := NewCatalog(store, client)
	key := fmt.Sprintf("product:%d", products[0].ID)
	await(t, "a fresh answer is believed", func() bool {
		c.set(t.Context(), key, time.Now(), shop.Product{Name: "fresh"})
		p, err := c.Product(t.Context(), products[0].ID)
		return err == nil && p.Name == "fresh"
	})
	value := append(make([]byte, stampSize), `{"Name": "not fresh"}`...)
	for _, stamp := range []time.Time{time.Now().Add(-2 * MaxAge), time.Now().Add(time.Hour)} {
		binary.BigEndian.PutUint64(value, uint64(stamp.UnixMicro()))
		if err := client.rdb.Set(t.Context(), catalogPrefix+key, value, time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
		if p, err := c.Product(t.Context(), products[0].ID); err != nil || p.Name != products[0].Name {
			t.Errorf("loaded at %v: %+v, %v", stamp, p, err)
		}
	}
	if err := client.rdb.Set(t.Context(), catalogPrefix+key, "short", time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	if p, err := c.Product(t.Context(), products[0].ID); err != nil || p.Name != products[0].Name {
		t.Errorf("broken: %+v, %v", p, err)
	}
	c.set(t.Context(), "slow", time.Now().Add(-MaxAge), 1)
	if n := client.rdb.Exists(t.Context(), catalogPrefix+"slow").Val(); n != 0 {
		t.Error("an answer that took too long was stored")
	}
}

func TestCatalogLoadsOnceForAll(t *testing.T) {
	store, products := stocked(t, 1)
	next := &counted{Catalog: store, slow: 200 * time.Millisecond}
	client, _ := open(t, startRedis(t).URL())
	await(t, "the client is up", client.Up)
	c := NewCatalog(next, client)
	var shoppers sync.WaitGroup
	ask := func(ctx context.Context) {
		if p, err := c.Product(ctx, products[0].ID); err != nil || p.ID != products[0].ID {
			t.Errorf("%+v, %v", p, err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel() // the one who loads for all has given up
	shoppers.Go(func() { ask(gone) })
	await(t, "one loads", func() bool { return next.asked.Load() == 1 })
	for range 100 {
		shoppers.Go(func() { ask(t.Context()) })
	}
	shoppers.Wait()
	if n := next.asked.Load(); n != 1 {
		t.Errorf("loaded %d times", n)
	}
}

// TestShopWithRedisStoppedAndStarted shops all the time while Redis goes and comes back: every
// answer is right, and the cache and the shared limits return.
func TestShopWithRedisStoppedAndStarted(t *testing.T) {
	store, products := stocked(t, 1)
	r := startRedis(t)
	client, e := open(t, r.URL())
	await(t, "the client is up", client.Up)
	c, limiter := NewCatalog(store, client), NewLimiter(client)

	stop := make(chan struct{})
	var shopping sync.WaitGroup
	for i := range 4 {
		shopping.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
				if p, err := c.Product(t.Context(), products[0].ID); err != nil || p != products[0] {
					t.Errorf("%+v, %v", p, err)
					return
				}
				limiter.Allow(t.Context(), fmt.Sprintf("shopper %d", i), Limit{Rate: 100, Burst: 100, Period: time.Second})
			}
		})
	}
	await(t, "there are hits", func() bool { return e.count(ObservedHit) > 10 })
	if err := r.Halt(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "Redis counts as down", func() bool { return !client.Up() })
	await(t, "answers bypass it", func() bool { return e.count(ObservedBypass) > 10 })
	errorsWhenDown := e.count(ObservedError)
	bypassed := e.count(ObservedBypass)
	await(t, "more answers bypass it", func() bool { return e.count(ObservedBypass) > bypassed+100 })
	if n := e.count(ObservedError); n != errorsWhenDown {
		t.Errorf("%d commands were sent to a Redis that is down", n-errorsWhenDown)
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "Redis counts as up", client.Up)
	hits := e.count(ObservedHit)
	await(t, "there are hits again", func() bool { return e.count(ObservedHit) > hits+10 })
	close(stop)
	shopping.Wait()
	if e.count(ObservedDown) != 1 || e.count(ObservedUp) != 2 {
		t.Errorf("observed %v", e.seen)
	}
}

// TestCatalogVersion fails when a stored type changes: count up catalogPrefix's version then.
func TestCatalogVersion(t *testing.T) {
	const want = "shoplab:catalog:1: " +
		"shop.ProductPage{Items []shop.Product; NextCursor string} " +
		"shop.Product{ID int64; Name string; Description string; Category string; PriceCents int64; Stock int; ImageURL " +
		"string; CreatedAt time.Time} shop.Category{Name string; Count int}"
	got := catalogPrefix
	for _, v := range []any{shop.ProductPage{}, shop.Product{}, shop.Category{}} {
		typ := reflect.TypeOf(v)
		var fields []string
		for f := range typ.Fields() {
			fields = append(fields, f.Name+" "+f.Type.String())
		}
		got += " " + typ.String() + "{" + strings.Join(fields, "; ") + "}"
	}
	if got != want {
		t.Errorf("stored types are\n%s\nwant\n%s\ncount up the version in catalogPrefix and here", got, want)
	}
}
