package postgres_test

import (
	"testing"
	"time"

	"shoplab/service/shoptest"
)

// postgresPatience is how long tests wait for a connection of the pool: hundreds of them ask at once
// on a busy machine.
const postgresPatience = time.Minute

// TestContract runs the contract suites on PostgreSQL, as it is and in the modes that a pooler asks for.
func TestContract(t *testing.T) {
	for name, params := range map[string]string{
		"prepared":       "",
		"exec":           "&default_query_exec_mode=exec",
		"simple":         "&default_query_exec_mode=simple_protocol",
		"cache describe": "&default_query_exec_mode=cache_describe",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newStore := func(t *testing.T) shoptest.Backend {
				db, url := openNew(t, params)
				return backend{db, url}
			}
			t.Run("Catalog", func(t *testing.T) { shoptest.TestCatalog(t, newStore) })
			t.Run("Accounts", func(t *testing.T) { shoptest.TestAccounts(t, newStore) })
			t.Run("Carts", func(t *testing.T) { shoptest.TestCarts(t, newStore) })
			t.Run("Orders", func(t *testing.T) { shoptest.TestOrders(t, newStore) })
			t.Run("Payments", func(t *testing.T) { shoptest.TestPayments(t, newStore) })
		})
	}
}
