package api

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
)

// BenchmarkCatalogOverLoopback asks for GET /api/products over loopback, of the shop and of a bare Fiber
// handler that returns the same bytes, once with the shop's timeouts as well, by turns: three rounds each, of which
// the medians count. The clients share this machine's CPUs with the server. Where other programs do too, cpu-ratio,
// which compares the CPU time of an answer, is the steadier one.
//
//	go test ./service/api -run xxx -bench CatalogOverLoopback -benchtime 1x
func BenchmarkCatalogOverLoopback(b *testing.B) {
	timeouts := fiber.Config{ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout}
	for _, test := range []struct {
		name, encoding string
		bare           fiber.Config
	}{
		{"identity", "identity", fiber.Config{}},
		{"gzip", "gzip", fiber.Config{}},
		{"identity-with-timeouts", "identity", timeouts},
	} {
		b.Run(test.name, func(b *testing.B) {
			r := build(b, func(c *Config, _ *Shop) { c.AccessLog, c.Log = false, slog.New(slog.DiscardHandler) })
			for i := range 30 {
				r.product(fmt.Sprintf("product %d", i), 1000, 10)
			}
			request := "GET /api/products HTTP/1.1\r\nHost: shop\r\nAccept-Encoding: " + test.encoding + "\r\n\r\n"
			shopAddr := serve(b, r.server.App(), r.server.Serve)
			body := ask(b, shopAddr, request).body
			test.bare.DisableStartupMessage = true
			bare := fiber.New(test.bare)
			bare.Get("/api/products", func(c *fiber.Ctx) error {
				c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
				return c.Send(body)
			})
			bareAddr := serve(b, bare, bare.Listener)
			var rates, cpu [2][]float64
			for range 3 {
				for i, addr := range []string{shopAddr, bareAddr} {
					rate, cost := throughput(b, addr, request)
					rates[i], cpu[i] = append(rates[i], rate), append(cpu[i], cost)
				}
			}
			for i := range 2 {
				slices.Sort(rates[i])
				slices.Sort(cpu[i])
			}
			for b.Loop() { // measured above, by turns
			}
			b.ReportMetric(rates[0][1], "shop/s")
			b.ReportMetric(rates[1][1], "bare/s")
			b.ReportMetric(rates[0][1]/rates[1][1], "ratio")
			b.ReportMetric(cpu[1][1]/cpu[0][1], "cpu-ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// serve serves the application by listen on a loopback port until the end of the benchmark.
func serve(b *testing.B, app *fiber.App, listen func(net.Listener) error) (addr string) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- listen(l) }()
	b.Cleanup(func() {
		if err := app.ShutdownWithTimeout(5 * time.Second); err != nil {
			b.Error(err)
		}
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	return l.Addr().String()
}

func ask(b *testing.B, addr, request string) reply {
	b.Helper()
	return (&rig{t: b, url: "http://" + addr}).raw(b, request)
}

// throughput is how many answers a second eight connections get, and the CPU time of one in nanoseconds, the
// client's included. All answers are equally long, so that the client reads without parsing.
func throughput(b *testing.B, addr, request string) (rate, cpu float64) {
	b.Helper()
	const connections, round = 8, 2 * time.Second
	var answers atomic.Int64
	var clients sync.WaitGroup
	began, used := time.Now(), cpuTime(b)
	for range connections {
		clients.Go(func() {
			n, err := askAgain(addr, request, began.Add(round))
			if err != nil {
				b.Error(err)
			}
			answers.Add(n)
		})
	}
	clients.Wait()
	n := float64(answers.Load())
	return n / time.Since(began).Seconds(), float64(cpuTime(b)-used) / n
}

func askAgain(addr, request string, until time.Time) (answers int64, err error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 64<<10)
	if _, err := io.WriteString(conn, request); err != nil {
		return 0, err
	}
	size, length := 0, 0 // of an answer, and of its body
	for line := ""; line != "\r\n"; size += len(line) {
		if line, err = in.ReadString('\n'); err != nil {
			return 0, err
		}
		if value, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			if _, err := fmt.Sscan(value, &length); err != nil {
				return 0, err
			}
		}
	}
	if _, err := in.Discard(length); err != nil {
		return 0, err
	}
	size += length
	for ; time.Now().Before(until); answers++ {
		if _, err := io.WriteString(conn, request); err != nil {
			return 0, err
		}
		if _, err := in.Discard(size); err != nil {
			return 0, err
		}
	}
	return answers, nil
}
