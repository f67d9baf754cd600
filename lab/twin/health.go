package twin

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Check is how instances are found to be well: an ALB's health check, or a pod's readiness probe.
type Check struct {
	Interval, Timeout time.Duration
	// Unhealthy failures in a row take an instance out, Healthy successes put it back. A new one is in with its first:
	// "it must pass one health check to be considered healthy" (Elastic Load Balancing, Application Load Balancers,
	// "Health checks for your target groups").
	Healthy, Unhealthy int
	// Closed leaves nobody in when none is healthy, as Kubernetes does; an ALB sends requests to all then.
	Closed bool
}

// withDefaults fills in an ALB's timeout and thresholds.
func (c Check) withDefaults(interval time.Duration) Check {
	c.Interval = cmp.Or(c.Interval, interval)
	c.Timeout = cmp.Or(c.Timeout, 5*time.Second)
	c.Healthy, c.Unhealthy = cmp.Or(c.Healthy, 2), cmp.Or(c.Unhealthy, 2)
	return c
}

// target is one instance under health checks.
type target struct {
	url    string // to ask
	host   string // to send requests to
	fresh  bool   // it has not passed a check yet
	out    bool
	streak int // checks in a row that speak against the present state
}

// rotation is the instances that the balancer sends requests to.
type rotation struct {
	check Check
	log   io.Writer

	mu      sync.Mutex
	front   balancer
	targets []*target
	changed chan struct{} // closed when who is in has changed
}

func newRotation(c Check, front balancer, targets []*target, log io.Writer) *rotation {
	return &rotation{check: c, front: front, targets: targets, log: log, changed: make(chan struct{})}
}

// run asks every target each interval until ctx ends, and tells the balancer when the set of healthy ones changes.
func (r *rotation) run(ctx context.Context) {
	client := &http.Client{Timeout: r.check.Timeout, Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(r.check.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		r.probe(ctx, client)
	}
}

// probe asks every target once, all at the same time.
func (r *rotation) probe(ctx context.Context, client *http.Client) {
	r.mu.Lock()
	asked := slices.Clone(r.targets)
	r.mu.Unlock()
	answers := make([]error, len(asked))
	var wg sync.WaitGroup
	for i, t := range asked {
		wg.Go(func() { answers[i] = ask(ctx, client, t.url) })
	}
	wg.Wait()
	if ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := false
	for i, t := range asked {
		if t.observe(answers[i] == nil, r.check) && slices.Contains(r.targets, t) {
			changed = true
		}
	}
	if changed {
		r.tell()
	}
}

// tell tells the balancer who is in; the lock is held.
func (r *rotation) tell() {
	hosts := r.hosts()
	_, _ = fmt.Fprintf(r.log, "health checks: sending requests to %v\n", hosts)
	if err := r.front.use(hosts); err != nil {
		_, _ = fmt.Fprintf(r.log, "health checks: %v\n", err)
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

// hosts are those that get requests; the lock is held.
func (r *rotation) hosts() []string {
	in := healthy(r.targets)
	if len(in) > 0 || r.check.Closed {
		return in
	}
	var all []string
	for _, t := range r.targets {
		all = append(all, t.host)
	}
	return all
}

// add registers a target, which gets requests from its first good check on.
func (r *rotation) add(t *target) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t.fresh, t.out, t.streak = true, true, 0
	r.targets = append(r.targets, t)
}

// remove takes a target out for good: nothing new is sent to it.
func (r *rotation) remove(host string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.targets)
	r.targets = slices.DeleteFunc(r.targets, func(t *target) bool { return t.host == host })
	if len(r.targets) < n {
		r.tell()
	}
}

// replace has another balancer told from now on; it starts with whom it returns.
func (r *rotation) replace(start func(hosts []string) (balancer, error)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	front, err := start(r.hosts())
	if err == nil {
		r.front = front
	}
	return err
}

// await waits until a target is in, or is not.
func (r *rotation) await(ctx context.Context, host string, in bool) error {
	err := r.until(ctx, func() bool { return slices.Contains(healthy(r.targets), host) == in })
	if err != nil {
		return fmt.Errorf("wait for the health checks of %s: %w", host, err)
	}
	return nil
}

// awaitSome waits until anybody gets requests.
func (r *rotation) awaitSome(ctx context.Context) error {
	if err := r.until(ctx, func() bool { return len(r.hosts()) > 0 }); err != nil {
		return fmt.Errorf("wait for an instance that is well: %w", err)
	}
	return nil
}

// until waits for something about the targets, which is asked with the lock held.
func (r *rotation) until(ctx context.Context, holds func() bool) error {
	for {
		r.mu.Lock()
		now, changed := holds(), r.changed
		r.mu.Unlock()
		if now {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// observe counts a check and says whether it moved the target in or out.
func (t *target) observe(ok bool, c Check) bool {
	if ok != t.out {
		t.streak = 0
		return false
	}
	limit := c.Unhealthy
	switch {
	case t.out && t.fresh:
		limit = 1
	case t.out:
		limit = c.Healthy
	}
	if t.streak++; t.streak < limit {
		return false
	}
	t.out, t.fresh, t.streak = !t.out, false, 0
	return true
}

func healthy(targets []*target) []string {
	var in []string
	for _, t := range targets {
		if !t.out {
			in = append(in, t.host)
		}
	}
	return in
}

// ask gets a URL and returns an error unless the answer is 200.
func ask(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if closeErr := resp.Body.Close(); err == nil {
		err = closeErr
	}
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return err
}
