package twin

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"shoplab/contract"
	"shoplab/lab/process"
	"shoplab/lab/stage"
)

// startProxies starts the hops between a shopper and the instances: a load balancer, and in a mesh
// a gateway and a sidecar beside each instance. Then it starts the health checks.
func (r *run) startProxies(ctx context.Context) error {
	port := r.opts.Port
	if port == 0 {
		var err error
		if port, err = process.FreePort(); err != nil {
			return err
		}
	}
	var targets []*target
	for _, i := range r.twin.Instances {
		targets = append(targets, &target{url: i.URL + r.twin.Stage.HealthCheckPath, host: strings.TrimPrefix(i.URL, "http://")})
	}
	name := "load-balancer"
	if r.twin.Stage.Topology == stage.Mesh {
		name = "gateway"
		for n, t := range slices.Backward(targets) {
			var err error
			if t.host, err = r.startSidecar(ctx, fmt.Sprintf("sidecar-%d", n+1), t.host); err != nil {
				return err
			}
		}
	}
	front, err := r.startHop(ctx, name, port, healthy(targets), r.groups.proxy)
	if err != nil {
		return err
	}
	r.twin.URL = fmt.Sprintf("http://127.0.0.1:%d", port)

	checks, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		checkHealth(checks, r.twin.Stage.HealthCheckInterval, targets, front, r.log.named("health"))
	})
	r.onStop(func(context.Context) error {
		cancel()
		wg.Wait()
		return nil
	})
	return nil
}

// startSidecar starts the proxy beside an instance and returns its address.
func (r *run) startSidecar(ctx context.Context, name, host string) (string, error) {
	port, err := process.FreePort()
	if err != nil {
		return "", err
	}
	if _, err := r.startHop(ctx, name, port, []string{host}, r.groups.sidecars); err != nil {
		return "", err
	}
	return fmt.Sprintf("127.0.0.1:%d", port), nil
}

// startHop starts a proxy of the stage's kind and waits until a request passes through it.
func (r *run) startHop(ctx context.Context, name string, port int, hosts []string, group *Group) (*started, error) {
	h := hop{name: name, port: port, hosts: hosts, dir: filepath.Join(r.dir.Path, name), log: r.log.named(name), enter: group.enter()}
	mesh := r.twin.Stage.Topology == stage.Mesh
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
	part := &Part{Name: name, Kind: s.kind, PID: s.proc.PID(), Group: group, StandIn: mesh && s.kind != "envoy"}
	r.twin.Proxies = slices.Insert(r.twin.Proxies, 0, part) // started from the back to the front
	if part.StandIn {
		r.standIn("envoy")
	}
	return s, r.await(ctx, s.proc, fmt.Sprintf("http://127.0.0.1:%d%s", port, contract.ReadyPath))
}

// chooseProxy finds nginx, or Envoy for a mesh, and builds the lab's own proxy where it is missing.
func (r *run) chooseProxy(ctx context.Context) (err error) {
	name := "nginx"
	if r.twin.Stage.Topology == stage.Mesh {
		name = "envoy"
	}
	if r.balancer, err = process.LookPath(name); err == nil && !r.opts.builtin {
		return nil
	}
	r.proxy, err = Build(ctx, r.opts.Root, "proxy", "./lab/proxy")
	return err
}
