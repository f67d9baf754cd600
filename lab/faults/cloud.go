package faults

import (
	"context"
	"errors"
	"fmt"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/target"
	"shoplab/lab/target/aws"
	"shoplab/lab/watch"
)

// cloud is AWS, where a stage is a stack. Every wait is kept in full, and what replaces a part takes what AWS takes.
type cloud struct {
	at       target.Target
	name     string
	policy   policy
	newImage string
	longest  time.Duration // of what is declared and no part of AWS: a person, a zone that is away
	say      func(string)

	site breakable // nil while none is up
}

// breakable is a site whose parts AWS breaks.
type breakable interface {
	target.Site
	Break(ctx context.Context, act aws.Act) (done string, err error)
	Redeploy(ctx context.Context, image string) (reference string, err error)
}

// offer is what AWS offers of a fault.
type offer struct {
	act       aws.Act
	what, not string // what is done, or why nothing is
}

// offerOf is what is done to a stage of a keeper.
func (c *cloud) offerOf(name string) offer {
	own := c.policy.keeper == systemd // everything is on one server
	switch name {
	case killed.name:
		what, ok := map[keeper]string{
			systemd: "SIGKILL of the shop's process, by Systems Manager: to terminate the server is to lose the " +
				"database for good",
			group: "a server is terminated", ecs: "a task is stopped",
			kubernetes: "a pod is deleted without a grace period, by Systems Manager",
		}[c.policy.keeper]
		if !ok {
			return offer{not: "AWS offers nothing that ends an execution environment"}
		}
		return offer{act: aws.ActKill, what: what}
	case hangs.name:
		switch c.policy.keeper {
		case ecs:
			return offer{not: "not offered: nothing reaches the processes of a task on Fargate but ECS Exec, which is off, " +
				"and the image has no shell"}
		case function:
			return offer{not: "AWS offers nothing that reaches the process of an execution environment"}
		}
		return offer{act: aws.ActHang, what: "SIGSTOP of an instance's process, by Systems Manager"}
	case restarted.name:
		if own {
			return offer{act: aws.ActRestartDatabase, what: "PostgreSQL is restarted, by Systems Manager"}
		}
		return offer{act: aws.ActRestartDatabase, what: "RDS reboots the database"}
	case crashed.name:
		if own {
			return offer{act: aws.ActCrashDatabase, what: "PostgreSQL is stopped immediately, and started, by Systems Manager"}
		}
		// Source: Amazon RDS API Reference, RebootDBInstance: ForceFailover only where Multi-AZ is on.
		return offer{not: "not offered: RDS for PostgreSQL has nothing that crashes a database without a standby"}
	case cacheGone.name:
		if own {
			return offer{act: aws.ActEmptyCache, what: "Redis is stopped and started, empty, by Systems Manager"}
		}
		return offer{act: aws.ActEmptyCache, what: "ElastiCache reboots the node, which loses what it holds"}
	case proxyGone.name:
		if not := proxyGone.skip(c.policy); not != "" {
			return offer{not: not}
		}
		if own {
			return offer{act: aws.ActRestartProxy, what: "SIGKILL of nginx, by Systems Manager"}
		}
		return offer{act: aws.ActRestartProxy, what: "the gateway's pod is deleted without a grace period, by Systems " +
			"Manager"}
	case zoneGone.name:
		return offer{act: aws.ActStopZone, what: c.zone()}
	case deploy.name:
		return offer{what: "pulumi up with a new image"}
	}
	return offer{not: "not offered: the stage simulates payments, for the stand-in for Stripe is on this machine and " +
		"cannot be reached from there; no webhook comes"}
}

func (c *cloud) zone() string {
	const data = "the database is stopped and the cache's node rebooted; the zone is back once AWS has stopped them"
	switch c.policy.keeper {
	case systemd:
		return "the server is stopped, and started once AWS has stopped it"
	case kubernetes:
		return "the server and " + data
	case group:
		return "the servers in the database's zone are terminated, " + data
	case ecs:
		return "the tasks in the database's zone are stopped, " + data
	}
	return data + "; AWS offers nothing that ends execution environments by their zone"
}

func (c *cloud) offers(f fault) (what, not string) {
	o := c.offerOf(f.name)
	return o.what, o.not
}

func (c *cloud) up(ctx context.Context) (target.Site, load.Options, error) {
	site, err := c.at.Up(ctx, c.name)
	if err != nil {
		return nil, load.Options{}, err
	}
	there, ok := site.(breakable)
	if !ok {
		return nil, load.Options{}, errors.Join(fmt.Errorf("nothing breaks a %T", site), site.Down(ctx))
	}
	c.site = there
	return site, load.Options{URL: site.URL()}, nil
}

func (c *cloud) probes() []watch.Probe { return c.site.Probes() }

func (c *cloud) inflict(ctx context.Context, f fault) (clock, []string, error) {
	i := &infliction{policy: c.policy, longest: c.longest}
	ctx, cancel := context.WithTimeout(ctx, cloudPatience)
	defer cancel()
	if f.name == deploy.name {
		image, err := c.site.Redeploy(ctx, c.newImage)
		c.say("  deployed " + image)
		return nil, nil, err
	}
	err := c.act(ctx, c.offerOf(f.name).act)
	var between string // of what is not AWS's to bring back
	var back aws.Act
	switch {
	case f.name == zoneGone.name:
		between, back = zoneAway, aws.ActStartZone
	case f.name == hangs.name && c.policy.keeper == systemd:
		between, back = person, aws.ActKill
	}
	if err == nil && back != "" {
		if err = i.assume(ctx, between); err == nil {
			err = c.act(ctx, back)
		}
	}
	return i.clock, i.assumed, err
}

func (c *cloud) act(ctx context.Context, act aws.Act) error {
	done, err := c.site.Break(ctx, act)
	if err == nil {
		c.say("  " + done)
	}
	return err
}

// cloudPatience is how long AWS may take: RDS stops and starts a database in minutes, and a group replaces a server in
// about as many.
const cloudPatience = time.Hour

func (c *cloud) patience() time.Duration { return 15 * time.Minute }

func (c *cloud) remember(*result.Fault, time.Time, time.Time, time.Time) {} // no payment leaves the shop

// settle has nobody to ask: the stage's database is in its VPC.
func (c *cloud) settle(context.Context) ([]result.Invariant, error) { return nil, nil }

// downTimeout bounds the teardown, also of an interrupted run.
const downTimeout = 75 * time.Minute

func (c *cloud) down(ctx context.Context) error {
	if c.site == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), downTimeout)
	defer cancel()
	err := c.site.Down(ctx)
	c.site = nil
	return err
}
