package faults

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shoplab/contract"
	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/stage"
	"shoplab/lab/stripe"
	"shoplab/lab/target"
	"shoplab/lab/target/local"
	"shoplab/lab/twin"
	"shoplab/lab/watch"
)

// ground is where a stage stands while it is broken: this machine, or AWS.
type ground interface {
	// offers says what a fault does here, or why there is none.
	offers(f fault) (what, skipped string)
	// up brings the stage up and says how shoppers reach it.
	up(ctx context.Context) (target.Site, load.Options, error)
	// probes watch what of the machine the stage uses, and what others do.
	probes() []watch.Probe
	// inflict inflicts a fault and returns when everything is there again: which waits were cut short, and what was
	// assumed.
	inflict(ctx context.Context, f fault) (clock, []string, error)
	// patience is how long the stage may take until the objective is kept again after everything is back.
	patience() time.Duration
	// remember has the charges of a fault's last run, which began, had its fault and ended then, judged by settle.
	remember(f *result.Fault, began, at, end time.Time)
	// settle waits until the shop knows of every charge, judges each run's, and audits the shop's own books.
	settle(ctx context.Context) ([]result.Invariant, error)
	// down takes the stage down, if it is up, also when ctx has ended.
	down(ctx context.Context) error
}

// twins is this machine, where a stage is a twin whose shoppers pay a stand-in for Stripe.
type twins struct {
	at      *local.Local
	name    string
	policy  policy
	longest time.Duration // of a wait; 0: in full
	// felt says whether a request has failed since; nil but where a fault is to last until then.
	felt func(since time.Time) bool

	bank  *stripe.Stripe
	site  target.Site
	twin  *twin.Twin // nil while none is up
	books *books
}

func (t *twins) offers(f fault) (what, skipped string) {
	if f.skip != nil {
		if skipped = f.skip(t.policy); skipped != "" {
			return "", skipped
		}
	}
	return f.what(t.policy), ""
}

func (t *twins) up(ctx context.Context) (target.Site, load.Options, error) {
	bank, err := stripe.New()
	if err != nil {
		return nil, load.Options{}, err
	}
	change := func(s *stage.Stage) {
		s.Env = append(s.Env, bank.Env()...)
		if t.policy.drain > 0 {
			s.Env = append(s.Env, fmt.Sprintf("%s=%s", contract.EnvDrainDelay, shortDrain(t.policy.drain, t.longest)))
		}
	}
	o := twin.Options{Check: shortened(t.policy.check, t.longest), AsALB: true, Timeout: t.policy.timeout}
	site, up, err := t.at.UpTwin(ctx, t.name, change, o)
	if err != nil {
		return nil, load.Options{}, errors.Join(err, bank.Close())
	}
	bank.Notify(up.URL)
	t.bank, t.site, t.twin, t.books = bank, site, up, keepBooks(bank, up.PostgresAdminURL())
	return site, load.Options{URL: up.URL, PayAt: bank.URL()}, nil
}

func (t *twins) probes() []watch.Probe {
	return []watch.Probe{watch.Machine(), local.StageProbe(t.twin)}
}

func (t *twins) inflict(ctx context.Context, f fault) (clock, []string, error) {
	i := &infliction{policy: t.policy, twin: t.twin, bank: t.bank, longest: t.longest}
	if began := time.Now(); t.felt != nil {
		i.felt = func() bool { return t.felt(began) }
	}
	err := f.inflict(ctx, i)
	return i.clock, i.assumed, err
}

// recoverWithin is a twin's patience.
const recoverWithin = time.Minute

func (t *twins) patience() time.Duration { return recoverWithin }

func (t *twins) remember(f *result.Fault, began, at, end time.Time) { t.books.of(f, began, at, end) }

func (t *twins) settle(ctx context.Context) ([]result.Invariant, error) {
	if t.twin == nil || t.twin.Err() != nil { // there is nobody to ask
		return nil, nil
	}
	if err := t.books.agree(ctx); err != nil {
		return nil, err
	}
	auditor, ok := t.site.(target.Auditor)
	if !ok {
		return nil, nil
	}
	found, err := auditor.Audit(ctx)
	if err != nil {
		return nil, fmt.Errorf("check the invariants: %w", err)
	}
	return found, nil
}

func (t *twins) down(context.Context) error {
	if t.twin == nil {
		return nil
	}
	t.books.stop()
	err := errors.Join(t.twin.Stop(), t.bank.Close())
	t.twin = nil
	return err
}
