package findings

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"shoplab/lab/backing"
	"shoplab/lab/result"
	"shoplab/lab/stats"
)

const (
	indexRows       = 500_000
	indexCategories = 50
	indexQueries    = 20 // in one repeat
)

// index: looking an account up by its email, and a category's page, without and with an index.
func (r *runner) index(ctx context.Context) (f result.Finding, err error) {
	f = result.Finding{
		Claim: "Indexes on users.email and products.category: from 150 ms to 12 ms.",
		Knob:  "index",
	}
	r.plan.Say("starting PostgreSQL")
	pg, err := backing.StartPostgres(ctx, backing.PostgresOptions{Durable: true})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, pg.Stop()) }()
	conn, err := pgx.Connect(ctx, pg.URL())
	if err != nil {
		return f, fmt.Errorf("connect: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	r.plan.Say(fmt.Sprintf("writing %d accounts and %d products", indexRows, indexRows))
	if err := fill(ctx, conn); err != nil {
		return f, err
	}
	queries := []struct{ name, sql, create, drop string }{
		{
			"account by email", `SELECT id, password_hash FROM users WHERE email = $1`,
			`CREATE INDEX users_email ON users (email)`, `DROP INDEX users_email`,
		},
		{
			fmt.Sprintf("a category's newest 20 of %d products", indexRows/indexCategories),
			`SELECT id, name, price_cents FROM products WHERE category = $1 ORDER BY created_at DESC, id DESC LIMIT 20`,
			`CREATE INDEX products_category ON products (category)`, `DROP INDEX products_category`,
		},
	}
	for i, q := range queries {
		before, after := result.Case{Label: "without an index"}, result.Case{Label: "with an index"}
		arg := func(rng *rand.Rand) string {
			if i == 0 {
				return fmt.Sprintf("shopper%d@example.com", 1+rng.IntN(indexRows))
			}
			return fmt.Sprintf("category-%d", rng.IntN(indexCategories))
		}
		for n := range r.plan.Repeats {
			r.plan.Say(fmt.Sprintf("%s, repeat %d of %d", q.name, n+1, r.plan.Repeats))
			if err := r.indexRepeat(ctx, conn, q.sql, q.create, q.drop, arg, &before, &after); err != nil {
				return f, fmt.Errorf("%s: %w", q.name, err)
			}
		}
		before.Median, after.Median = result.Ptr(stats.Median(before.Raw)), result.Ptr(stats.Median(after.Raw))
		f.Comparisons = append(f.Comparisons, result.Comparison{
			Measure: q.name + ", median of each repeat", Unit: "ms", LowerIsBetter: true, Before: before, After: after,
			Ratio: ratio(before, after), ClaimedRatio: result.Ptr(12.0 / 150),
		})
	}
	email, category := f.Comparisons[0], f.Comparisons[1]
	f.Status = byRatio(email.Ratio, 12.0/150)
	if s := byRatio(category.Ratio, 12.0/150); s != f.Status && f.Status == result.FindingReproduced {
		f.Status = result.FindingWeaker // one of the two claimed indexes helps less
	}
	f.Conclusion = fmt.Sprintf("On %d rows: by email %.2f to %.2f ms, by category %.2f to %.2f ms; claimed 150 to 12.",
		indexRows, *email.Before.Median, *email.After.Median, *category.Before.Median, *category.After.Median)
	f.Notes = []string{
		"one client on a warm cache, no parallel workers; the times are the query's, not a request's",
		fmt.Sprintf("%d categories; the index is on category alone, as in the original", indexCategories),
	}
	return f, nil
}

// indexRepeat measures a query without and with its index, and drops the index again.
func (r *runner) indexRepeat(ctx context.Context, conn *pgx.Conn, sql, create, drop string, arg func(*rand.Rand) string,
	before, after *result.Case,
) error {
	for _, side := range []struct {
		prepare string
		into    *result.Case
	}{{"SELECT 1", before}, {create, after}} {
		if _, err := conn.Exec(ctx, side.prepare); err != nil {
			return err
		}
		ms, err := timeQueries(ctx, conn, sql, arg)
		if err != nil {
			return err
		}
		side.into.Raw = append(side.into.Raw, ms)
	}
	_, err := conn.Exec(ctx, drop)
	return err
}

// timeQueries is the median time of a query in milliseconds, the first two not counted.
func timeQueries(ctx context.Context, conn *pgx.Conn, sql string, arg func(*rand.Rand) string) (float64, error) {
	rng := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // the same questions on both sides
	var all []float64
	for i := range indexQueries + 2 {
		began := time.Now()
		rows, err := conn.Query(ctx, sql, arg(rng))
		if err != nil {
			return 0, err
		}
		n := 0
		for rows.Next() {
			n++
		}
		if err := rows.Err(); err != nil {
			return 0, err
		}
		if n == 0 {
			return 0, errors.New("the query found nothing")
		}
		if i >= 2 {
			all = append(all, float64(time.Since(began))/float64(time.Millisecond))
		}
	}
	slices.Sort(all)
	return stats.Percentile(all, .5), nil
}

// fill writes the two tables, in the columns that the queries need.
func fill(ctx context.Context, conn *pgx.Conn) error {
	for _, sql := range []string{
		`SET max_parallel_workers_per_gather = 0`,
		`CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL, first_name text NOT NULL,
			last_name text NOT NULL, password_hash text NOT NULL)`,
		`CREATE TABLE products (id bigint PRIMARY KEY, name text NOT NULL, description text NOT NULL, category text NOT NULL,
			price_cents bigint NOT NULL, created_at timestamptz NOT NULL)`,
		fmt.Sprintf(`INSERT INTO users SELECT i, 'shopper' || i || '@example.com', 'First' || i, 'Last' || i,
			repeat('x', 90) FROM generate_series(1, %d) i`, indexRows),
		fmt.Sprintf(`INSERT INTO products SELECT i, 'Product ' || i, repeat('Words of a description. ', 5),
			'category-' || i %% %d, 100 + i %% 9900,
			now() - i * interval '1 second' FROM generate_series(1, %d) i`, indexCategories, indexRows),
		`ANALYZE users`, `ANALYZE products`,
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("fill the tables: %w", err)
		}
	}
	return nil
}
