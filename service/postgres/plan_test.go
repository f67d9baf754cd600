package postgres_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"shoplab/service/postgres"
	"shoplab/service/shop"
)

// fill makes a shop that is big enough for an index to pay: 20,000 products, 5,000 users, 20,000
// sessions, 20,000 orders of two lines each, and as many payments, events and cart items.
const fill = `
	INSERT INTO products (name, description, category, price_cents, stock, put_in, image_url, created_at)
	SELECT 'Thing ' || to_hex(i * 7919 % 20000),
		'Made of material' || i % 997 || ' in colour' || i % 89 || CASE i % 1000 WHEN 7 THEN ' and C++' ELSE '' END,
		'Category ' || i % 50,
		i * 31 % 30000, 1000, 1006, '/x.svg', now() - i * interval '1 minute'
	FROM generate_series(1, 20000) i;
	INSERT INTO users (email, first_name, last_name, password_hash)
	SELECT 'user' || i || '@example.com', 'Ada', 'Lovelace', repeat('x', 90) FROM generate_series(1, 5000) i;
	INSERT INTO sessions (id, user_id, expires_at)
	SELECT 'session' || i, i % 5000 + 1, now() + (i - 10) * interval '1 minute' FROM generate_series(1, 20000) i;
	INSERT INTO cart_items (user_id, guest, product_id, quantity)
	SELECT CASE WHEN i % 2 = 0 THEN i % 5000 + 1 END, CASE WHEN i % 2 = 1 THEN 'guest' || i % 5000 END, i, 1
	FROM generate_series(1, 20000) i;
	INSERT INTO orders (user_id, network, idempotency_key, status, total_cents, expires_at)
	SELECT i % 5000 + 1, '10.0.' || i % 200 || '.1', 'key' || i,
		CASE WHEN i % 100 = 0 THEN 'pending' WHEN i % 10 = 0 THEN 'canceled' ELSE 'paid' END,
		100, now() + (i - 10000) * interval '1 second'
	FROM generate_series(1, 20000) i;
	INSERT INTO order_items (order_id, product_id, name, image_url, quantity, unit_price_cents)
	SELECT o, (o * 7 + p) % 20000 + 1, 'Thing', '/x.svg', 1, 50 FROM generate_series(1, 20000) o, generate_series(1, 2) p;
	INSERT INTO payments (order_id, intent_id, client_secret, amount_cents, currency, status, captured_cents)
	SELECT id, 'pi_' || id, repeat('s', 60), 100, 'usd',
		CASE status WHEN 'paid' THEN 'captured' WHEN 'canceled' THEN 'refunding' ELSE 'open' END,
		CASE status WHEN 'pending' THEN 0 ELSE 100 END
	FROM orders;
	INSERT INTO payment_events (id, order_id, type) SELECT 'evt_' || id, id, 'payment_intent.succeeded' FROM orders;
	INSERT INTO returns (id, order_id, dispute, amount_cents, status)
	SELECT 're_' || id, id, false, 1, 'failed' FROM orders;`

// recorder notes the statements that a pool sends, with their arguments.
type recorder struct {
	mu         sync.Mutex
	statements map[string][]any
}

func (r *recorder) note(sql string, args []any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.statements[sql] = args
}

// take returns what was noted, and forgets it: the pool asks by itself, too.
func (r *recorder) take() map[string][]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	noted := r.statements
	r.statements = map[string][]any{}
	return noted
}

func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	r.note(d.SQL, d.Args)
	return ctx
}

func (r *recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (r *recorder) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

func (r *recorder) TraceBatchQuery(_ context.Context, _ *pgx.Conn, d pgx.TraceBatchQueryData) {
	r.note(d.SQL, d.Args)
}

func (r *recorder) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// TestEveryQueryUsesAnIndex calls every method in every variant on a big shop, notes the statements
// that it sends, and asks PostgreSQL for their plans: none may read a table from end to end. Only
// Categories does, which counts the products; its answer is cached.
func TestEveryQueryUsesAnIndex(t *testing.T) {
	t.Parallel()
	_, url := openNew(t, "")
	conn := connect(t, url)
	for _, sql := range []string{fill, "VACUUM ANALYZE"} {
		if err := conn.PgConn().Exec(t.Context(), sql).Close(); err != nil {
			t.Fatal(err)
		}
	}
	r := &recorder{statements: map[string][]any{}}
	db, err := postgres.OpenTraced(t.Context(), postgres.Config{
		URL: url, AcquireTimeout: patience, StatementTimeout: patience,
	}, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if err := db.Migrate(t.Context()); err != nil { // it looks for pg_trgm
		t.Fatal(err)
	}
	r.take() // the statements of starting
	callEverything(t, db)

	seqScan := regexp.MustCompile(`Seq Scan on (\w+)`)
	plans := 0
	for sql, args := range r.take() {
		if !regexp.MustCompile(`(?i)^\s*(SELECT|WITH|INSERT|UPDATE|DELETE)`).MatchString(sql) {
			continue // BEGIN, COMMIT, and the like
		}
		plan := explain(t, conn, sql, args)
		plans++
		if m := seqScan.FindStringSubmatch(plan); m != nil {
			t.Errorf("%s is read from end to end by\n%s\n%v\n%s", m[1], sql, args, plan)
		}
	}
	if plans < 60 {
		t.Errorf("only %d statements were seen", plans)
	}
}

func explain(t *testing.T, conn *pgx.Conn, sql string, args []any) string {
	t.Helper()
	rows, err := conn.Query(t.Context(), "EXPLAIN "+sql, args...)
	if err != nil {
		t.Fatalf("explain %s: %v", sql, err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("explain %s: %v", sql, err)
	}
	return strings.Join(lines, "\n")
}

// callEverything makes each call that the service makes, once with each shape of statement.
func callEverything(t *testing.T, db *postgres.DB) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, sort := range []shop.Sort{shop.SortNewest, shop.SortPrice, shop.SortPriceDesc, shop.SortName} {
		for _, category := range []string{"", "Category 7"} {
			for _, search := range []string{"", "material7", "made colour8", "thi", "of", "C++"} {
				q := shop.ProductQuery{Sort: sort, Category: category, Search: search, Limit: 1}
				page, err := db.Products(ctx, q)
				must(err)
				if q.Cursor = page.NextCursor; q.Cursor == "" {
					t.Fatalf("no second page for %+v", q)
				}
				_, err = db.Products(ctx, q)
				must(err)
			}
		}
	}
	_, err := db.Product(ctx, 17)
	must(err)
	u, err := db.CreateUser(ctx, shop.User{Email: "ada@example.com"})
	must(err)
	_, err = db.User(ctx, u.ID)
	must(err)
	_, err = db.UserByEmail(ctx, "user4000@example.com")
	must(err)
	must(db.SetPasswordHash(ctx, u.ID, "", "hash"))
	must(db.StartSession(ctx, shop.Session{ID: "s", UserID: u.ID, ExpiresAt: time.Now().Add(time.Hour)}))
	_, err = db.Session(ctx, "session17")
	must(err)
	must(db.EndSession(ctx, "s"))
	must(db.EndSessions(ctx, u.ID))
	_, err = db.DropSessions(ctx, time.Now().Add(-time.Hour), 100)
	must(err)
	for _, o := range []shop.Owner{{UserID: u.ID}, {Guest: "g-1"}} {
		for p := range int64(5) {
			_, err = db.AddItem(ctx, o, p+1, 1)
			must(err)
		}
		_, err = db.SetItem(ctx, o, 1, 2)
		must(err)
		_, err = db.RemoveItem(ctx, o, 2)
		must(err)
		_, err = db.Cart(ctx, o)
		must(err)
		must(db.ClearCart(ctx, shop.Owner{UserID: o.UserID, Guest: strings.Replace(o.Guest, "1", "2", 1)}))
	}
	_, err = db.AddItem(ctx, shop.Owner{Guest: "g-1"}, 9, 1)
	must(err)
	must(db.MergeCart(ctx, "g-1", u.ID))
	_, err = db.DropGuestCarts(ctx, time.Now().Add(-time.Hour), 100)
	must(err)
	o, _, err := db.PlaceOrder(ctx, shop.OrderRequest{
		UserID: u.ID, Key: "k", TTL: time.Minute, Network: "192.0.2.7", Limits: shop.DefaultHoldLimits,
	})
	must(err)
	_, _, err = db.PlaceOrder(ctx, shop.OrderRequest{UserID: u.ID, Key: "k", TTL: time.Minute})
	must(err)
	must(db.HoldOrder(ctx, o.ID, time.Hour))
	_, err = db.Order(ctx, u.ID, o.ID)
	must(err)
	must(db.ArchiveProduct(ctx, 19999))
	_, err = db.Orders(ctx, 17, 2, "")
	must(err)
	p, err := db.SavePayment(ctx, shop.Payment{
		OrderID: o.ID, IntentID: "pi_x", AmountCents: o.TotalCents, Currency: "usd",
	})
	must(err)
	_, err = db.Payment(ctx, o.ID)
	must(err)
	_, err = db.CancelOrder(ctx, u.ID, o.ID)
	must(err)
	_, err = db.ApplyEvent(ctx, shop.Event{
		ID: "evt_x", Type: shop.EventSucceeded, IntentID: p.IntentID, AmountCents: p.AmountCents, Currency: "usd",
	})
	must(err)
	_, err = db.DueRefunds(ctx, 10, time.Minute)
	must(err)
	_, err = db.ApplyEvent(ctx, shop.Event{
		ID: "evt_y", Type: shop.EventRefund, IntentID: p.IntentID,
		Return: shop.Return{ID: "re_x", AmountCents: 1, Status: shop.ReturnPending},
	})
	must(err)
	_, err = db.CheckSoon(ctx, o.ID, 0)
	must(err)
	_, err = db.DueChecks(ctx, 10)
	must(err)
	ids, err := db.ExpireOrders(ctx, 10, 0)
	must(err)
	if len(ids) != 10 {
		t.Fatal(fmt.Sprint("expired ", ids))
	}
}
