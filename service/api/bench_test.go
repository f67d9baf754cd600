package api

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"shoplab/service/shop"
)

// BenchmarkProducts measures GET /api/products without a network: what the shop adds to a bare
// Fiber handler that returns the same bytes (the ceiling), and what huma would add in its place.
// docs/decisions/0020 has the numbers.
func BenchmarkProducts(b *testing.B) {
	r := build(b, func(c *Config, _ *Shop) { c.AccessLog, c.Log = false, slog.New(slog.DiscardHandler) })
	for i := range 30 {
		r.product(fmt.Sprintf("product %d", i), 1000, 10)
	}
	const path = "/api/products"
	body := call(b, r.server.App(), path)
	bare := fiber.New()
	bare.Get(path, func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
		return c.Send(body)
	})
	// As huma would serve it: the answer is a value, which huma encodes each time.
	page, err := r.store.Products(b.Context(), shop.ProductQuery{Sort: shop.SortNewest, Limit: defaultLimit})
	if err != nil {
		b.Fatal(err)
	}
	list := ProductList{NextCursor: cursorOrNull(page.NextCursor)}
	for _, p := range page.Items {
		list.Items = append(list.Items, newProduct(p))
	}
	typed, raw := fiber.New(), fiber.New()
	type input struct {
		Search   string `query:"q" maxLength:"100"`
		Category string `query:"category" maxLength:"100"`
		Sort     string `query:"sort" enum:"newest,price,-price,name" default:"newest"`
		Limit    int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
		Cursor   string `query:"cursor"`
	}
	config := huma.DefaultConfig("Shoplab", "v0")
	config.CreateHooks = nil // no $schema link in the answer
	huma.Get(humafiber.New(typed, config), path, func(context.Context, *input) (*struct{ Body ProductList }, error) {
		return &struct{ Body ProductList }{list}, nil
	})
	// And with the bytes ready made, so that only huma's own work is measured.
	config = huma.DefaultConfig("Shoplab", "v0")
	config.CreateHooks = nil
	huma.Get(humafiber.New(raw, config), path, func(context.Context, *input) (*struct{ Body []byte }, error) {
		return &struct{ Body []byte }{body}, nil
	})
	for _, bench := range []struct {
		name string
		app  *fiber.App
	}{{"bare", bare}, {"shop", r.server.App()}, {"huma-bytes", raw}, {"huma-value", typed}} {
		b.Run(bench.name, func(b *testing.B) {
			handler := bench.app.Handler()
			ctx := &fasthttp.RequestCtx{}
			ctx.Request.SetRequestURI(path)
			ctx.Request.Header.SetHost("shop")
			b.ReportAllocs()
			began := cpuTime(b)
			for b.Loop() {
				ctx.Response.Reset()
				handler(ctx)
			}
			b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N), "cpu-ns/op") // steadier where CPUs are shared
			if got := ctx.Response.StatusCode(); got != http.StatusOK || len(ctx.Response.Body()) < len(body) {
				b.Fatalf("%d, %d bytes, want %d", got, len(ctx.Response.Body()), len(body))
			}
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

// call asks the application without a network.
func call(tb testing.TB, app *fiber.App, path string) []byte {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, "http://shop"+path, nil)
	if err != nil {
		tb.Fatal(err)
	}
	res, err := app.Test(req, -1)
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		tb.Fatal(res.Status, err)
	}
	return body
}

// BenchmarkNew measures what a start costs before the service listens.
func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		build(b, nil)
	}
}
