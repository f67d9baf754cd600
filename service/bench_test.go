package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// BenchmarkGetCart reads a cart of one line over HTTP, from the real program and database: a guest's, and that
// of who is signed in, whose session is looked up first. One request at a time. CPU time is that of service and
// client, not of the database.
func BenchmarkGetCart(b *testing.B) {
	p := start(b, nil).ready(b)
	s := &shopper{url: p.url}
	product := query(b, p.database, "SELECT min(id) FROM products")
	item := object{"product_id": product, "quantity": 1}
	guest := s.do(b, 200, "POST", "/api/cart/items", item).header.Get("X-Cart-ID")
	s.register(b, "ada@example.com")
	s.do(b, 200, "POST", "/api/cart/items", item)
	for name, header := range map[string][2]string{
		"guest": {"X-Cart-ID", guest}, "signed in": {"Authorization", "Bearer " + s.token},
	} {
		b.Run(name, func(b *testing.B) {
			began := cpuTime(b)
			for b.Loop() {
				req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, p.url+"/api/cart", nil)
				if err != nil {
					b.Fatal(err)
				}
				req.Header.Set(header[0], header[1])
				get(b, req)
			}
			b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N), "cpu-ns/op") // steadier where CPUs are shared
		})
	}
}

// cpuTime is what the process has used of the CPUs.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// get sends the request and reads the answer to its end.
func get(b *testing.B, req *http.Request) (status int) {
	b.Helper()
	res, err := shared.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		b.Fatal(err)
	}
	return res.StatusCode
}

// BenchmarkCatalogDuringOrders searches the catalog, each time for something that is in no cache, on an instance
// with ten database connections, while 32 shoppers order a product: one that can be ordered, and one whose row
// somebody has locked and does not let go. It reports how long a search took and how many got no answer.
func BenchmarkCatalogDuringOrders(b *testing.B) {
	for _, locked := range []bool{false, true} {
		b.Run(map[bool]string{false: "row free", true: "row locked"}[locked], func(b *testing.B) {
			p := start(b, nil).ready(b)
			product := query(b, p.database, "UPDATE products SET stock = 1e9, put_in = 1e9 WHERE id = (SELECT min(id) FROM "+
				"products) RETURNING id")
			if locked {
				conn, err := pgx.Connect(b.Context(), p.database)
				if err != nil {
					b.Fatal(err)
				}
				defer conn.Close(context.Background())
				if err := conn.PgConn().Exec(b.Context(), fmt.Sprintf("BEGIN; SELECT FROM products WHERE id = %d FOR UPDATE",
					product)).Close(); err != nil {
					b.Fatal(err)
				}
			}
			defer rush(b, p, product, 32)()
			var took []time.Duration
			failed := 0
			for i := 0; b.Loop(); i++ {
				req, err := http.NewRequestWithContext(b.Context(), http.MethodGet,
					fmt.Sprintf("%s/api/products?q=teapot+%d", p.url, i), nil)
				if err != nil {
					b.Fatal(err)
				}
				began := time.Now()
				if get(b, req) != http.StatusOK {
					failed++
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			for name, part := range map[string]float64{"p50-ms": .5, "p99-ms": .99, "max-ms": 1} {
				b.ReportMetric(float64(took[int(part*float64(len(took)-1))].Microseconds())/1000, name)
			}
			b.ReportMetric(100*float64(failed)/float64(len(took)), "%failed")
		})
	}
}

// rush lets n shoppers order a piece of the product, again and again until the rush is stopped.
func rush(b *testing.B, p *program, product int64, n int) (stop func()) {
	b.Helper()
	first := query(b, p.database, `WITH u AS (INSERT INTO users (email, first_name, last_name, password_hash)
		SELECT 'buyer' || n || '@example.com', 'B', 'B', '' FROM generate_series(1, $1::int) n RETURNING id)
		SELECT min(id) FROM u`, n)
	var over atomic.Bool
	var buying sync.WaitGroup
	for i := range n {
		s := &shopper{url: p.url, token: token(b, p.database, first+int64(i))}
		buying.Go(func() {
			for key := 0; !over.Load(); key++ {
				_, err := s.try("PUT", fmt.Sprintf("/api/cart/items/%d", product), object{"quantity": 1})
				if err == nil {
					_, err = s.try("POST", "/api/orders", nil, "Idempotency-Key", fmt.Sprint(key))
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	return func() {
		over.Store(true)
		buying.Wait()
	}
}
