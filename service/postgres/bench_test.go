package postgres_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"shoplab/service/postgres"
	"shoplab/service/shop"
)

// benchDB returns a seeded shop with a pool of eight.
func benchDB(b *testing.B) *postgres.DB {
	b.Helper()
	db, _ := benchShop(b)
	return db
}

// benchShop is benchDB and its URL.
func benchShop(b *testing.B) (db *postgres.DB, u string) {
	b.Helper()
	_, u = openNew(b, "")
	db = open(b, postgres.Config{
		URL: u, MaxConns: 8, AcquireTimeout: patience, StatementTimeout: patience, LockTimeout: patience,
	})
	if err := db.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := db.Seed(b.Context()); err != nil {
		b.Fatal(err)
	}
	return db, u
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
	p, err := db.SavePayment(ctx, shop.Payment{
		OrderID: o.ID, IntentID: intent, ClientSecret: "s", AmountCents: o.TotalCents, Currency: "usd",
	})
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

// BenchmarkSearch searches among 50 products and among 100,000 by turns, and reports how much longer the
// many take, by medians of three rounds: for what finds one product in both, for words that many of the many
// hold, for what finds nothing, and for typing errors.
//
//	go test ./service/postgres -run xxx -bench Search -benchtime 1x
func BenchmarkSearch(b *testing.B) {
	few := benchDB(b)
	many, url := benchShop(b)
	conn := connect(b, url)
	for _, sql := range []string{manyProducts, "VACUUM ANALYZE products"} {
		if err := conn.PgConn().Exec(b.Context(), sql).Close(); err != nil {
			b.Fatal(err)
		}
	}
	for _, db := range []*postgres.DB{few, many} { // found in both shops, and the only one to be found
		if _, err := db.PutProduct(b.Context(), shop.Product{
			Name: "Marble Chessboard", Description: "For two.", Category: "Games",
		}); err != nil {
			b.Fatal(err)
		}
	}
	var all []float64
	for _, search := range []string{
		"marble chessb", "chessboard", "desk lamp", "lamp", "desk", "kettle", "the", "C++", "lether walet", "zzzz",
	} {
		b.Run(search, func(b *testing.B) {
			var took [2][]time.Duration
			q := shop.ProductQuery{Search: search}
			timeSearch(b, few, q) // statements are prepared once a connection
			timeSearch(b, many, q)
			for range 3 {
				took[0], took[1] = append(took[0], timeSearch(b, few, q)), append(took[1], timeSearch(b, many, q))
			}
			slices.Sort(took[0])
			slices.Sort(took[1])
			ratio := float64(took[1][1]) / float64(took[0][1])
			all = append(all, ratio)
			for b.Loop() { // measured above, in turns
			}
			b.ReportMetric(float64(took[0][1].Microseconds()), "few-µs")
			b.ReportMetric(float64(took[1][1].Microseconds()), "many-µs")
			b.ReportMetric(ratio, "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
	slices.Sort(all)
	b.Logf("the median search takes %.1f times as long among 100,000 products as among 50", all[len(all)/2])
}

// timeSearch is how long a search takes, on average of 50.
func timeSearch(b *testing.B, db *postgres.DB, q shop.ProductQuery) time.Duration {
	b.Helper()
	const times = 50
	began := time.Now()
	for range times {
		if _, err := db.Products(b.Context(), q); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(began) / times
}

// manyProducts adds 99,950 to the seeded 50. One in 20 is called and described like one of those, so that
// "lamp" is in hundreds, "desk" in a thousand, and "the" in all.
const manyProducts = `
	INSERT INTO products (name, description, category, price_cents, stock, put_in, image_url, created_at)
	SELECT CASE WHEN i % 20 = 0 THEN p.name ELSE 'Item' END || ' ' || i,
		CASE WHEN i % 20 = 0 THEN p.description ELSE 'The thing of material' || i % 997 END,
		CASE WHEN i % 20 = 0 THEN p.category ELSE 'Shelf ' || i % 200 END,
		i * 31 % 30000, 10, 10, '/x.svg', now() - i * interval '1 minute'
	FROM generate_series(1, 99950) i JOIN products p ON p.id = i / 20 % 50 + 1`
