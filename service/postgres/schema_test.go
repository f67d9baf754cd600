package postgres_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"shoplab/exectest"
	"shoplab/service/postgres"
	"shoplab/service/shop"
)

// emptied is what becomes of a database that is replaced by an empty one.
const emptied = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"

// TestSchemaLost takes the schema away from a shop that runs, as an emptied, a replaced and a restored database do:
// the instance notices, says so, and migrates and seeds it again.
func TestSchemaLost(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]string{
		"emptied":              emptied,
		"restored from before": "", // by a migration down, below
		"without a record":     "DROP TABLE goose_db_version; " + emptied,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, log, url := openLogged(t)
			if lose != "" {
				execute(t, url, lose)
			} else if err := open(t, postgres.Config{URL: url}).MigrateDown(t.Context(), 2); err != nil {
				t.Fatal(err)
			}
			await(t, "the loss is said", func() bool { return strings.Contains(log.String(), "database lost") })
			await(t, "the schema is back", func() bool { return db.Ready(t.Context()) == nil })
			if page, err := db.Products(t.Context(), shop.ProductQuery{}); err != nil || len(page.Items) == 0 {
				t.Errorf("%d products, %v", len(page.Items), err)
			}
		})
	}
}

// TestSchemaBeyondRepair: a database that says it is up to date and lacks a table keeps the instance out, for each
// table of the schema.
func TestSchemaBeyondRepair(t *testing.T) {
	t.Parallel()
	_, url := openNew(t, "")
	rows, err := connect(t, url).Query(t.Context(), `
		SELECT table_name::text FROM information_schema.tables
		WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`)
	if err != nil {
		t.Fatal(err)
	}
	var tables []string
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
	}
	if err := rows.Err(); err != nil || len(tables) < 10 {
		t.Fatalf("%d tables, %v", len(tables), err)
	}
	for _, table := range tables {
		if !strings.Contains(postgres.SchemaVersion, table) {
			t.Errorf("nobody looks for the table %s", table)
		}
	}

	db, log, url := openLogged(t)
	execute(t, url, "DROP TABLE sessions")
	await(t, "the loss is noticed", func() bool { return db.Ready(t.Context()) != nil })
	if _, err := db.Session(t.Context(), "x"); shop.CodeOf(err) != shop.CodeOverloaded {
		t.Errorf("without its table: %v", err)
	}
	if !strings.Contains(log.String(), "lacks a table") {
		t.Errorf("the log says:\n%s", log)
	}
}

// TestSchemaNewer: a newer instance has migrated, as in every rolling deployment; the older one serves on.
func TestSchemaNewer(t *testing.T) {
	t.Parallel()
	db, log, url := openLogged(t)
	execute(t, url, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)")
	await(t, "it is said", func() bool { return strings.Contains(log.String(), "newer than this instance") })
	if err := db.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

// openLogged returns a migrated and seeded database, its log and its URL.
func openLogged(t *testing.T) (*postgres.DB, *exectest.Output, string) {
	t.Helper()
	url, log := createDatabase(t, ""), &exectest.Output{}
	db := open(t, postgres.Config{URL: url, AcquireTimeout: patience, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.Seed(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db, log, url
}

// execute runs statements without parameters beside the pool.
func execute(t *testing.T, url, sql string) {
	t.Helper()
	if err := connect(t, url).PgConn().Exec(t.Context(), sql).Close(); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", sql, err))
	}
}
