package faults

import (
	"context"

	"shoplab/contract"
)

// proxyGone: what stands before the instances ends and starts again.
var proxyGone = fault{
	name: "proxy restarts", perYear: 1,
	skip: func(p policy) string {
		switch p.keeper {
		case group, ecs:
			return "AWS runs the load balancer, and offers no restart of it"
		case function:
			return "AWS runs CloudFront and the HTTP API, and offers no restart of them"
		}
		return ""
	},
	what: func(p policy) string {
		if p.keeper == kubernetes {
			return "SIGKILL of the gateway, which the kubelet starts again"
		}
		return "SIGKILL of nginx, which systemd starts again"
	},
	inflict: func(ctx context.Context, i *infliction) error {
		i.twin.HaltFront()
		if i.policy.keeper == systemd {
			if err := i.wait(ctx, "systemd's restart", contract.RestartDelay); err != nil {
				return err
			}
		}
		return i.twin.StartFront(ctx)
	},
}
