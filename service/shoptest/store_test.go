package shoptest_test

import (
	"testing"

	"shoplab/service/shoptest"
)

func newStore(*testing.T) shoptest.Backend { return shoptest.NewStore() }

func TestCatalog(t *testing.T)  { shoptest.TestCatalog(t, newStore) }
func TestAccounts(t *testing.T) { shoptest.TestAccounts(t, newStore) }
func TestSessions(t *testing.T) { shoptest.TestSessions(t, newStore) }
func TestCarts(t *testing.T)    { shoptest.TestCarts(t, newStore) }
func TestOrders(t *testing.T)   { shoptest.TestOrders(t, newStore) }
func TestHolds(t *testing.T)    { shoptest.TestHolds(t, newStore) }
func TestPayments(t *testing.T) { shoptest.TestPayments(t, newStore) }
