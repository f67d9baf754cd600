package shop_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shoplab/service/shop"
	"shoplab/service/shoptest"
)

// succeeded is what the gateway knows of an intent that was paid just now.
func succeeded(o shop.Order) shop.Event {
	return shop.Event{
		Type: shop.EventSucceeded, IntentID: intentOf(o.ID), AmountCents: o.TotalCents, Currency: shop.Currency,
		CreatedAt: time.Now(),
	}
}

// logged makes the till's first cashier log into a buffer.
func (l *till) logged() *bytes.Buffer {
	var log bytes.Buffer
	l.Log = slog.New(slog.NewTextHandler(&log, nil))
	return &log
}

// sweep runs the cashier's sweeps until the test ends.
func (l *till) sweep(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var sweeping sync.WaitGroup
	sweeping.Go(func() { l.Sweep(ctx) })
	return func() { cancel(); sweeping.Wait() }
}

// TestPaidWithoutAWebhook pays orders of which no webhook ever tells: the shopper gets what was paid
// for, whatever comes next, a check, a cancellation, or the expiry.
func TestPaidWithoutAWebhook(t *testing.T) {
	for name, webhooks := range map[string]bool{"that should come": true, "that nobody expects": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newTill(t)
				log := l.logged()
				l.Webhooks = webhooks
				checked, canceled, expired := l.started(t, time.Hour), l.started(t, time.Hour), l.started(t, 11*time.Second)
				unpaid := l.started(t, time.Second)
				for _, o := range []shop.Order{checked, canceled, expired} {
					l.gateway.happens(succeeded(o))
				}
				time.Sleep(11 * time.Second)
				if _, err := l.Cancel(t.Context(), 1, canceled.ID); shop.CodeOf(err) != shop.CodeOrderNotPending ||
					!strings.Contains(err.Error(), "paid") {
					t.Errorf("canceling a paid order: %v", err)
				}
				defer l.sweep(t)()
				time.Sleep(30 * time.Second)
				for _, o := range []shop.Order{checked, canceled, expired} {
					if got := l.status(t, o); got != shop.OrderPaid {
						t.Errorf("order %d is %s, want paid", o.ID, got)
					}
				}
				if got := l.status(t, unpaid); got != shop.OrderExpired {
					t.Errorf("the unpaid order is %s", got)
				}
				money, err := l.store.MoneyAudit(t.Context())
				if want := (shoptest.MoneyAudit{Captured: 3000, Paid: 3000}); err != nil || money != want {
					t.Errorf("money = %+v, %v, want %+v", money, err, want)
				}
				missed := 0
				if webhooks {
					missed = 3
				}
				if l.observed(shop.ObservedPaymentFound) != 3 || l.observed(shop.ObservedWebhookMissed) != missed {
					t.Errorf("observed %v", l.seen)
				}
				if got := strings.Count(log.String(), "level=ERROR msg=\""+shop.Alarm+"no webhook told"); got != missed {
					t.Errorf("%d errors are logged, want %d: %s", got, missed, log)
				}
			})
		})
	}
}

// TestNewsIsLeftToItsWebhook: an answer that is as new as the webhook would be is no alarm, but the
// webhook is not waited for long.
func TestNewsIsLeftToItsWebhook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTill(t)
		l.Webhooks, l.Polls = true, true
		defer l.sweep(t)()
		prompt, never := l.started(t, time.Hour), l.started(t, time.Hour)
		time.Sleep(9 * time.Minute) // by now checks are minutes apart
		for _, o := range []shop.Order{prompt, never} {
			l.gateway.happens(succeeded(o))
			l.CheckSoon(t.Context(), o) // the shopper comes back to the order's page
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := l.status(t, never); got != shop.OrderPending {
			t.Errorf("the webhook was not waited for: %s", got)
		}
		l.pays(t, prompt, 1000, shop.OutcomePaid)
		time.Sleep(18 * time.Second)
		if got := l.status(t, never); got != shop.OrderPaid {
			t.Errorf("20 s after its payment the order is %s", got)
		}
		if l.observed(shop.ObservedPaymentFound) != 1 || l.observed(shop.ObservedWebhookMissed) != 1 {
			t.Errorf("observed %v", l.seen)
		}
	})
}

// TestCheckSoon: who looks at an unpaid order has its payment found at once where no webhook comes, and
// the gateway is asked every five seconds at most.
func TestCheckSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTill(t)
		l.Polls = true
		defer l.sweep(t)()
		o := l.started(t, time.Hour)
		time.Sleep(9 * time.Minute)
		before := l.gateway.questions()
		for range 200 {
			l.CheckSoon(t.Context(), o)
			time.Sleep(100 * time.Millisecond)
		}
		if n := l.gateway.questions() - before; n < 3 || n > 5 {
			t.Errorf("the gateway was asked %d times in 20 s", n)
		}
		l.gateway.happens(succeeded(o))
		for range 60 { // a shopper who goes on looking sees it within five seconds, and a little
			l.CheckSoon(t.Context(), o)
			time.Sleep(100 * time.Millisecond)
		}
		if got := l.status(t, o); got != shop.OrderPaid {
			t.Errorf("the order is %s", got)
		}
		asked := l.gateway.questions()
		o.Status = shop.OrderPaid
		l.CheckSoon(t.Context(), o)
		synctest.Wait()
		if l.gateway.questions() != asked {
			t.Error("the gateway was asked about an order that is paid")
		}
	})
}

// TestSweepChecksAreSpread: who never comes back is asked about less and less often, by many instances
// as by one, and not at all when the intent is canceled.
func TestSweepChecksAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTill(t)
		l.started(t, 15*time.Minute)
		ctx, stop := context.WithCancel(t.Context())
		var sweeping sync.WaitGroup
		for range 4 {
			sweeping.Go(func() { l.another().Sweep(ctx) })
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := l.gateway.questions(); n < 8 || n > 16 {
			t.Errorf("the gateway was asked %d times", n)
		}
		if len(l.gateway.canceled) != 1 {
			t.Errorf("canceled %v", l.gateway.canceled)
		}
		stop()
		sweeping.Wait()
	})
}

// TestRefundIsSettledWhenItSucceeded: accepted is not given back, and a refund that fails later is owed
// again and tried again.
func TestRefundIsSettledWhenItSucceeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTill(t)
		log := l.logged()
		o := l.started(t, time.Hour)
		if _, err := l.Cancel(t.Context(), 1, o.ID); err != nil {
			t.Fatal(err)
		}
		l.gateway.refund = shop.ReturnPending
		l.pays(t, o, 1000, shop.OutcomeRefund)
		defer l.sweep(t)()
		time.Sleep(10 * time.Minute)
		money, _ := l.store.MoneyAudit(t.Context())
		if l.gateway.refunds(o) != 1 || l.observed(shop.ObservedRefundSettled) != 0 || money.Owed != 1000 {
			t.Errorf("%d refunds, observed %v, money %+v", l.gateway.refunds(o), l.seen, money)
		}
		l.gateway.refund = shop.ReturnSucceeded
		failed := shop.Return{ID: "re_" + intentOf(o.ID) + "_0", AmountCents: 1000, Status: shop.ReturnFailed}
		l.gateway.happens(shop.Event{Type: shop.EventRefund, IntentID: intentOf(o.ID), Return: failed})
		got, err := l.Webhook(t.Context(), fmt.Appendf(nil, "%s %s 0", shop.EventChargeRefunded, intentOf(o.ID)), "good")
		if err != nil || got != shop.OutcomeRefundFailed {
			t.Errorf("webhook = %q, %v", got, err)
		}
		time.Sleep(5 * time.Minute)
		if money, _ = l.store.MoneyAudit(t.Context()); money != (shoptest.MoneyAudit{Captured: 1000, Refunded: 1000}) {
			t.Errorf("money = %+v", money)
		}
		if l.gateway.refunds(o) != 2 || l.observed("payment_refund_failed") != 1 ||
			!strings.Contains(log.String(), shop.Alarm+"a refund did not reach") {
			t.Errorf("%d refunds, observed %v, log %s", l.gateway.refunds(o), l.seen, log)
		}
	})
}

func TestWebhookRefusesWhatIsNotOurs(t *testing.T) {
	l := newTill(t)
	log := l.logged()
	stranger := fmt.Appendf(nil, "%s pi_stranger 1000", shop.EventSucceeded)
	for range 2 {
		if _, err := l.Webhook(t.Context(), stranger, "good"); shop.CodeOf(err) != shop.CodeEventRefused {
			t.Errorf("a payment of nobody's: %v", err)
		}
	}
	if l.observed(shop.ObservedPaymentRefused) != 2 || !strings.Contains(log.String(), shop.Alarm) {
		t.Errorf("observed %v, log %s", l.seen, log)
	}
	for _, kind := range []shop.EventType{
		shop.EventFailed, shop.EventCanceled, shop.EventRefund, shop.EventDispute, shop.EventChargeRefunded,
	} {
		if _, err := l.Webhook(t.Context(), fmt.Appendf(nil, "%s pi_stranger 1000", kind), "good"); err != nil {
			t.Errorf("%s of another's: %v", kind, err)
		}
	}
}

// TestChargeRefundedIsAskedAbout: the event does not say which refund, so that the gateway is asked, and
// when it does not answer the webhook has to come again.
func TestChargeRefundedIsAskedAbout(t *testing.T) {
	l := newTill(t)
	o := l.started(t, time.Hour)
	l.pays(t, o, 1000, shop.OutcomePaid)
	l.gateway.happens(shop.Event{
		Type: shop.EventRefund, IntentID: intentOf(o.ID),
		Return: shop.Return{ID: "re_1", AmountCents: 300, Status: shop.ReturnSucceeded},
	})
	body := fmt.Appendf(nil, "%s %s 0", shop.EventChargeRefunded, intentOf(o.ID))
	l.gateway.fail(errors.New("connection refused"))
	if _, err := l.Webhook(t.Context(), body, "good"); err == nil {
		t.Error("an event that could not be asked about was acknowledged")
	}
	l.gateway.fail(nil)
	if got, err := l.Webhook(t.Context(), body, "good"); err != nil || got != shop.OutcomePartlyRefunded {
		t.Errorf("webhook = %q, %v", got, err)
	}
	if money, _ := l.store.MoneyAudit(t.Context()); money != (shoptest.MoneyAudit{
		Captured: 1000, Paid: 700, Refunded: 300,
	}) {
		t.Errorf("money = %+v", money)
	}
}
