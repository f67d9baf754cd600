package faults

import (
	"context"
	"syscall"

	"shoplab/contract"
)

// killed: an instance is gone from one moment to the next.
var killed = fault{
	name: "instance killed", perYear: 2, eachInstance: true,
	what: func(p policy) string {
		return map[keeper]string{
			systemd: "SIGKILL of the shop's process", group: "SIGKILL of a server's shop, and the server does not come back",
			function: "SIGKILL of the execution environment that takes the next request",
			ecs:      "SIGKILL of a task's process", kubernetes: "SIGKILL of a pod's process",
		}[p.keeper]
	},
	inflict: func(ctx context.Context, i *infliction) error {
		if i.policy.keeper == function {
			return i.strike(ctx, syscall.SIGKILL)
		}
		victim := i.twin.Instances[0]
		i.twin.Kill(victim)
		switch i.policy.keeper {
		case systemd:
			if err := i.wait(ctx, "systemd's restart", contract.RestartDelay); err != nil {
				return err
			}
			return i.twin.Restart(ctx, victim)
		case kubernetes:
			if err := i.assume(ctx, noticePod); err != nil {
				return err
			}
			i.twin.Out(victim)
			if err := i.twin.Restart(ctx, victim); err != nil {
				return err
			}
			return i.detect(ctx, func(ctx context.Context) error { return i.twin.Join(ctx, victim) })
		case ecs:
			if err := i.assume(ctx, noticeTask); err != nil {
				return err
			}
			i.twin.Out(victim)
		default:
			if err := i.detect(ctx, func(ctx context.Context) error { return i.twin.AwaitOut(ctx, victim) }); err != nil {
				return err
			}
		}
		boot, assumption := i.boot()
		return i.replaceInstance(ctx, victim, boot, assumption)
	},
}

// strike sends a signal to the execution environment that takes the next event. That may be a webhook or the
// schedule's, whose failure no shopper feels.
func (i *infliction) strike(ctx context.Context, sig syscall.Signal) error {
	i.rely(placement)
	for {
		if err := i.twin.Function.Strike(ctx, sig); err != nil || i.felt == nil || i.felt() {
			return err
		}
	}
}
