package postgres_test

import (
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
			err := connect(t, dbURL).QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm')").Scan(&available)
			if err != nil {
				t.Fatal(err)
			}
			if allowed && !available {
				t.Skip("this PostgreSQL comes without pg_trgm; install its contrib modules")
			}
			for search, want := range map[string]int{"keyboard": 2, "keyb": 2, "mechanic keyb": 1, "keybord": typo, "zzzzzz": 0} {
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
	sql := fmt.Sprintf("ALTER DATABASE %s OWNER TO %s; GRANT ALL ON SCHEMA public TO %s", name, admin.User.Username(), role)
	if err := connect(t, admin.String()).PgConn().Exec(t.Context(), sql).Close(); err != nil {
		t.Fatal(err)
	}
}
