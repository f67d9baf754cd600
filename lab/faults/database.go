package faults

import "context"

// restarted: the database ends its sessions, writes everything down, and starts again.
var restarted = fault{
	name: "database restarted", perYear: 4,
	what: func(policy) string {
		return "PostgreSQL is stopped fast and started; what a reboot of RDS takes beyond that is not known"
	},
	inflict: func(ctx context.Context, i *infliction) error { return i.restartDatabase(ctx, false) },
}

// crashed: it ends at once, and recovers from its log.
var crashed = fault{
	name: "database crashed", perYear: 0.5,
	what: func(policy) string {
		return "PostgreSQL is stopped immediately and recovers; what RDS takes beyond that is not known"
	},
	inflict: func(ctx context.Context, i *infliction) error { return i.restartDatabase(ctx, true) },
}

func (i *infliction) restartDatabase(ctx context.Context, immediate bool) error {
	if err := i.twin.HaltPostgres(ctx, immediate); err != nil {
		return err
	}
	return i.twin.StartPostgres(ctx)
}
