package twin

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"shoplab/contract"
	"shoplab/lab/process"
	"shoplab/lab/program"
)

// startProxies starts the hops between a shopper and the instances: a load balancer, and in a mesh
// a gateway and a sidecar beside each instance. Then it starts the health checks.
func (r *run) startProxies(ctx context.Context) (err error) {
	port := r.opts.Port
	if port == 0 {
		if port, err = process.FreePort(); err != nil {
			return err
		}
	}
	name := "load-balancer"
	if r.twin.Stage.Meshed() {
		name = "gateway"
		if err := r.identities(); err != nil {
			return err
		}
		for _, i := range slices.Backward(r.twin.Instances) {
			if err := r.startSidecar(ctx, i); err != nil {
				return err
			}
		}
	}
	var targets []*target
	for _, i := range r.twin.Instances {
		targets = append(targets, r.targetOf(i))
	}
	r.frontHop = hop{name: name, port: port, hosts: healthy(targets), sends: r.gateway, route: r.twin.Stage.Meshed()}
	if r.front, err = r.startHop(ctx, r.frontHop, nil, r.groups.proxy); err != nil {
		return err
	}
	r.twin.URL = fmt.Sprintf("http://127.0.0.1:%d", port)
	r.rotation = newRotation(r.opts.Check.withDefaults(r.twin.Stage.HealthCheckInterval), r.front, targets,
		r.log.named("health"))
	checks, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { r.rotation.run(checks) })
	r.onStop(func(context.Context) error {
		cancel()
		wg.Wait()
		return nil
	})
	return nil
}

// targetOf is an instance for the health checks, which ask it past every proxy.
func (r *run) targetOf(i *Instance) *target {
	return &target{url: i.URL + r.twin.Stage.HealthCheckPath, host: i.host}
}

// identities makes those of a gateway and of the sidecars, which talk to each other with mutual TLS. The
// lab's own proxy, which stands in for Envoy, knows none.
func (r *run) identities() error {
	if r.proxy != "" {
		return nil
	}
	a, err := newAuthority(filepath.Join(r.dir.Path, "mesh"))
	if err != nil {
		return err
	}
	if r.gateway, err = a.issue("gateway", "sidecar"); err != nil {
		return err
	}
	r.sidecar, err = a.issue("sidecar", "gateway")
	return err
}

// startSidecar starts the proxy beside an instance, which requests go through from now on. Only the gateway may
// connect, so the check that it has started is made in the gateway's name.
func (r *run) startSidecar(ctx context.Context, i *Instance) error {
	port, err := process.FreePort()
	if err != nil {
		return err
	}
	own := hop{
		name: "sidecar-" + strings.TrimPrefix(i.Name, "shop-"), port: port, hosts: []string{i.host}, accepts: r.sidecar,
	}
	if _, err := r.startHop(ctx, own, r.gateway, r.groups.sidecars); err != nil {
		return err
	}
	i.host = fmt.Sprintf("127.0.0.1:%d", port)
	return nil
}

// startHop starts a proxy of the stage's kind and waits until a request passes through it, sent as who may.
func (r *run) startHop(ctx context.Context, h hop, as *identity, group *Group) (*started, error) {
	h.dir, h.log, h.enter = filepath.Join(r.dir.Path, h.name), r.log.named(h.name), group.enter()
	mesh := r.twin.Stage.Meshed()
	var s *started
	var err error
	switch {
	case r.proxy != "":
		s, err = startProxy(h, r.proxy)
	case mesh:
		s, err = startEnvoy(h, r.balancer)
	default:
		s, err = startNginx(h, r.balancer)
	}
	if err != nil {
		return nil, err
	}
	r.onStop(s.stop)
	r.watch(s.proc)
	part := &Part{Name: h.name, Kind: s.kind, PID: s.proc.PID(), Group: group, StandIn: mesh && s.kind != "envoy"}
	r.twin.Proxies = slices.Insert(r.twin.Proxies, 0, part) // started from the back to the front
	if part.StandIn {
		r.standIn("envoy")
	}
	address := fmt.Sprintf("127.0.0.1:%d%s", h.port, contract.ReadyPath)
	if as == nil {
		return s, r.await(ctx, s.proc, "http://"+address, nil)
	}
	mutual, err := as.client()
	if err != nil {
		return nil, err
	}
	return s, r.await(ctx, s.proc, "https://"+address, mutual)
}

// chooseProxy finds nginx, or Envoy for a mesh, and builds the lab's own proxy where it is missing.
func (r *run) chooseProxy(ctx context.Context) (err error) {
	name := "nginx"
	if r.twin.Stage.Meshed() {
		name = "envoy"
	}
	r.balancer, err = process.LookPath(name)
	if err != nil && name == "envoy" && os.Getenv(process.EnvEnvoy) != "" {
		return fmt.Errorf("%s: %w", process.EnvEnvoy, err) // who named one does not want the stand-in
	}
	alb := r.twin.Stage.Topology == contract.Balanced || r.twin.Stage.Topology == contract.Fargate
	if err == nil && !r.opts.builtin && (!r.opts.AsALB || !alb) {
		return nil
	}
	r.proxy, err = program.Build(ctx, r.opts.Root, "proxy", "./lab/proxy")
	return err
}
