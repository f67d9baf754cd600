package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shoplab/service/shop"
)

func TestProducts(t *testing.T) {
	r := newRig(t, nil)
	for i := range 5 {
		r.product(fmt.Sprintf("mug %d", i), int64(100*(5-i)), i)
	}
	var names []string
	for path := "/api/products?sort=price&limit=2"; ; {
		var list ProductList
		r.do("GET", path, nil).want(t, 200).decode(t, &list)
		for _, p := range list.Items {
			names = append(names, p.Name)
		}
		if list.NextCursor == nil {
			break
		}
		path = "/api/products?sort=price&limit=2&cursor=" + *list.NextCursor
	}
	if got := strings.Join(names, ","); got != "mug 4,mug 3,mug 2,mug 1,mug 0" {
		t.Errorf("by price: %s", got)
	}
	var list ProductList
	if r.do("GET", "/api/products?q=mug+3", nil).want(t, 200).decode(t, &list); len(list.Items) != 1 {
		t.Errorf("search found %+v", list.Items)
	}
	rep := r.do("GET", "/api/products?category=Nothing", nil).want(t, 200)
	if string(rep.body) != `{"items":[],"next_cursor":null}` {
		t.Errorf("an empty page is %s", rep.body)
	}
	rep = r.do("GET", "/api/categories", nil).want(t, 200)
	if string(rep.body) != `{"items":[{"name":"Things","count":5}]}` {
		t.Errorf("categories are %s", rep.body)
	}
}

func TestEntityTags(t *testing.T) {
	r := newRig(t, nil)
	mug := r.product("mug", 900, 10)
	path := fmt.Sprintf("/api/products/%d", mug.ID)
	rep := r.do("GET", path, nil).want(t, 200)
	etag := rep.Header.Get("ETag")
	if etag == "" || strings.HasPrefix(etag, "W/") || rep.Header.Get("Cache-Control") != "public, no-cache" {
		t.Errorf("header %v", rep.Header)
	}
	for given, want := range map[string]int{
		etag: 304, "W/" + etag: 304, `"other", ` + etag: 304, "*": 304, `"other"`: 200, etag[1 : len(etag)-1]: 200,
	} {
		rep := r.do("GET", path, nil, "If-None-Match", given).want(t, want)
		if rep.Header.Get("ETag") != etag || want == 304 && len(rep.body) != 0 {
			t.Errorf("If-None-Match %s: %v %s", given, rep.Header, rep.body)
		}
	}
	if rep := r.do("HEAD", path, nil).want(t, 200); len(rep.body) != 0 || rep.Header.Get("ETag") != etag {
		t.Errorf("HEAD: %v %q", rep.Header, rep.body)
	}
}

// countingCatalog counts the calls and holds them up.
type countingCatalog struct {
	shop.Catalog
	calls atomic.Int64
	hold  time.Duration
}

func (c *countingCatalog) Product(ctx context.Context, id int64) (shop.Product, error) {
	c.calls.Add(1)
	time.Sleep(c.hold)
	return c.Catalog.Product(ctx, id)
}

// heldCatalog answers nothing until it is let go.
type heldCatalog struct {
	shop.Catalog
	asked, goOn chan struct{}
}

func (h *heldCatalog) Product(ctx context.Context, id int64) (shop.Product, error) {
	h.asked <- struct{}{}
	<-h.goOn
	return h.Catalog.Product(ctx, id)
}

// More requests at once than an instance can hold are refused at once, and probes are not.
func TestMoreThanCanBeHeld(t *testing.T) {
	held := &heldCatalog{asked: make(chan struct{}), goOn: make(chan struct{})}
	r := newRig(t, func(c *Config, sh *Shop) {
		c.MaxInFlight = 2
		held.Catalog, sh.Catalog = sh.Catalog, held
	})
	var waiting sync.WaitGroup
	for i := range 2 {
		path := fmt.Sprintf("/api/products/%d", r.product(fmt.Sprint("mug", i), 900, 10).ID)
		waiting.Go(func() {
			if rep := r.do("GET", path, nil); rep.StatusCode != 200 {
				t.Errorf("what was there first got %d", rep.StatusCode)
			}
		})
		<-held.asked
	}
	r.do("GET", "/api/categories", nil).want(t, 503)
	r.do("GET", "/readyz", nil).want(t, 200)
	close(held.goOn)
	waiting.Wait()
	r.do("GET", "/api/categories", nil).want(t, 200)
}

// TestCatalogCache: many askers are one call, and a change of price shows within the cache's time.
func TestCatalogCache(t *testing.T) {
	var catalog *countingCatalog
	r := newRig(t, func(_ *Config, sh *Shop) {
		catalog = &countingCatalog{Catalog: sh.Catalog, hold: 50 * time.Millisecond}
		sh.Catalog = catalog
	})
	mug := r.product("mug", 900, 10)
	path := fmt.Sprintf("/api/products/%d", mug.ID)
	var askers sync.WaitGroup
	for range 50 {
		askers.Go(func() {
			res, err := http.Get(r.url + path)
			if err != nil {
				t.Error(err)
				return
			}
			if err := res.Body.Close(); err != nil || res.StatusCode != 200 {
				t.Error(res.Status, err)
			}
		})
	}
	askers.Wait()
	if n := catalog.calls.Load(); n != 1 {
		t.Errorf("%d calls for one product at once, want 1", n)
	}
	mug.PriceCents = 1000
	if _, err := r.store.PutProduct(t.Context(), mug); err != nil {
		t.Fatal(err)
	}
	changed := time.Now()
	for {
		var p Product
		r.do("GET", path, nil).want(t, 200).decode(t, &p)
		if p.PriceCents == 1000 {
			break
		}
		if age := time.Since(changed); age > shop.CatalogMaxAge {
			t.Fatalf("the old price is still shown after %s", age)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if v := r.metric(`shoplab_catalog_cache_total{layer="process",result="hit"}`); v < 1 {
		t.Errorf("%v hits", v)
	}
	const counted = `shoplab_http_request_duration_seconds_count{method="GET",route="/api/products/:id",status="200"}`
	if v := r.metric(counted); v < 51 {
		t.Errorf("%v requests were counted", v)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	a := newAnswers(func(bool) {})
	load := func() ([]byte, error) { return []byte("x"), nil }
	for i := range 3 * maxAnswers {
		if _, err := a.get(fmt.Appendf(nil, "/%d", i), load); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.get([]byte(strings.Repeat("x", maxAnswerKey+1)), load); err != nil {
		t.Fatal(err)
	}
	if n := len(a.byKey); n == 0 || n > maxAnswers {
		t.Errorf("%d answers are kept, want at most %d", n, maxAnswers)
	}
	if a.byKey[strings.Repeat("x", maxAnswerKey+1)] != nil {
		t.Error("a long address is kept")
	}
}
