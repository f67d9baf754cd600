package twin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// An ALB's target group takes a target out after two failed checks by default; the platform puts
// it back after two good ones.
const threshold = 2

// target is one instance under health checks.
type target struct {
	url    string // to ask
	host   string // to send requests to
	out    bool
	streak int // checks in a row that speak against the present state
}

// checkHealth asks every target each interval until ctx ends, and tells the balancer when the set
// of healthy ones changes. When none is healthy it sends requests to all, as an ALB does.
func checkHealth(ctx context.Context, interval time.Duration, targets []*target, b balancer, log io.Writer) {
	client := &http.Client{
		Timeout:   5 * time.Second, // an ALB's default
		Transport: &http.Transport{DisableKeepAlives: true},
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !probe(ctx, client, targets) || ctx.Err() != nil {
			continue
		}
		hosts := healthy(targets)
		_, _ = fmt.Fprintf(log, "health checks: sending requests to %v\n", hosts)
		if err := b.use(hosts); err != nil {
			_, _ = fmt.Fprintf(log, "health checks: %v\n", err)
		}
	}
}

// probe asks every target once, all at the same time, and says whether any changed sides.
func probe(ctx context.Context, client *http.Client, targets []*target) (changed bool) {
	answers := make(chan bool)
	for _, t := range targets {
		go func() { answers <- t.observe(ask(ctx, client, t.url) == nil) }()
	}
	for range targets {
		changed = <-answers || changed
	}
	return changed
}

// observe counts a check and says whether it moved the target in or out.
func (t *target) observe(ok bool) bool {
	if ok != t.out {
		t.streak = 0
		return false
	}
	if t.streak++; t.streak < threshold {
		return false
	}
	t.out, t.streak = !t.out, 0
	return true
}

func healthy(targets []*target) []string {
	var in, all []string
	for _, t := range targets {
		all = append(all, t.host)
		if !t.out {
			in = append(in, t.host)
		}
	}
	if len(in) == 0 {
		return all
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
