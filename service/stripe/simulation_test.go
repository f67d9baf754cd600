package stripe

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shoplab/service/shop"
	"shoplab/service/shoptest"
)

// house is a shop on an in-memory store whose payments are simulated.
type house struct {
	*shop.Cashier
	sim   *Simulation
	store *shoptest.Store
	mug   shop.Product
}

// newHouse must be called in a synctest bubble; it closes itself.
func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{store: shoptest.NewStore()}
	log := slog.New(slog.DiscardHandler)
	h.sim = NewSimulation(testSecret, func(ctx context.Context, body []byte, signature string) error {
		_, err := h.Webhook(ctx, body, signature)
		return err
	}, log)
	h.Cashier = shop.NewCashier(h.store, h.store, h.sim)
	h.Log = log
	var err error
	if h.mug, err = h.store.PutProduct(t.Context(), shop.Product{
		Name: "Mug", Category: "Kitchen", PriceCents: 2500, Stock: 10,
	}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var sweeping sync.WaitGroup
	sweeping.Go(func() { h.Sweep(ctx) })
	t.Cleanup(func() {
		stop()
		sweeping.Wait()
		if err := h.sim.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// begun places an order of user 1 and starts its payment.
func (h *house) begun(t *testing.T) (shop.Order, shop.Payment) {
	t.Helper()
	if _, err := h.store.AddItem(t.Context(), shop.Owner{UserID: 1}, h.mug.ID, 2); err != nil {
		t.Fatal(err)
	}
	o, _, err := h.store.PlaceOrder(t.Context(), shop.OrderRequest{UserID: 1, Key: rand.Text(), TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.StartPayment(t.Context(), 1, o.ID)
	if err != nil {
		t.Fatal(err)
	}
	return o, p
}

// simulate brings an outcome about and waits until all that follows is done.
func (h *house) simulate(t *testing.T, p shop.Payment, outcome string) {
	t.Helper()
	if err := h.sim.Simulate(t.Context(), p.ClientSecret, outcome); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func (h *house) mustBe(t *testing.T, o shop.Order, status shop.OrderStatus, money shoptest.MoneyAudit) {
	t.Helper()
	o, err := h.store.Order(t.Context(), 1, o.ID)
	if err != nil || o.Status != status {
		t.Errorf("order is %s, %v, want %s", o.Status, err, status)
	}
	if got, err := h.store.MoneyAudit(t.Context()); err != nil || got != money {
		t.Errorf("money = %+v, %v, want %+v", got, err, money)
	}
}

func TestSimulatedPayments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		o, p := h.begun(t)
		h.simulate(t, p, SimulateFailed)
		h.simulate(t, p, SimulateFailed)
		h.mustBe(t, o, shop.OrderPending, shoptest.MoneyAudit{})
		h.simulate(t, p, SimulateSucceeded)
		h.mustBe(t, o, shop.OrderPaid, shoptest.MoneyAudit{Captured: 5000, Paid: 5000})
		h.simulate(t, p, SimulateSucceeded)
		h.simulate(t, p, SimulateFailed)
		h.mustBe(t, o, shop.OrderPaid, shoptest.MoneyAudit{Captured: 5000, Paid: 5000})
	})
}

func TestSimulatedLatePaymentIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		o, p := h.begun(t)
		if _, err := h.Cancel(t.Context(), 1, o.ID); err != nil {
			t.Fatal(err)
		}
		h.simulate(t, p, SimulateSucceeded)
		h.mustBe(t, o, shop.OrderCanceled, shoptest.MoneyAudit{Captured: 5000, Refunded: 5000})
	})
}

// TestAnyInstanceSimulates has an intent made by one instance paid at another, as behind a balancer.
func TestAnyInstanceSimulates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		other := NewSimulation(testSecret, h.sim.deliver, nil)
		o, p := h.begun(t)
		if err := other.Simulate(t.Context(), p.ClientSecret, SimulateSucceeded); err != nil {
			t.Fatal(err)
		}
		if err := other.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.mustBe(t, o, shop.OrderPaid, shoptest.MoneyAudit{Captured: 5000, Paid: 5000})
	})
}

func TestSimulateRefuses(t *testing.T) {
	s := NewSimulation(testSecret, func(context.Context, []byte, string) error { t.Error("delivered"); return nil }, nil)
	good, _ := s.CreateIntent(t.Context(), testOrder)
	foreign := NewSimulation("whsec_other", s.deliver, nil)
	bad, _ := foreign.CreateIntent(t.Context(), testOrder)
	tests := []struct {
		name, secret, outcome string
		code                  shop.Code
	}{
		{"empty", "", SimulateSucceeded, shop.CodeNotFound},
		{"an intent's id", good.IntentID, SimulateSucceeded, shop.CodeNotFound},
		{"signed by another", bad.ClientSecret, SimulateSucceeded, shop.CodeNotFound},
		{"of a lower amount", strings.Replace(good.ClientSecret, "4999", "1", 1), SimulateSucceeded, shop.CodeNotFound},
		{"of Stripe's", "pi_1PgafyB7WZ01zgkWSjxsAJo3_secret_Dm43xiq1k0", SimulateSucceeded, shop.CodeNotFound},
		{"unknown outcome", good.ClientSecret, "won", shop.CodeInvalid},
	}
	for _, tt := range tests {
		if err := s.Simulate(t.Context(), tt.secret, tt.outcome); shop.CodeOf(err) != tt.code {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.code)
		}
	}
	if err := errors.Join(s.Close(t.Context()), foreign.Close(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestSimulationDrainsWhenClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		delivered := 0
		s := NewSimulation(testSecret, func(context.Context, []byte, string) error {
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			delivered++
			return nil
		}, nil)
		p, _ := s.CreateIntent(t.Context(), testOrder)
		taken := 0
		var full error
		for full == nil {
			if full = s.Simulate(t.Context(), p.ClientSecret, SimulateFailed); full == nil {
				taken++
			}
		}
		if shop.CodeOf(full) != shop.CodeOverloaded || taken < simulationQueue {
			t.Errorf("%d events were taken, then %v", taken, full)
		}
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Close(soon); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("close with little time = %v", err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if delivered != taken {
			t.Errorf("%d of %d events were delivered", delivered, taken)
		}
		if err := s.Simulate(t.Context(), p.ClientSecret, SimulateSucceeded); shop.CodeOf(err) != shop.CodeOverloaded {
			t.Errorf("after close: %v", err)
		}
	})
}

func TestSimulationDeliversAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var attempts []string
		until := 3
		s := NewSimulation(testSecret, func(_ context.Context, body []byte, signature string) error {
			attempts = append(attempts, signature)
			if _, err := parseEvent(body, signature, testSecret, false, slog.Default()); err != nil {
				t.Error(err)
			}
			if len(attempts) < until {
				return errors.New("database is gone")
			}
			return nil
		}, slog.New(slog.NewTextHandler(&log, nil)))
		p, _ := s.CreateIntent(t.Context(), testOrder)
		for _, want := range []int{3, deliveryAttempts} {
			if err := s.Simulate(t.Context(), p.ClientSecret, SimulateSucceeded); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if len(attempts) != want {
				t.Errorf("%d attempts, want %d", len(attempts), want)
			}
			attempts, until = nil, 100
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if !strings.Contains(log.String(), "is lost") {
			t.Errorf("a lost event was not logged: %s", log.String())
		}
	})
}
