package stripe

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	stripe "github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/webhook"

	"shoplab/service/shop"
)

// Outcomes that Simulate can bring about.
const (
	SimulateSucceeded = "succeeded"
	SimulateFailed    = "failed"
)

const (
	simulationWorkers = 4
	simulationQueue   = 1024
	deliveryTimeout   = 10 * time.Second
	deliveryAttempts  = 5
)

// Simulation is a shop.Gateway that moves no money. It keeps no state: an intent's id says order
// and amount, its client secret is signed, so that any instance with the same webhook secret can
// carry on with an intent that another one made. Unlike Stripe it does not remember what was
// canceled: paying such an intent succeeds, as a payment that crosses a cancellation does, and the
// shop has to refund it. See docs/decisions/0031.
type Simulation struct {
	secret  string
	deliver func(ctx context.Context, body []byte, signature string) error
	log     *slog.Logger

	mu     sync.RWMutex // guards closed, and queue against being closed while sent on
	closed bool
	queue  chan []byte
	done   sync.WaitGroup

	waiting atomic.Int64  // events that are not delivered yet
	settled chan struct{} // told when there are none
}

var _ shop.Gateway = (*Simulation)(nil)

// NewSimulation returns a simulation that signs its events with webhookSecret, which all instances
// must share, and hands them to deliver: the code that takes Stripe's webhooks. Close it.
func NewSimulation(
	webhookSecret string, deliver func(ctx context.Context, body []byte, signature string) error, log *slog.Logger,
) *Simulation {
	s := &Simulation{
		secret:  webhookSecret,
		deliver: deliver,
		log:     cmp.Or(log, slog.Default()),
		queue:   make(chan []byte, simulationQueue),
		settled: make(chan struct{}, 1),
	}
	for range simulationWorkers {
		s.done.Go(func() {
			for body := range s.queue {
				s.send(body)
				s.delivered()
			}
		})
	}
	return s
}

// Close takes no more events and returns when those that were taken are delivered, or ctx is done.
func (s *Simulation) Close(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.queue)
	}
	s.mu.Unlock()
	drained := make(chan struct{})
	go func() { s.done.Wait(); close(drained) }()
	select {
	case <-drained:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("deliver simulated payment events: %w", ctx.Err())
	}
}

// Settle returns when no event waits any more, or ctx is done: one caller at a time.
func (s *Simulation) Settle(ctx context.Context) error {
	for s.waiting.Load() > 0 {
		select {
		case <-s.settled:
		case <-ctx.Done():
			return fmt.Errorf("deliver simulated payment events: %w", ctx.Err())
		}
	}
	return nil
}

// delivered counts an event that no longer waits.
func (s *Simulation) delivered() {
	if s.waiting.Add(-1) == 0 {
		select {
		case s.settled <- struct{}{}:
		default:
		}
	}
}

// Simulate makes the payment behind clientSecret succeed or fail, as a card would. It returns when
// the event is queued; the webhook follows. CodeInvalid for an unknown outcome, CodeNotFound for a
// client secret that is not one of ours, CodeOverloaded when too many events wait.
func (s *Simulation) Simulate(_ context.Context, clientSecret, outcome string) error {
	id, _, _ := strings.Cut(clientSecret, "_secret_")
	cents, ok := amountOf(id)
	if !ok || !hmac.Equal([]byte(clientSecret), []byte(s.clientSecret(id))) {
		return shop.Errorf(shop.CodeNotFound, "There is no simulated payment with this client secret.")
	}
	pi := map[string]any{
		"id": id, "object": "payment_intent", "amount": cents, "amount_received": 0, "currency": shop.Currency,
	}
	switch outcome {
	case SimulateSucceeded:
		pi["status"], pi["amount_received"] = "succeeded", cents
		// An intent succeeds once, so its event has one id: paying twice is a duplicate.
		return s.enqueue(eventBody("evt_succeeded_"+id, shop.EventSucceeded, pi))
	case SimulateFailed:
		pi["status"] = "requires_payment_method"
		return s.enqueue(eventBody("evt_failed_"+id+"_"+rand.Text(), shop.EventFailed, pi))
	}
	return &shop.Error{
		Code: shop.CodeInvalid, Detail: "Unknown outcome.",
		Fields: []shop.FieldError{{Field: "outcome", Message: "must be succeeded or failed"}},
	}
}

// CreateIntent derives the intent of the order.
func (s *Simulation) CreateIntent(_ context.Context, o shop.Order) (shop.Payment, error) {
	id := fmt.Sprintf("pi_sim_%d_%d_%d", o.ID, o.CreatedAt.Unix(), o.TotalCents)
	return shop.Payment{
		OrderID:      o.ID,
		IntentID:     id,
		ClientSecret: s.clientSecret(id),
		AmountCents:  o.TotalCents,
		Currency:     shop.Currency,
		Status:       shop.PaymentOpen,
	}, nil
}

// Intent knows nothing that its event does not tell: see Simulation.
func (s *Simulation) Intent(context.Context, string) ([]shop.Event, error) { return nil, nil }

// CancelIntent says that the intent is canceled, which is forgotten at once: see Simulation.
func (s *Simulation) CancelIntent(_ context.Context, intentID string) ([]shop.Event, error) {
	return []shop.Event{{
		ID: "asked:" + intentID + ":canceled", Type: shop.EventCanceled, IntentID: intentID, Currency: shop.Currency,
		CreatedAt: time.Now(),
	}}, nil
}

// RefundIntent says that the refund has succeeded, and sends the event that Stripe sends then.
func (s *Simulation) RefundIntent(_ context.Context, r shop.Refund) (shop.Return, error) {
	back := shop.Return{
		ID:          fmt.Sprintf("re%s_%d", strings.TrimPrefix(r.IntentID, "pi"), r.Attempt),
		AmountCents: r.AmountCents, Status: shop.ReturnSucceeded,
	}
	return back, s.enqueue(eventBody("evt_refunded_"+back.ID, shop.EventRefund, map[string]any{
		"id": back.ID, "object": "refund", "payment_intent": r.IntentID, "amount": r.AmountCents, "currency": shop.Currency,
		"status": "succeeded",
	}))
}

// ParseEvent is the same code as for Stripe's events.
func (s *Simulation) ParseEvent(body []byte, signature string) (shop.Event, error) {
	return parseEvent(body, signature, s.secret, false, s.log)
}

// enqueue queues an event's body for delivery.
func (s *Simulation) enqueue(body []byte) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.closed {
		s.waiting.Add(1)
		select {
		case s.queue <- body:
			return nil
		default:
			s.delivered()
		}
	}
	return shop.Errorf(shop.CodeOverloaded, "Too many simulated payments are waiting; try again.")
}

// send signs and delivers an event. Like Stripe it tries again when that fails, though not for days.
func (s *Simulation) send(body []byte) {
	pause := 100 * time.Millisecond
	for attempt := 1; ; attempt++ {
		ctx, cancel := context.WithTimeout(context.Background(), deliveryTimeout)
		err := s.deliver(ctx, body, sign(body, s.secret, time.Now()))
		cancel()
		if err == nil {
			return
		}
		if attempt == deliveryAttempts {
			s.log.Error("simulated payment event is lost", "attempts", attempt, "error", err)
			return
		}
		time.Sleep(pause)
		pause *= 2
	}
}

// clientSecret looks like Stripe's and proves that the intent was made with our secret. It is
// longer than the id only by the HMAC, so it holds all that Simulate must know.
func (s *Simulation) clientSecret(intentID string) string {
	mac := hmac.New(sha256.New, []byte(s.secret))
	mac.Write([]byte("client_secret\x00" + intentID))
	return intentID + "_secret_" + hex.EncodeToString(mac.Sum(nil))
}

// amountOf reads the amount out of an intent's id: pi_sim_ORDER_CREATED_CENTS.
func amountOf(intentID string) (cents int64, ok bool) {
	parts := strings.Split(intentID, "_")
	if len(parts) != 5 {
		return 0, false
	}
	cents, err := strconv.ParseInt(parts[4], 10, 64)
	return cents, err == nil
}

// eventBody is the JSON of a Stripe event about object.
func eventBody(id string, typ shop.EventType, object map[string]any) []byte {
	body, err := json.Marshal(map[string]any{
		"id": id, "object": "event", "api_version": stripe.APIVersion, "type": typ,
		"created": time.Now().Unix(), "livemode": false, "data": map[string]any{"object": object},
	})
	if err != nil {
		panic(err) // strings, numbers and booleans always encode
	}
	return body
}

// sign is the Stripe-Signature header of a webhook that was sent at t.
func sign(body []byte, secret string, t time.Time) string {
	return fmt.Sprintf("t=%d,v1=%x", t.Unix(), webhook.ComputeSignature(t, body, secret))
}
