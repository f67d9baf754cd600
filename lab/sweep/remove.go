package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"golang.org/x/sync/errgroup"
)

// deletion is how resources of one kind are deleted.
type deletion struct {
	// after are the kinds that have to be gone first: AWS would refuse, or what goes still needs this one.
	after []string
	// ask asks for the deletion of one resource. An error of AWS's is tried again; waiting says that the resource's
	// turn has not come. nil for what goes with what it belongs to.
	ask func(ctx context.Context, cfg aws.Config, arn, name string) error
}

// waiting is the error of a deletion whose turn has not come, and says why.
type waiting string

func (w waiting) Error() string { return string(w) }

// errBelongs is the error of a deletion of what goes with what it belongs to.
var errBelongs = errors.New("goes with what it belongs to")

// When a resource whose deletion was asked for is asked for again, and how often Remove looks.
const (
	patience  = 50 * time.Minute
	grace     = time.Minute // for what AWS refuses, and what should have gone with something else
	askAgain  = 2 * time.Minute
	looksMost = 15 * time.Second
	looksMin  = time.Second
	workers   = 8 // calls at once
)

// Removal says what Remove deletes.
type Removal struct {
	Filter Filter
	// Backups says that what somebody saved of the stage is to go too: snapshots and machine images.
	Backups bool
	// Last are ARNs that are deleted when nothing else is left: what the caller itself runs as.
	Last []string
	// Wanted, if set, is asked before each step whether the stage is still to go: an error of its ends the removal. What
	// ends the stage by itself goes last and with it whom Wanted may ask, so from there on nobody is asked.
	Wanted func(context.Context) error
	// Say hears of each step.
	Say func(string)
	// Patience is how long nothing may be gone before it is given up; 0 is 50 minutes: a VPC origin of CloudFront may take
	// half an hour, and a function's network interface 45 minutes, as Pulumi's provider waits (pulumi/pulumi-aws#4392).
	Patience time.Duration
}

// expiry is the tag "component" of what ends a stage by itself. It goes when the rest has gone, so that a removal that
// is interrupted is ended by it.
const expiry = "expires"

// Remove deletes what an inventory finds, until one finds nothing but backups that stay. It asks for everything at once
// whose dependents are gone, waits for what takes time, and tries again what AWS refuses. The receipt says what was
// deleted, and what is left and why, also with an error: when ctx ends, AWS cannot be asked, or it is not wanted any
// more. Remove gives up when AWS refuses all that is left, or when nothing was gone for a while.
func Remove(ctx context.Context, cfg aws.Config, what Removal) (Receipt, error) {
	if len(what.Filter.Stages) != 1 || what.Filter.Stages[0] == "" {
		return Receipt{}, errors.New("a removal is of one stage")
	}
	r := &remover{cfg: patient(cfg), Removal: what}
	for {
		receipt, err := Sweep(ctx, r.cfg, what.Filter, func(string) {})
		if err != nil {
			return r.sign(receipt), err
		}
		going, err := r.keep(ctx, receipt.Found)
		if err != nil {
			return r.sign(receipt), err
		}
		switch rank := r.take(going); {
		case len(r.left) == 0:
			return r.sign(receipt), nil
		case rank == itself:
			r.leave(ctx)
			return r.sign(receipt), nil
		case rank == ending:
			r.Wanted = nil
		}
		done, err := r.empty(ctx)
		if err != nil || !done {
			return r.sign(receipt), err
		}
	}
}

// patient is the configuration with more retries: a removal asks much at once, and the services throttle.
func patient(cfg aws.Config) aws.Config {
	cfg = cfg.Copy()
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = 8 })
	}
	return cfg
}

// remover is one Remove.
type remover struct {
	Removal
	cfg     aws.Config
	left    map[string]*leaving // by ARN: what is to go now
	held    []Resource          // what goes when that is gone
	kept    []Resource          // backups that do not go
	removed []Resource
}

// Ranks: what goes at once, what ends the stage by itself, and what the caller runs as.
const (
	first = iota
	ending
	itself
)

func (r *remover) rank(res Resource) int {
	switch {
	case slices.Contains(r.Last, res.ID):
		return itself
	case res.Tags["component"] == expiry:
		return ending
	}
	return first
}

// take makes what was found and goes first what is to go now.
func (r *remover) take(found []Resource) (rank int) {
	r.left, r.held, rank = map[string]*leaving{}, nil, itself
	for _, res := range found {
		rank = min(rank, r.rank(res))
	}
	for _, res := range found {
		if r.rank(res) == rank {
			r.left[res.ID] = &leaving{Resource: res}
		} else {
			r.held = append(r.held, res)
		}
	}
	return rank
}

// sign is the receipt of what is gone and left.
func (r *remover) sign(receipt Receipt) Receipt {
	receipt.Removed, receipt.Found = r.removed, slices.Concat(r.kept, r.held)
	for _, id := range r.order() {
		receipt.Found = append(receipt.Found, r.left[id].Resource)
	}
	return receipt
}

func (r *remover) order() []string { return slices.Sorted(maps.Keys(r.left)) }

// leave deletes what the caller runs as. Whether it is gone cannot be asked: with it goes the right to ask.
func (r *remover) leave(ctx context.Context) {
	for range 5 { // AWS may refuse, or throttle
		r.ask(ctx)
		for id, l := range r.left {
			if !l.asked.IsZero() {
				r.gone(id)
			}
		}
		if len(r.left) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(looksMin):
		}
	}
}

// gone writes down that a resource is gone.
func (r *remover) gone(id string) {
	res := r.left[id].Resource
	res.Reason = ""
	r.removed = append(r.removed, res)
	delete(r.left, id)
	r.Say("gone: " + res.String())
}

// empty deletes what is left, until nothing is, or until it gives up: then it is not done.
func (r *remover) empty(ctx context.Context) (done bool, err error) {
	pause, progress, said := looksMin, time.Now(), ""
	for {
		before := len(r.left)
		if r.Wanted != nil {
			if err := r.Wanted(ctx); err != nil {
				return false, err
			}
		}
		r.ask(ctx)
		if err := r.look(ctx); err != nil {
			return false, err
		}
		if len(r.left) == 0 {
			return true, nil
		}
		if len(r.left) < before {
			pause, progress = looksMin, time.Now()
			continue // the next may go at once
		}
		idle := time.Since(progress)
		if idle > cmp.Or(r.Patience, patience) || r.hopeless() && idle > grace {
			return false, nil
		}
		if text := fmt.Sprintf("waiting for %d, such as %s", len(r.left), r.slowest()); text != said {
			said = text
			r.Say(text)
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(pause):
		}
		pause = min(pause*3/2, looksMost)
	}
}

// hopeless tells that AWS refuses everything whose turn has come.
func (r *remover) hopeless() bool {
	for _, l := range r.left {
		if !l.refused && !l.belongs && r.turn(l) {
			return false
		}
	}
	return true
}

// slowest is a resource that the others wait for.
func (r *remover) slowest() Resource {
	ids := r.order()
	for _, id := range ids {
		if l := r.left[id]; !l.belongs && r.turn(l) {
			return l.Resource
		}
	}
	return r.left[ids[0]].Resource
}

// turn tells whether everything that goes before a resource is gone.
func (r *remover) turn(l *leaving) bool {
	kind, _ := kindOf(l.ID)
	for _, other := range r.left {
		otherKind, _ := kindOf(other.ID)
		if other != l && !other.belongs && slices.Contains(deletions[kind].after, otherKind) {
			return false
		}
	}
	return true
}

// ask asks for the deletion of everything whose turn has come.
func (r *remover) ask(ctx context.Context) {
	var due []*leaving // all of them before any is asked for, which changes them
	for _, id := range r.order() {
		if l := r.left[id]; !l.belongs && (l.asked.IsZero() || time.Since(l.asked) >= askAgain) && r.turn(l) {
			due = append(due, l)
		}
	}
	g := errgroup.Group{}
	g.SetLimit(workers)
	for _, l := range due {
		g.Go(func() error {
			l.ask(ctx, r.cfg)
			return nil
		})
	}
	_ = g.Wait() // each has kept what it met
	for _, l := range due {
		if !l.asked.IsZero() {
			r.Say("deleting " + l.String())
		}
	}
}

// look leaves out what is gone.
func (r *remover) look(ctx context.Context) error {
	ids := r.order()
	there := make([]bool, len(ids))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for i, id := range ids {
		g.Go(func() (err error) {
			there[i], err = exists(gctx, regional(r.cfg, id), id)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, id := range ids {
		if !there[i] {
			r.gone(id)
		}
	}
	return nil
}
