package shop

// Return is money that goes back from a payment: by a refund, or by a dispute, in which the shopper's
// bank takes it back.
type Return struct {
	ID          string // Stripe's: "re_..." of a refund, "dp_..." or "du_..." of a dispute
	Dispute     bool
	AmountCents int64
	Status      ReturnStatus
}

// ReturnStatus is where a return stands.
type ReturnStatus string

// The return states, in the order in which a return goes through them. pending: under way, or a dispute
// that is open; succeeded: the shopper has the money, or will have it without anybody's doing; failed:
// the money is still or again the shop's, because the bank could not take it or the dispute was won.
const (
	ReturnPending   ReturnStatus = "pending"
	ReturnSucceeded ReturnStatus = "succeeded"
	ReturnFailed    ReturnStatus = "failed"
)

func (s ReturnStatus) rank() int {
	switch s {
	case ReturnSucceeded:
		return 1
	case ReturnFailed:
		return 2
	default:
		return 0
	}
}

// Dispute is how a payment's dispute stands, for shopper and shop; empty without one.
type Dispute string

// The dispute states.
const (
	DisputeOpen Dispute = "open"
	DisputeWon  Dispute = "won"  // the money stays the shop's
	DisputeLost Dispute = "lost" // the bank gave the money back
)

// news returns the returns of a payment with r among them, and whether r tells anything new: news may
// come late and out of order, but a return never goes back to an earlier state.
func news(known []Return, r Return) (now []Return, isNew bool) {
	now = append(now, known...)
	for i, k := range now {
		if k.ID == r.ID {
			// An inquiry that becomes a dispute is pending before and after, of nothing and then of an amount.
			later := r.Status.rank() - k.Status.rank()
			if later < 0 || later == 0 && r.AmountCents <= k.AmountCents {
				return now, false
			}
			now[i] = r
			return now, true
		}
	}
	return append(now, r), r.ID != ""
}

// sum is what the returns of a payment come to.
func sum(returns []Return) (refunded, pending int64, dispute Dispute) {
	for _, r := range returns {
		state := DisputeWon
		switch r.Status {
		case ReturnSucceeded:
			refunded = plus(refunded, r.AmountCents)
			state = DisputeLost
		case ReturnPending:
			pending = plus(pending, r.AmountCents)
			state = DisputeOpen
		}
		if r.Dispute && (dispute == "" || dispute == DisputeWon || state == DisputeLost) {
			dispute = state
		}
	}
	return refunded, pending, dispute
}
