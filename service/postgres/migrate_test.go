package postgres_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"shoplab/service/postgres"
	"shoplab/service/shop"
)

// TestMigrateAtOnce starts eight instances on one empty database.
func TestMigrateAtOnce(t *testing.T) {
	t.Parallel()
	dbURL := createDatabase(t, "")
	var wg sync.WaitGroup
	for range 8 {
		db := open(t, postgres.Config{URL: dbURL, MaxConns: 2, AcquireTimeout: patience})
		wg.Go(func() {
			if err := db.Migrate(t.Context()); err != nil {
				t.Errorf("migrate: %v", err)
			}
			if err := db.Seed(t.Context()); err != nil {
				t.Errorf("seed: %v", err)
			}
		})
	}
	wg.Wait()
	var products, migrations, twice int
	err := connect(t, dbURL).QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM products), count(*), count(*) - count(DISTINCT version_id)
		FROM goose_db_version WHERE version_id > 0`).
		Scan(&products, &migrations, &twice)
	if err != nil || products != 50 || migrations == 0 || twice != 0 {
		t.Fatalf("%d products, %d migrations, %d of them again, %v", products, migrations, twice, err)
	}
}

// TestPaymentsMigrate brings a shop with payments in each state from before returns were kept: the books
// balance, and what was refunded in part is learned again.
func TestPaymentsMigrate(t *testing.T) {
	t.Parallel()
	dbURL := createDatabase(t, "")
	conn := connect(t, dbURL)
	first, err := postgres.Migrations.ReadFile("migrations/00001_shop.sql")
	if err != nil {
		t.Fatal(err)
	}
	up, _, _ := strings.Cut(string(first), "-- +goose Down")
	const before = `
		CREATE TABLE goose_db_version (id serial PRIMARY KEY, version_id bigint NOT NULL, is_applied boolean NOT NULL,
			tstamp timestamp NOT NULL DEFAULT now());
		INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, true), (1, true);
		INSERT INTO users (email, first_name, last_name, password_hash) VALUES ('ada@example.com', 'Ada', 'L', '');
		INSERT INTO orders (user_id, idempotency_key, status, total_cents, expires_at)
		SELECT 1, i, (ARRAY['pending', 'paid', 'paid', 'refunded', 'canceled', 'pending'])[i], 100, now()
		FROM generate_series(1, 6) i;
		INSERT INTO payments
			(order_id, intent_id, client_secret, amount_cents, currency, status, captured_cents, refunded_cents) VALUES
			(1, 'pi_1', '', 100, 'usd', 'open', 0, 0), (2, 'pi_2', '', 100, 'usd', 'captured', 100, 0),
			(3, 'pi_3', '', 100, 'usd', 'captured', 100, 30), (4, 'pi_4', '', 100, 'usd', 'refunded', 100, 100),
			(5, 'pi_5', '', 100, 'usd', 'refunding', 100, 40), (6, 'pi_6', '', 100, 'usd', 'open', 0, 100);`
	for _, sql := range []string{up, before} {
		if err := conn.PgConn().Exec(t.Context(), sql).Close(); err != nil {
			t.Fatal(err)
		}
	}
	db := open(t, postgres.Config{URL: dbURL, AcquireTimeout: patience})
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	balance := func(refunded int) {
		t.Helper()
		var off bool
		var got int
		err := conn.QueryRow(t.Context(), "SELECT captured <> paid + owed + refunded, refunded FROM money_audit").Scan(&off,
			&got)
		if err != nil || off || got != refunded {
			t.Fatalf("the books are off: %v; refunded %d, want %d; %v", off, got, refunded, err)
		}
	}
	balance(100)
	checks, err := db.DueChecks(t.Context(), 10)
	if err != nil || len(checks) != 6 {
		t.Fatalf("%d payments are asked about, want all: %v", len(checks), err)
	}
	for intent, r := range map[string]shop.Return{
		"pi_3": {ID: "re_3", AmountCents: 30, Status: shop.ReturnSucceeded},
		"pi_4": {ID: "re_4", AmountCents: 100, Status: shop.ReturnSucceeded},
		"pi_5": {ID: "re_5", AmountCents: 40, Status: shop.ReturnSucceeded},
	} {
		if _, err := db.ApplyEvent(t.Context(), shop.Event{
			ID: "asked:" + r.ID, Type: shop.EventRefund, IntentID: intent, Return: r,
		}); err != nil {
			t.Fatal(err)
		}
	}
	balance(170)
}

// TestSeedOnce: what an operator removed stays away, whoever starts next.
func TestSeedOnce(t *testing.T) {
	t.Parallel()
	b := newBackend(t, "")
	for range 2 {
		if err := b.Seed(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.books.Exec(t.Context(), "DELETE FROM products WHERE slug = 'teapot-for-two'"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.books.Exec(t.Context(), "DELETE FROM products"); err != nil {
		t.Fatal(err)
	}
	if err := b.Seed(t.Context()); err != nil {
		t.Fatal(err)
	}
	if page, err := b.Products(t.Context(), shop.ProductQuery{}); err != nil || len(page.Items) != 0 {
		t.Errorf("%d products came back, %v", len(page.Items), err)
	}
}

// TestSeedOfBefore: a database that was seeded before the seeds were recorded is not seeded again.
func TestSeedOfBefore(t *testing.T) {
	t.Parallel()
	template, err := migrated()
	if err != nil {
		t.Fatal(err)
	}
	// which does not migrate by itself yet
	b := open(t, postgres.Config{URL: createDatabase(t, template), AcquireTimeout: patience})
	if err := b.MigrateDown(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if _, err := b.PutProduct(t.Context(), shop.Product{Name: "p", Category: "c"}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Migrate(t.Context()), b.Seed(t.Context())); err != nil {
		t.Fatal(err)
	}
	if page, err := b.Products(t.Context(), shop.ProductQuery{}); err != nil || len(page.Items) != 1 {
		t.Errorf("%d products, %v, want the one that was there", len(page.Items), err)
	}
}

// TestSeedKeeps: seeding again changes nothing that was sold or repriced.
func TestSeedKeeps(t *testing.T) {
	t.Parallel()
	db, _ := openNew(t, "")
	ctx := t.Context()
	if err := db.Seed(ctx); err != nil {
		t.Fatal(err)
	}
	page, err := db.Products(ctx, shop.ProductQuery{Search: "teapot"})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("found %+v, %v", page, err)
	}
	p := page.Items[0]
	if p.ImageURL != "/images/products/teapot-for-two.svg" || p.Category != "Kitchen" || p.Stock == 0 {
		t.Fatalf("seeded %+v", p)
	}
	p.PriceCents, p.Stock = 1, 2
	if _, err := db.PutProduct(ctx, p); err != nil {
		t.Fatal(err)
	}
	if err := db.Seed(ctx); err != nil {
		t.Fatal(err)
	}
	if got, err := db.Product(ctx, p.ID); err != nil || got != p {
		t.Fatalf("after seeding again: %+v, %v, want %+v", got, err, p)
	}
	categories, err := db.Categories(ctx)
	if err != nil || len(categories) != 6 {
		t.Fatalf("categories are %v, %v", categories, err)
	}
}

// TestSearch finds words by their beginnings, and forgives a typing error where pg_trgm may be
// created. Migrations survive where it may not.
func TestSearch(t *testing.T) {
	t.Parallel()
	for _, allowed := range []bool{true, false} {
		t.Run(fmt.Sprintf("pg_trgm allowed %v", allowed), func(t *testing.T) {
			t.Parallel()
			dbURL := createDatabase(t, "")
			typo := 1
			if !allowed {
				forbidExtensions(t, dbURL)
				typo = 0
			}
			db := open(t, postgres.Config{URL: dbURL, AcquireTimeout: patience})
			if err := db.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := db.Seed(t.Context()); err != nil {
				t.Fatal(err)
			}
			var available bool
			err := connect(t, dbURL).QueryRow(t.Context(),
				"SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm')").Scan(&available)
			if err != nil {
				t.Fatal(err)
			}
			if allowed && !available {
				t.Skip("this PostgreSQL comes without pg_trgm; install its contrib modules")
			}
			for search, want := range map[string]int{
				"keyboard": 2, "keyb": 2, "mechanic keyb": 1, "keybord": typo, "zzzzzz": 0,
			} {
				page, err := db.Products(t.Context(), shop.ProductQuery{Search: search})
				if err != nil || len(page.Items) < want || want == 0 && len(page.Items) > 0 {
					t.Errorf("%q finds %d products, want %d (%v)", search, len(page.Items), want, err)
				}
			}
		})
	}
}

// forbidExtensions makes the database somebody else's, as a careful administrator may: its role can
// make tables, but no extensions.
func forbidExtensions(t *testing.T, dbURL string) {
	t.Helper()
	u, err := url.Parse(dbURL)
	if err != nil {
		t.Fatal(err)
	}
	role, name := u.User.Username(), strings.TrimPrefix(u.Path, "/")
	admin, err := url.Parse(server.AdminURL())
	if err != nil {
		t.Fatal(err)
	}
	admin.Path = u.Path
	sql := fmt.Sprintf("ALTER DATABASE %s OWNER TO %s; GRANT ALL ON SCHEMA public TO %s", name, admin.User.Username(),
		role)
	if err := connect(t, admin.String()).PgConn().Exec(t.Context(), sql).Close(); err != nil {
		t.Fatal(err)
	}
}
