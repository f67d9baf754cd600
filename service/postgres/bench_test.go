package postgres_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"shoplab/service/postgres"
	"shoplab/service/shop"
)

// benchDB returns a seeded shop with a pool of eight.
func benchDB(b *testing.B) *postgres.DB {
	b.Helper()
	_, u := openNew(b, "")
	db := open(b, postgres.Config{URL: u, MaxConns: 8, AcquireTimeout: patience, StatementTimeout: patience, LockTimeout: patience})
	if err := db.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := db.Seed(b.Context()); err != nil {
		b.Fatal(err)
	}
	return db
}

func BenchmarkCatalog(b *testing.B) {
	db := benchDB(b)
	for name, call := range map[string]func() error{
		"product": func() error { _, err := db.Product(b.Context(), 7); return err },
		"list":    func() error { _, err := db.Products(b.Context(), shop.ProductQuery{}); return err },
		"category": func() error {
			_, err := db.Products(b.Context(), shop.ProductQuery{Category: "Desk", Sort: shop.SortPrice})
			return err
		},
		"search": func() error { _, err := db.Products(b.Context(), shop.ProductQuery{Search: "desk lamp"}); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := call(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

func BenchmarkCart(b *testing.B) {
	db := benchDB(b)
	var guests atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		o := shop.Owner{Guest: fmt.Sprint("g-", guests.Add(1))}
		for pb.Next() {
			if _, err := db.AddItem(b.Context(), o, 7, 1); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkPurchase is a whole purchase: a cart of two products, the order, its payment, and the
// webhook that says it is paid. The server of these tests does not wait for its disk.
func BenchmarkPurchase(b *testing.B) {
	db := benchDB(b)
	for i := range int64(50) { // nobody is to be turned away
		p, err := db.Product(b.Context(), i+1)
		if err != nil {
			b.Fatal(err)
		}
		p.Stock = 100_000_000
		if _, err := db.PutProduct(b.Context(), p); err != nil {
			b.Fatal(err)
		}
	}
	var buyers atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		n := buyers.Add(1)
		u, err := db.CreateUser(b.Context(), shop.User{Email: fmt.Sprintf("%d@%d.example.com", n, time.Now().UnixNano())})
		if err != nil {
			b.Error(err)
			return
		}
		for i := int64(0); pb.Next(); i++ {
			if err := purchase(b, db, u, i); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func purchase(b *testing.B, db *postgres.DB, u shop.User, i int64) error {
	ctx := b.Context()
	for _, product := range []int64{i%50 + 1, (i*7+3)%50 + 1} {
		if _, err := db.AddItem(ctx, shop.Owner{UserID: u.ID}, product, 1); err != nil {
			return err
		}
	}
	o, _, err := db.PlaceOrder(ctx, shop.OrderRequest{UserID: u.ID, Key: fmt.Sprint(i), TTL: time.Minute})
	if err != nil {
		return err
	}
	intent := fmt.Sprint("pi_", o.ID)
	p, err := db.SavePayment(ctx, shop.Payment{OrderID: o.ID, IntentID: intent, ClientSecret: "s", AmountCents: o.TotalCents, Currency: "usd"})
	if err != nil {
		return err
	}
	outcome, err := db.ApplyEvent(ctx, shop.Event{
		ID: "evt_" + intent, Type: shop.EventSucceeded, IntentID: intent, AmountCents: p.AmountCents, Currency: "usd",
	})
	if err == nil && outcome != shop.OutcomePaid {
		err = fmt.Errorf("outcome is %s", outcome)
	}
	return err
}
