package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/stage"
	"shoplab/lab/target"
	"shoplab/lab/target/local"
	"shoplab/lab/verdict"
)

// bench is one stage under faults.
type bench struct {
	plan Plan
	at   target.Target
	st   *result.FaultyStage
	say  func(string)

	policy policy
	stage  stage.Stage
	ground ground
	site   target.Site
	seen   watcher
	crowd  *load.Crowd
	rate   float64
	orders result.Orders // of all loads so far
	steps  []result.Step
}

// run inflicts all faults, each as often as the plan says, and takes the stage down whatever happens.
func (b *bench) run(ctx context.Context) error {
	if err := b.describe(); err != nil {
		return err
	}
	switch at := b.at.(type) {
	case *local.Local:
		here := &twins{at: at, name: b.st.Name, policy: b.policy, longest: b.plan.Longest}
		if b.plan.untilFelt {
			here.felt = b.seen.failedSince
		}
		b.ground = here
	default:
		b.ground = &cloud{
			at: at, name: b.st.Name, policy: b.policy, newImage: b.plan.NewImage, longest: b.plan.Longest, say: b.say,
		}
	}
	b.plant()
	err := b.inflictAll(ctx)
	b.say("taking down")
	err = errors.Join(err, b.down(ctx))
	b.sumUp()
	return err
}

// describe reads what the stage is from its configuration and its resource graph.
func (b *bench) describe() error {
	s, err := stage.Read(b.plan.Root, b.st.Name)
	if err != nil {
		return err
	}
	g, err := stage.Graph(b.plan.Root, b.st.Name)
	if err != nil {
		return fmt.Errorf("read the resource graph: %w", err)
	}
	if b.policy, err = policyOf(g, s); err != nil {
		return err
	}
	b.stage = s
	b.st.Topology = string(s.Topology)
	b.st.Detection, b.st.Replacement = b.policy.detection(), b.policy.replacement()
	for _, f := range stage.SinglePoints(g) {
		b.st.SinglePoints = append(b.st.SinglePoints, result.SinglePoint{Part: f.What, Resource: f.Resource, Why: f.Why})
	}
	b.st.MonthlyUSD = monthly(g)
	return nil
}

// plant notes which faults there will be.
func (b *bench) plant() {
	for _, f := range all {
		if len(b.plan.Faults) > 0 && !slices.Contains(b.plan.Faults, f.name) {
			continue
		}
		one := result.Fault{Name: f.name, RatePerYear: f.perYear}
		if f.eachInstance {
			one.RatePerYear *= float64(b.stage.Instances)
		}
		one.What, one.Skipped = b.ground.offers(f)
		b.st.Faults = append(b.st.Faults, one)
	}
}

// up brings the stage up, its shoppers before it.
func (b *bench) up(ctx context.Context) (err error) {
	b.say("bringing up")
	var o load.Options
	if b.site, o, err = b.ground.up(ctx); err != nil {
		return fmt.Errorf("bring up: %w", err)
	}
	described := result.Stage{}
	b.site.Describe(&described)
	b.st.StandIns = described.StandIns
	for _, label := range described.Labels {
		if !slices.Contains(b.st.Labels, label) {
			b.st.Labels = append(b.st.Labels, label)
		}
	}
	for _, note := range described.Notes {
		if !slices.Contains(b.st.Notes, note) { // it may have been up before
			b.st.Notes = append(b.st.Notes, note)
		}
	}
	o.Observe = b.seen.note
	if b.crowd, _, err = load.NewCrowd(ctx, o); err != nil {
		return err
	}
	return b.capacity(ctx)
}

const (
	// mostTries is how often the rate is lowered.
	mostTries = 3
	// steadyWithin is how long a stage has to keep the objective at first.
	steadyWithin = 20 * time.Second
)

// warmUsers are the users of the closed loop that tells what a stage can do.
const warmUsers = 50

// capacity warms the stage up, measures what it can do, and chooses the rate to hold.
func (b *bench) capacity(ctx context.Context) error {
	b.say("preparing shoppers")
	users, settle := warmUsers, 2*time.Second
	if b.policy.keeper == function { // it refuses what exceeds its reserved concurrency
		users = min(users, b.stage.Most()/2)
		settle = 10 * time.Second // as many environments start cold at once, on this machine's CPUs
	}
	warm := load.Load{Purpose: result.PurposeWarmUp, Users: users, Settle: settle, Duration: 4 * time.Second}
	if b.plan.Rate > 0 {
		b.rate = b.plan.Rate
		warm.Users, warm.Rate, warm.Settle, warm.Duration = 0, b.rate, 0, time.Second
	}
	if err := b.crowd.Prepare(ctx, load.AccountsFor(warm), nil); err != nil {
		return err
	}
	b.say("warming up")
	best, err := warmed(warm, func(l load.Load) (float64, error) {
		step, err := b.crowd.Run(ctx, l)
		return step.Goodput, err
	})
	if err != nil {
		return err
	}
	if b.rate == 0 {
		b.st.CapacityPerSecond = result.Ptr(math.Round(best))
		b.rate = max(1, math.Round(best/2))
	}
	// A purchase on an instance that hangs holds its account until the shopper gives up: twice as many.
	if err := b.crowd.Prepare(ctx, 2*load.AccountsFor(load.Load{Rate: b.rate}), nil); err != nil {
		return err
	}
	return b.steadyRate(ctx)
}

const (
	// mostWarmUps is how often a closed loop is tried; two of them agree within agreement, a share of the better.
	mostWarmUps, agreement = 5, 0.1
)

// warmed repeats a closed loop until it did about what the best did before, and returns the best goodput: one that was
// disturbed for a few seconds would have the faults tried at a fraction of the load. An open loop is run once.
func warmed(l load.Load, run func(load.Load) (float64, error)) (best float64, err error) {
	for range mostWarmUps {
		goodput, err := run(l)
		if err != nil || l.Rate > 0 {
			return goodput, err
		}
		if best > 0 && math.Abs(goodput-best) <= agreement*max(goodput, best) {
			return max(goodput, best), nil
		}
		best, l.Settle = max(goodput, best), 0
	}
	return best, nil
}

// steadyRate holds the rate until the objective is kept. A stage that does not get so far is not at half of what it can
// do, whatever a few seconds of a closed loop made of it: it gets three quarters of the rate, and the same again.
func (b *bench) steadyRate(ctx context.Context) error {
	for try := 0; ; try++ {
		b.say(fmt.Sprintf("holding %.0f requests a second", b.rate))
		b.seen.take()
		_, _, err := b.under(ctx, func(ctx context.Context) error { return b.await(ctx, b.plan.within) })
		if err == nil {
			b.st.RatePerSecond = result.Ptr(b.rate)
			b.orders, err = b.readBack(ctx)
			return err
		}
		if !errors.Is(err, errUnsteady) || b.plan.Rate > 0 || try == mostTries || b.rate < 2 {
			return fmt.Errorf("without any fault: %w", err)
		}
		lower := math.Floor(b.rate * 3 / 4)
		b.st.Notes = append(b.st.Notes,
			fmt.Sprintf("%.0f requests a second were too many without any fault: %.0f were held", b.rate, lower))
		b.rate = lower
	}
}

// down ends shoppers and stage.
func (b *bench) down(ctx context.Context) error {
	if b.crowd != nil {
		b.crowd.Close()
		b.crowd = nil
	}
	return b.ground.down(ctx)
}

// inflictAll goes round the faults, once for each repeat, so that what changes on the machine falls on all.
func (b *bench) inflictAll(ctx context.Context) error {
	if err := b.up(ctx); err != nil {
		return err
	}
	for repeat := range b.plan.Repeats {
		for n := range b.st.Faults {
			f := &b.st.Faults[n]
			if f.Skipped != "" {
				continue
			}
			b.say(fmt.Sprintf("%s, %d of %d, at %.0f requests a second", f.Name, repeat+1, b.plan.Repeats, b.rate))
			err := b.once(ctx, f)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err == nil {
				continue
			}
			why, _, _ := strings.Cut(err.Error(), "\n")
			b.st.Notes = append(b.st.Notes,
				fmt.Sprintf("%s, repeat %d: %s; the stage was brought up again", f.Name, repeat+1, why))
			b.say(fmt.Sprintf("  %s: bringing the stage up again", why))
			if err := b.settle(ctx); err != nil {
				return err
			}
			if err := errors.Join(b.down(ctx), b.up(ctx)); err != nil {
				return err
			}
		}
	}
	return b.settle(ctx)
}

// settle waits until the books agree, and notes what the shop's own say.
func (b *bench) settle(ctx context.Context) error {
	b.say("comparing the books")
	found, err := b.ground.settle(ctx)
	b.note(found)
	return err
}

// note keeps the latest outcome of each invariant, but a violation for good.
func (b *bench) note(found []result.Invariant) {
	for _, inv := range found {
		i := slices.IndexFunc(b.st.Invariants, func(known result.Invariant) bool { return known.Name == inv.Name })
		switch {
		case i < 0:
			b.st.Invariants = append(b.st.Invariants, inv)
		case b.st.Invariants[i].Status != result.InvariantViolated:
			b.st.Invariants[i] = inv
		}
	}
}

// sumUp says whether the figures may be used, and what the faults come to in a year.
func (b *bench) sumUp() {
	if len(b.steps) > 0 {
		b.st.Validity = verdict.Valid(b.steps, nil, nil)
	}
	b.st.UnavailableSecondsAYear = unavailable(b.st.Faults)
	_, here := b.ground.(*twins)
	if here && (b.policy.keeper == group || b.policy.keeper == ecs) {
		b.st.Notes = append(b.st.Notes, "the load balancer is the laboratory's own proxy: like an ALB it keeps "+
			"connections when its targets change, and sends where the fewest requests are outstanding")
	}
	if here && b.policy.keeper == function {
		b.st.Notes = append(b.st.Notes, "environments that start cold at the same time share this machine's CPUs; on AWS "+
			"each has its own, so that what follows a deploy, an outage or a zone that is gone takes longer here")
	}
	if here && b.stage.Instances > 1 {
		b.st.Notes = append(b.st.Notes, "when one instance is gone the others have all of this machine's CPUs to "+
			"themselves, on AWS only their own")
	}
	var kinds []string
	for _, f := range b.st.Faults {
		for _, r := range f.Runs {
			kinds = append(kinds, slices.Collect(maps.Keys(r.Errors))...)
		}
	}
	if slices.ContainsFunc(kinds, func(k string) bool { return strings.HasPrefix(k, "429") }) {
		b.st.Notes = append(b.st.Notes, result.LiftRateLimit)
	}
}
