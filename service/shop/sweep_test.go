package shop_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shoplab/service/shop"
	"shoplab/service/shoptest"
)

func TestSweepExpiresOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTill(t)
		const due = 70 // more than one batch
		for range due {
			l.started(t, time.Minute)
		}
		kept := l.started(t, time.Hour)
		ctx, stop := context.WithCancel(t.Context())
		var sweeping sync.WaitGroup
		for range 3 {
			sweeping.Go(func() { l.another().Sweep(ctx) })
		}
		time.Sleep(time.Minute + 10*time.Second)
		synctest.Wait()
		if got := l.observed(shop.ObservedOrderExpired); got != due {
			t.Errorf("%d orders expired, want %d", got, due)
		}
		if len(l.gateway.canceled) != due {
			t.Errorf("%d intents canceled, want %d", len(l.gateway.canceled), due)
		}
		if l.status(t, kept) != shop.OrderPending {
			t.Errorf("the order that is not due is %s", l.status(t, kept))
		}
		stop()
		sweeping.Wait()
	})
}

// TestSweepRefundsLatePayments pays orders that are canceled or expired while the gateway is down.
func TestSweepRefundsLatePayments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTill(t)
		ctx, stop := context.WithCancel(t.Context())
		var sweeping sync.WaitGroup
		sweeping.Go(func() { l.Sweep(ctx) })
		for range 3 {
			sweeping.Go(func() { l.another().Sweep(ctx) })
		}
		canceled, expired := l.started(t, time.Hour), l.started(t, time.Second)
		if _, err := l.Cancel(t.Context(), 1, canceled.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		l.gateway.fail(errors.New("connection refused"))
		l.pays(t, canceled, 1000, shop.OutcomeRefund)
		l.pays(t, expired, 1000, shop.OutcomeRefund)
		synctest.Wait()
		if got := l.observed(shop.ObservedRefundFailed); got != 2 {
			t.Errorf("%d refunds were tried at once, want 2", got)
		}
		l.gateway.fail(nil)
		time.Sleep(2 * time.Minute) // the lease, then a sweep
		synctest.Wait()
		for _, o := range []shop.Order{canceled, expired} {
			if n := l.gateway.refunds(o); n != 1 {
				t.Errorf("order %d was refunded %d times", o.ID, n)
			}
		}
		if got := l.observed(shop.ObservedRefundSettled); got != 2 {
			t.Errorf("%d refunds settled, want 2", got)
		}
		if l.status(t, canceled) != shop.OrderCanceled || l.status(t, expired) != shop.OrderExpired {
			t.Errorf("orders are %s and %s", l.status(t, canceled), l.status(t, expired))
		}
		money, err := l.store.MoneyAudit(t.Context())
		if err != nil || money != (shoptest.MoneyAudit{Captured: 2000, Refunded: 2000}) {
			t.Errorf("money = %+v, %v", money, err)
		}
		stop()
		sweeping.Wait()
	})
}

// TestSweepAfterACrash loses an instance between the capture and the refund: it claimed the refund
// and is never heard of again.
func TestSweepAfterACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTill(t)
		o := l.started(t, time.Hour)
		if _, err := l.Cancel(t.Context(), 1, o.ID); err != nil {
			t.Fatal(err)
		}
		l.pays(t, o, 1000, shop.OutcomeRefund)
		if due, err := l.store.DueRefunds(t.Context(), 10, time.Minute); err != nil || len(due) != 1 {
			t.Fatalf("due = %v, %v", due, err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var sweeping sync.WaitGroup
		sweeping.Go(func() { l.another().Sweep(ctx) })
		time.Sleep(50 * time.Second)
		if n := l.gateway.refunds(o); n != 0 {
			t.Errorf("%d refunds while another instance held the claim", n)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if n := l.gateway.refunds(o); n != 1 {
			t.Errorf("refunded %d times, want once", n)
		}
		stop()
		sweeping.Wait()
	})
}

// TestSweepWithAHungGateway expires orders while the gateway does not answer: what nobody began to pay
// comes back to stock at once, and what may have been paid after the grace.
func TestSweepWithAHungGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTill(t)
		owed := l.started(t, time.Hour)
		l.pays(t, owed, 1, shop.OutcomeRefund)
		const unpaid, begun = 60, 30 // the first are more than one batch
		for range unpaid {
			l.order(t, time.Second)
		}
		for range begun {
			l.started(t, time.Second)
		}
		l.Gateway = hung{l.gateway}
		time.Sleep(time.Second)
		ctx, stop := context.WithCancel(t.Context())
		var sweeping sync.WaitGroup
		sweeping.Go(func() { l.Sweep(ctx) })
		inStock := func(want int) {
			t.Helper()
			if p, err := l.store.Product(t.Context(), l.product.ID); err != nil || p.Stock != want {
				t.Errorf("stock is %d, %v, want %d", p.Stock, err, want)
			}
		}
		time.Sleep(time.Millisecond)
		inStock(100 - 1 - begun)
		late := l.order(t, time.Second)
		time.Sleep(20 * time.Second)
		if l.status(t, late) != shop.OrderExpired {
			t.Errorf("an order that came due meanwhile is %s", l.status(t, late))
		}
		time.Sleep(50 * time.Second)
		inStock(100 - 1)
		if l.observed(shop.ObservedOrderExpired) != unpaid+begun+1 || l.observed(shop.ObservedRefundFailed) == 0 ||
			l.observed(shop.ObservedCheckFailed) == 0 {
			t.Errorf("observed %v", l.seen)
		}
		stop()
		sweeping.Wait()
	})
}

// hung is a gateway that does not answer any more.
type hung struct{ shop.Gateway }

func (hung) Intent(ctx context.Context, _ string) ([]shop.Event, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (h hung) CancelIntent(ctx context.Context, id string) ([]shop.Event, error) {
	return h.Intent(ctx, id)
}

func (hung) RefundIntent(ctx context.Context, _ shop.Refund) (shop.Return, error) {
	<-ctx.Done()
	return shop.Return{}, ctx.Err()
}

func TestSweepOutlivesTheDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTill(t)
		o := l.order(t, time.Second)
		l.store.SetError(errors.New("database is gone"))
		ctx, stop := context.WithCancel(t.Context())
		var sweeping sync.WaitGroup
		sweeping.Go(func() { l.Sweep(ctx) })
		time.Sleep(time.Minute)
		if l.observed(shop.ObservedSweepFailed) == 0 {
			t.Error("a failed sweep was not observed")
		}
		l.store.SetError(nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if l.status(t, o) != shop.OrderExpired {
			t.Errorf("order is %s", l.status(t, o))
		}
		stop()
		sweeping.Wait()
	})
}
