package faults

import "context"

// cacheGone: the cache is away, and empty when it is back.
var cacheGone = fault{
	name: "cache gone and back", perYear: 1,
	what: func(p policy) string {
		if p.keeper == systemd {
			return "Redis is stopped and started, empty"
		}
		return "Redis is stopped for as long as a node's reboot takes, and started, empty"
	},
	inflict: func(ctx context.Context, i *infliction) error {
		if err := i.twin.HaltRedis(ctx); err != nil {
			return err
		}
		if i.policy.keeper != systemd {
			if err := i.assume(ctx, rebootCache); err != nil {
				return err
			}
		}
		return i.twin.StartRedis(ctx)
	},
}
