package shop

// HoldLimits bound what unpaid orders hold, so that nobody keeps others from buying what he does not pay for.
// A limit of 0 bounds nothing.
type HoldLimits struct {
	Orders, Pieces               int // of an account
	NetworkOrders, NetworkPieces int // of all accounts in a network together
}

// DefaultHoldLimits leave a person room for second thoughts, and an office or a mobile carrier's address for
// many people. docs/decisions/0014 says how they were chosen.
var DefaultHoldLimits = HoldLimits{Orders: 5, Pieces: 200, NetworkOrders: 50, NetworkPieces: 1000}

// Held is what pending orders hold at a moment, of an account and of its network.
type Held struct {
	Orders, Pieces               int
	NetworkOrders, NetworkPieces int
}

// Bound tells whether there is any limit.
func (l HoldLimits) Bound() bool { return l != HoldLimits{} }

// Refusal says why an order of so many pieces cannot be held beside what is held already: CodeHoldLimit. Nil if
// it can be.
func (l HoldLimits) Refusal(h Held, pieces int) error {
	switch {
	case l.Orders > 0 && h.Orders >= l.Orders:
		return Errorf(CodeHoldLimit, "You have %d unpaid orders. Pay for one or cancel one first.", h.Orders)
	case l.Pieces > 0 && pieces > l.Pieces:
		return Errorf(CodeHoldLimit, "An order may have %d pieces, and this one has %d. Order in several parts, and pay "+
			"for one before the next.", l.Pieces, pieces)
	case l.Pieces > 0 && h.Pieces+pieces > l.Pieces:
		return Errorf(CodeHoldLimit, "Your unpaid orders hold %d pieces, and with this one they would hold more than %d. "+
			"Pay for one or cancel one first.", h.Pieces, l.Pieces)
	case l.NetworkOrders > 0 && h.NetworkOrders >= l.NetworkOrders, l.NetworkPieces > 0 && h.NetworkPieces+
		pieces > l.NetworkPieces:
		return Errorf(CodeHoldLimit, "Many unpaid orders come from your network at this moment. Try again in a few minutes.")
	}
	return nil
}
