package faults

import (
	"context"

	"shoplab/lab/twin"
)

// zoneGone: everything in the zone that has the database is gone until the zone is back.
var zoneGone = fault{
	name: "a zone is gone", perYear: 0.1,
	what: func(p policy) string {
		if p.keeper == systemd || p.keeper == kubernetes {
			return "everything ends, and starts with the zone: there is one server"
		}
		if p.keeper == function {
			return "every second execution environment, the database and the cache end; the last two start with the zone, " +
				"which is the worse of the two"
		}
		return "an instance, the database and the cache end; the last two start with the zone, which is the worse of the two"
	},
	inflict: func(ctx context.Context, i *infliction) error {
		gone, whole := i.inZone()
		if whole {
			i.twin.HaltFront()
		}
		for _, one := range gone {
			i.twin.Kill(one)
		}
		if i.policy.keeper == function {
			i.rely(placement)
			i.twin.Function.Lose(func(n int) bool { return n%2 == 0 })
		}
		if err := i.twin.HaltRedis(ctx); err != nil {
			return err
		}
		if err := i.twin.HaltPostgres(ctx, true); err != nil {
			return err
		}
		if err := i.assume(ctx, zoneAway); err != nil {
			return err
		}
		if whole {
			if err := i.assume(ctx, bootServer); err != nil {
				return err
			}
		}
		if err := i.twin.StartPostgres(ctx); err != nil {
			return err
		}
		if err := i.twin.StartRedis(ctx); err != nil {
			return err
		}
		if i.policy.keeper == function { // whose environments start as requests come
			return nil
		}
		if !whole { // the other zone had long enough to start another
			return i.replaceInstance(ctx, gone[0], 0, zoneAway)
		}
		for _, one := range gone {
			if err := i.twin.Restart(ctx, one); err != nil {
				return err
			}
		}
		return i.twin.StartFront(ctx)
	},
}

// inZone are the instances in the database's zone, and whether everything is.
func (i *infliction) inZone() (gone []*twin.Instance, whole bool) {
	if i.policy.keeper == systemd || i.policy.keeper == kubernetes {
		return i.twin.Instances, true
	}
	if i.policy.keeper == function {
		return nil, false
	}
	return i.twin.Instances[:1:1], false
}
