package postgres_test

import (
	"testing"

	"shoplab/service/shoptest"
)

// TestContract runs the contract suites on PostgreSQL, with prepared statements and in the mode that
// a pooler without them asks for.
func TestContract(t *testing.T) {
	for name, params := range map[string]string{
		"prepared": "",
		"exec":     "&default_query_exec_mode=exec",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newStore := func(t *testing.T) shoptest.Backend { return newBackend(t, params) }
			t.Run("Catalog", func(t *testing.T) { shoptest.TestCatalog(t, newStore) })
			t.Run("Accounts", func(t *testing.T) { shoptest.TestAccounts(t, newStore) })
			t.Run("Sessions", func(t *testing.T) { shoptest.TestSessions(t, newStore) })
			t.Run("Carts", func(t *testing.T) { shoptest.TestCarts(t, newStore) })
			t.Run("Orders", func(t *testing.T) { shoptest.TestOrders(t, newStore) })
			t.Run("Holds", func(t *testing.T) { shoptest.TestHolds(t, newStore) })
			t.Run("Payments", func(t *testing.T) { shoptest.TestPayments(t, newStore) })
		})
	}
}
