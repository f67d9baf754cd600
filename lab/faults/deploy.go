package faults

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"shoplab/contract"
	"shoplab/lab/twin"
)

// deploy: a new image, as the stage rolls it out.
var deploy = fault{
	name: RollingDeploy, perYear: 52,
	what: func(p policy) string {
		if p.keeper == systemd {
			return "the shop and nginx end, and start on a new server; the database is kept, which takes " +
				"shoplab:dumpBucket: without it every order is lost"
		}
		if p.keeper == function {
			return "a new version is tried in one execution environment, then the alias names it, and every other " +
				"environment of it starts cold"
		}
		return fmt.Sprintf("every instance is replaced, %d more at a time", p.atOnce)
	},
	inflict: func(ctx context.Context, i *infliction) error {
		if i.policy.keeper == function {
			i.rely(placement)
			return i.twin.Function.Publish(ctx, []byte(contract.BackgroundEvent))
		}
		old := append([]*twin.Instance{}, i.twin.Instances...)
		if i.policy.keeper == systemd {
			return i.newServer(ctx, old[0])
		}
		for len(old) > 0 {
			n := min(max(1, i.policy.atOnce), len(old))
			if err := i.roll(ctx, old[:n]); err != nil {
				return err
			}
			old = old[n:]
		}
		return nil
	},
}

// newServer replaces the one server: its user data names the image.
func (i *infliction) newServer(ctx context.Context, shop *twin.Instance) error {
	if err := i.twin.Finish(ctx, shop); err != nil {
		return err
	}
	i.twin.HaltFront()
	if err := i.assume(ctx, bootServer); err != nil {
		return err
	}
	if err := i.twin.Restart(ctx, shop); err != nil {
		return err
	}
	return i.twin.StartFront(ctx)
}

// roll replaces some instances: as many new ones first, then the old ones leave.
func (i *infliction) roll(ctx context.Context, old []*twin.Instance) error {
	if i.policy.keeper != kubernetes { // whose image is on the node before the pod starts
		boot, assumption := i.boot()
		i.rely(assumption)
		if err := i.wait(ctx, assumption, boot); err != nil {
			return err
		}
	}
	for range old {
		fresh, err := i.twin.Launch(ctx)
		if err != nil {
			return err
		}
		if err := i.detect(ctx, func(ctx context.Context) error { return i.twin.Join(ctx, fresh) }); err != nil {
			return err
		}
	}
	if err := i.wait(ctx, "warm-up of a new server", i.policy.warmup); err != nil {
		return err
	}
	if i.policy.keeper == kubernetes {
		return i.endPods(ctx, old)
	}
	for _, one := range old {
		i.twin.Leave(one)
	}
	if err := i.wait(ctx, "deregistration delay", i.policy.deregistration); err != nil {
		return err
	}
	return i.finish(ctx, old)
}

func (i *infliction) finish(ctx context.Context, old []*twin.Instance) error {
	var ending errgroup.Group
	for _, one := range old {
		ending.Go(func() error { return i.twin.Finish(ctx, one) })
	}
	return ending.Wait()
}

// endPods tells pods to end, which go on for as long as they drain; meanwhile they leave the endpoints.
func (i *infliction) endPods(ctx context.Context, old []*twin.Instance) error {
	factor := 1.0
	if i.policy.drain > 0 {
		factor = float64(i.policy.drain) / float64(shortDrain(i.policy.drain, i.longest))
	}
	i.rely(noticePod)
	return i.during("drain", factor, func() error {
		var ending errgroup.Group
		ending.Go(func() error { return i.finish(ctx, old) })
		ending.Go(func() error {
			// Within the drain's time, which is a stretch already.
			lag := &infliction{longest: i.longest}
			err := lag.wait(ctx, noticePod, assumed(noticePod))
			for _, one := range old {
				i.twin.Leave(one)
			}
			return err
		})
		return ending.Wait()
	})
}
