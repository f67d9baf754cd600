package shoptest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shoplab/service/shop"
)

func testSameKeyAtOnce(t *testing.T, s suite) {
	u, a, b := s.user("ada@example.com"), s.product("a", 100, 30), s.product("b", 100, 30)
	s.add(u, a, 1)
	s.add(u, b, 1)
	var (
		wg      sync.WaitGroup
		created atomic.Int32
		ids     sync.Map
	)
	for range 20 {
		wg.Go(func() {
			o, isNew, err := s.PlaceOrder(t.Context(), shop.OrderRequest{UserID: u.ID, Key: "k1", TTL: time.Minute})
			if err != nil {
				t.Errorf("place: %v", err)
				return
			}
			if isNew {
				created.Add(1)
			}
			if len(o.Items) != 2 || o.TotalCents != 200 {
				t.Errorf("got %+v", o)
			}
			ids.Store(o.ID, true)
		})
	}
	wg.Wait()
	n := 0
	ids.Range(func(any, any) bool { n++; return true })
	if created.Load() != 1 || n != 1 {
		t.Fatalf("%d orders created, %d ids", created.Load(), n)
	}
	s.wantStock(a, 29, 1, 0)
}

func testCancelAtOnce(t *testing.T, s suite) {
	u, p := s.user("ada@example.com"), s.product("p", 100, 10)
	o := s.order(u, p, 4, "k1", time.Minute)
	var (
		wg       sync.WaitGroup
		canceled atomic.Int32
	)
	for range 8 {
		wg.Go(func() {
			switch _, err := s.CancelOrder(t.Context(), u.ID, o.ID); shop.CodeOf(err) {
			case "":
				canceled.Add(1)
			case shop.CodeOrderNotPending:
			default:
				t.Errorf("cancel: %v", err)
			}
		})
	}
	wg.Wait()
	if canceled.Load() != 1 {
		t.Fatalf("canceled %d times", canceled.Load())
	}
	s.wantStock(p, 10, 0, 0)
}

func testExpireAtOnce(t *testing.T, s suite) {
	const orders = 40
	a, b := s.product("a", 100, 100), s.product("b", 100, 100)
	for i, u := range s.users(orders) {
		s.add(u, []shop.Product{a, b}[i%2], 1)
		s.order(u, b, 1, "k", 0)
	}
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		seen = map[int64]int{}
	)
	for range 6 {
		wg.Go(func() {
			for {
				ids, err := s.ExpireOrders(t.Context(), 3, 0)
				if err != nil {
					t.Errorf("expire: %v", err)
				}
				mu.Lock()
				for _, id := range ids {
					seen[id]++
				}
				done := len(seen) == orders || err != nil || t.Context().Err() != nil
				mu.Unlock()
				if done {
					return
				}
			}
		})
	}
	wg.Wait()
	for id, n := range seen {
		if n != 1 {
			t.Errorf("order %d expired %d times", id, n)
		}
	}
	s.wantStock(a, 100, 0, 0)
	s.wantStock(b, 100, 0, 0)
}

// testRush lets 200 buyers order one piece each of 50, at once.
func testRush(t *testing.T, s suite) {
	const buyers, pieces = 200, 50
	p := s.product("p", 100, pieces)
	users := s.users(buyers)
	for _, u := range users {
		s.add(u, p, 1)
	}
	var (
		wg              sync.WaitGroup
		sold, turnedOff atomic.Int32
	)
	start := make(chan struct{})
	for _, u := range users {
		wg.Go(func() {
			<-start
			_, _, err := s.PlaceOrder(t.Context(), shop.OrderRequest{UserID: u.ID, Key: "k", TTL: time.Minute})
			switch shop.CodeOf(err) {
			case "":
				sold.Add(1)
			case shop.CodeOutOfStock:
				turnedOff.Add(1)
			default:
				t.Errorf("place: %v", err)
			}
		})
	}
	close(start)
	wg.Wait()
	if sold.Load() != pieces || turnedOff.Load() != buyers-pieces {
		t.Fatalf("%d orders, %d turned off", sold.Load(), turnedOff.Load())
	}
	s.wantStock(p, 0, pieces, 0)
}

// testOrderStorm places, cancels and expires orders of the same products in crossing order, all at
// once, while the books are held: nothing deadlocks and no piece is lost.
func testOrderStorm(t *testing.T, s suite) {
	const shoppers, rounds = 12, 8
	products := []shop.Product{s.product("a", 100, 25), s.product("b", 100, 25), s.product("c", 100, 25)}
	var wg sync.WaitGroup
	for i, u := range s.users(shoppers) {
		wg.Go(func() {
			for r := range rounds {
				for j := range products { // each shopper's cart is in another order
					p := products[(i+j*(1+i%2))%len(products)]
					if _, err := s.AddItem(t.Context(), shop.Owner{UserID: u.ID}, p.ID, 1+r%3); err != nil {
						t.Errorf("add: %v", err)
					}
				}
				ttl := time.Hour
				if r%4 == 0 {
					ttl = 0
				}
				o, _, err := s.PlaceOrder(t.Context(), shop.OrderRequest{UserID: u.ID, Key: fmt.Sprint(r), TTL: ttl})
				if code := shop.CodeOf(err); code != "" && code != shop.CodeOutOfStock {
					t.Errorf("place: %v", err)
				}
				if err == nil && r%4 == 1 {
					if _, err := s.CancelOrder(t.Context(), u.ID, o.ID); err != nil {
						t.Errorf("cancel: %v", err)
					}
				}
				if _, err := s.ExpireOrders(t.Context(), 2, 0); err != nil {
					t.Errorf("expire: %v", err)
				}
				if err := s.ClearCart(t.Context(), shop.Owner{UserID: u.ID}); err != nil {
					t.Errorf("clear: %v", err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for {
		s.stock()
		select {
		case <-done:
			s.stock()
			return
		default:
		}
	}
}
