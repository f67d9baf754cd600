package faults

import (
	"errors"
	"fmt"
	"math"
	"time"

	"shoplab/contract"
	"shoplab/lab/cost"
	"shoplab/lab/stage"
	"shoplab/lab/twin"
)

// keeper is who replaces what is broken.
type keeper string

// The keepers.
const (
	systemd    keeper = "systemd"
	group      keeper = "an Auto Scaling group"
	ecs        keeper = "ECS"
	kubernetes keeper = "Kubernetes"
	function   keeper = "Lambda"
)

// policy is how a stage finds and replaces what is broken, as its resource graph and the contract have it. Times are
// those that are configured.
type policy struct {
	keeper keeper
	check  twin.Check // of the load balancer, or a pod's readiness
	// deregistration is how long a target that leaves may finish what it has begun.
	deregistration time.Duration
	drain          time.Duration // of the service, after it was told to end
	liveness       time.Duration // of failures until a container that hangs is ended
	grace          time.Duration // that it then has
	warmup         time.Duration // between a new server and the next
	atOnce         int           // instances more than wanted, during a rollout
	timeout        time.Duration // of a function's event
}

// policyOf reads the policy of a stage that has n instances.
func policyOf(g cost.Graph, s stage.Stage) (policy, error) {
	r := reader{graph: g}
	var p policy
	switch s.Topology {
	case contract.Single:
		p = policy{keeper: systemd}
	case contract.Balanced:
		p = policy{keeper: group, warmup: contract.RefreshWarmup}
		p.atOnce = max(1, s.Instances*(contract.RefreshMost-contract.RefreshLeast)/100)
		r.balancer(&p)
	case contract.Fargate:
		p.keeper = ecs
		service := r.resource("aws:ecs/service:Service")
		more := number(service, "deploymentMaximumPercent") - number(service, "deploymentMinimumHealthyPercent")
		p.atOnce = int(float64(s.Instances) * more / 100)
		r.balancer(&p)
	case contract.Mesh:
		p = policy{keeper: kubernetes}
		r.pod(&p)
	case contract.Lambda:
		p = policy{keeper: function, timeout: r.seconds(r.resource("aws:lambda/function:Function"), "timeout")}
	default:
		return p, fmt.Errorf("%s is %s: faults know single, balanced, fargate, mesh and lambda", s.Name, s.Topology)
	}
	return p, errors.Join(r.errs...)
}

// reader reads a graph and collects what it does not find.
type reader struct {
	graph cost.Graph
	errs  []error
}

func (r *reader) resource(kind string) map[string]any {
	for _, one := range r.graph.Resources {
		if one.Type == kind {
			return one.Inputs
		}
	}
	r.errs = append(r.errs, fmt.Errorf("the resource graph has no %s", kind))
	return nil
}

func (r *reader) seconds(from map[string]any, path ...string) time.Duration {
	n := number(from, path...)
	if math.IsNaN(n) {
		r.errs = append(r.errs, fmt.Errorf("the resource graph does not say %v", path))
		return 0
	}
	return time.Duration(n * float64(time.Second))
}

// balancer reads an ALB's target group.
func (r *reader) balancer(p *policy) {
	group := r.resource("aws:lb/targetGroup:TargetGroup")
	p.check = twin.Check{
		Interval: r.seconds(group, "healthCheck", "interval"), Timeout: r.seconds(group, "healthCheck", "timeout"),
		Healthy:   int(number(group, "healthCheck", "healthyThreshold")),
		Unhealthy: int(number(group, "healthCheck", "unhealthyThreshold")),
	}
	p.deregistration = r.seconds(group, "deregistrationDelay")
}

// pod reads a Deployment.
func (r *reader) pod(p *policy) {
	deployment := r.resource("kubernetes:apps/v1:Deployment")
	pod, _ := at(deployment, "spec", "template", "spec").(map[string]any)
	containers, _ := at(pod, "containers").([]any)
	if len(containers) == 0 {
		r.errs = append(r.errs, errors.New("the resource graph's Deployment has no container"))
		return
	}
	container, _ := containers[0].(map[string]any)
	p.check = twin.Check{
		Interval:  r.seconds(container, "readinessProbe", "periodSeconds"),
		Timeout:   r.seconds(container, "readinessProbe", "timeoutSeconds"),
		Healthy:   1, // successThreshold's default
		Unhealthy: int(number(container, "readinessProbe", "failureThreshold")), Closed: true,
	}
	failures := number(container, "livenessProbe", "failureThreshold")
	p.liveness = time.Duration(failures) * r.seconds(container, "livenessProbe", "periodSeconds")
	p.grace = r.seconds(pod, "terminationGracePeriodSeconds")
	p.atOnce = int(number(deployment, "spec", "strategy", "rollingUpdate", "maxSurge"))
	env, _ := container["env"].([]any)
	for _, one := range env {
		variable, _ := one.(map[string]any)
		if variable["name"] == contract.EnvDrainDelay {
			text, _ := variable["value"].(string)
			var err error
			if p.drain, err = time.ParseDuration(text); err != nil {
				r.errs = append(r.errs, fmt.Errorf("the resource graph's %s: %w", contract.EnvDrainDelay, err))
			}
		}
	}
}

func at(m map[string]any, path ...string) any {
	for _, key := range path[:len(path)-1] {
		m, _ = m[key].(map[string]any)
	}
	return m[path[len(path)-1]]
}

// number is a number of a graph, NaN where there is none.
func number(m map[string]any, path ...string) float64 {
	n, ok := at(m, path...).(float64)
	if !ok {
		return math.NaN()
	}
	return n
}

// detection and replacement say it in words.
func (p policy) detection() string {
	switch p.keeper {
	case systemd:
		return "a process that ends is noticed at once, one that hangs by a person"
	case kubernetes:
		return fmt.Sprintf("a container that ends is noticed at once; one that hangs leaves the endpoints after %d "+
			"readiness probes every %s and is ended after %s of failed liveness probes",
			p.check.Unhealthy, p.check.Interval, p.liveness)
	case ecs:
		return fmt.Sprintf("a task that ends is noticed at once, one that hangs by %d health checks of the load balancer "+
			"every %s", p.check.Unhealthy, p.check.Interval)
	case function:
		return fmt.Sprintf("an execution environment that ends is noticed at once, one that hangs after the function's "+
			"timeout of %s", p.timeout)
	default:
		return fmt.Sprintf("%d failed health checks of the load balancer every %s", p.check.Unhealthy, p.check.Interval)
	}
}

func (p policy) replacement() string {
	switch p.keeper {
	case systemd:
		return fmt.Sprintf("systemd starts a process again after %s; a new image is a new server", contract.RestartDelay)
	case kubernetes:
		return fmt.Sprintf("the kubelet starts a container again at once; a rollout has %d pod more and none less, and "+
			"drains for %s", p.atOnce, p.drain)
	case ecs:
		return fmt.Sprintf("ECS starts another task; a rollout has %d more at once and none less, and deregisters for %s",
			p.atOnce, p.deregistration)
	case function:
		return "the next request starts another execution environment; a new version serves once the alias names it, and " +
			"starts cold"
	default:
		return fmt.Sprintf("the group starts another server; a refresh has %d more and none less, deregisters for %s and "+
			"waits %s before the next",
			p.atOnce, p.deregistration, p.warmup)
	}
}
