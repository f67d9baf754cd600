package faults

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"shoplab/contract"
)

// hangs: an instance takes connections and answers nothing.
var hangs = fault{
	name: "instance hangs", perYear: 1, eachInstance: true,
	what: func(p policy) string {
		if p.keeper == function {
			return fmt.Sprintf("SIGSTOP of the execution environment that takes the next request, which Lambda ends after %s",
				p.timeout)
		}
		return "SIGSTOP of an instance's process"
	},
	inflict: func(ctx context.Context, i *infliction) error {
		if i.policy.keeper == function {
			return i.strike(ctx, syscall.SIGSTOP)
		}
		victim, began := i.twin.Instances[0], time.Now()
		if err := i.twin.Hang(victim); err != nil {
			return err
		}
		defer func() { _ = i.twin.Resume(victim) }() // where it was not ended: so that it can be
		if i.policy.keeper == systemd {
			if err := i.assume(ctx, person); err != nil {
				return err
			}
			i.twin.Kill(victim)
			if err := i.wait(ctx, "systemd's restart", contract.RestartDelay); err != nil {
				return err
			}
			return i.twin.Restart(ctx, victim)
		}
		if err := i.detect(ctx, func(ctx context.Context) error { return i.twin.AwaitOut(ctx, victim) }); err != nil {
			return err
		}
		if i.policy.keeper == kubernetes {
			// The probes have failed since it hung. Then it is asked to end, which it does not hear.
			if err := i.wait(ctx, "liveness probes", i.policy.liveness-time.Since(began)); err != nil {
				return err
			}
			if err := i.wait(ctx, "the pod's grace period", i.policy.grace); err != nil {
				return err
			}
			i.twin.Kill(victim)
			if err := i.twin.Restart(ctx, victim); err != nil {
				return err
			}
			return i.detect(ctx, func(ctx context.Context) error { return i.twin.AwaitIn(ctx, victim) })
		}
		// What it holds is cut off when it is deregistered; its replacement starts meanwhile.
		if err := i.wait(ctx, "deregistration delay", i.policy.deregistration); err != nil {
			return err
		}
		i.twin.Kill(victim)
		boot, assumption := i.boot()
		return i.replaceInstance(ctx, victim, boot-i.policy.deregistration, assumption)
	},
}
