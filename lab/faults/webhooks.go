package faults

import (
	"context"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/watch"
)

// webhooksGone: Stripe takes money, and the shop is not told.
var webhooksGone = fault{
	name: "no webhooks", perYear: 4,
	what: func(policy) string {
		return "webhooks are dropped for a minute and never sent again: the shop has to ask"
	},
	inflict: func(ctx context.Context, i *infliction) error {
		i.rely(webhooksAway)
		i.bank.Drop(true)
		defer i.bank.Drop(false)
		from := time.Now()
		// A shopper gives up after a while, so what fails does so that much later.
		hold := max(i.short(assumed(webhooksAway)), 3*time.Second)
		if !watch.Until(ctx, from.Add(hold)) {
			return ctx.Err()
		}
		i.bank.Drop(false)
		if hold < assumed(webhooksAway) {
			i.clock = append(i.clock, stretch{
				what: webhooksAway, from: from.Add(load.PaymentPatience), to: from.Add(load.PaymentPatience + hold),
				stands: assumed(webhooksAway),
			})
		}
		if !watch.Until(ctx, from.Add(load.PaymentPatience+hold)) {
			return ctx.Err()
		}
		return nil
	},
}
