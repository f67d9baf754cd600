package twin

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"shoplab/contract"
	"shoplab/lab/process"
)

// startInstances starts the service once for each instance and waits until all are ready.
func (r *run) startInstances(ctx context.Context, databaseURL string) (err error) {
	r.databaseURL = databaseURL
	if r.key, err = sessionKey(r.opts.Data); err != nil {
		return err
	}
	r.onStop(func(ctx context.Context) error { return stopAll(ctx, r.procs()) })
	wait, ctx := errgroup.WithContext(ctx)
	for i := range r.twin.Stage.Instances {
		instance, err := r.newInstance(i)
		if err != nil {
			return err
		}
		if err := r.startInstance(instance); err != nil {
			return err
		}
		r.twin.Instances = append(r.twin.Instances, instance)
		wait.Go(func() error { return r.ready(ctx, instance) })
	}
	return wait.Wait()
}

// procs are the processes of all instances.
func (r *run) procs() []*process.Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.instances
}

// newInstance is the next instance, which has not been started: instance i of those that the stage begins with.
func (r *run) newInstance(i int) (*Instance, error) {
	port, err1 := process.FreePort()
	adminPort, err2 := process.FreePort()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	group, err := r.groups.instance(i)
	if err != nil {
		return nil, err
	}
	addr, adminAddr := fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("127.0.0.1:%d", adminPort)
	return &Instance{
		Part: Part{Name: fmt.Sprintf("shop-%d", i+1), Kind: "shop", Group: group},
		URL:  "http://" + addr, AdminURL: "http://" + adminAddr, host: addr,
	}, nil
}

// startInstance starts an instance's process, the first time or again, at the same addresses.
func (r *run) startInstance(i *Instance) error {
	env := append(r.env(), contract.EnvAddr+"="+strings.TrimPrefix(i.URL, "http://"),
		contract.EnvAdminAddr+"="+strings.TrimPrefix(i.AdminURL, "http://"), contract.EnvInstance+"="+i.Name)
	log, err := r.log.file(i.Name)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", i.Name, err)
	}
	if f, ok := log.(io.Closer); ok {
		r.onStop(func(context.Context) error { return f.Close() })
	}
	i.proc, err = process.Start(process.Spec{
		Name: i.Name, Path: r.binary, Env: append(env, r.twin.Stage.Env...), Log: log, Enter: i.Group.enter(),
		StopTimeout: stopTimeout,
	})
	if err != nil {
		return err
	}
	i.PID = i.proc.PID()
	r.mu.Lock()
	r.instances = append(r.instances, i.proc)
	r.mu.Unlock()
	r.watch(i.proc)
	return nil
}

// stopTimeout is how long an instance may drain and finish what it has begun: the service takes 15 s at most for the
// latter.
const stopTimeout = 40 * time.Second

// ready waits until an instance can serve.
func (r *run) ready(ctx context.Context, i *Instance) error {
	return r.await(ctx, i.proc, i.URL+contract.ReadyPath, nil)
}

// env is the environment that all instances have.
func (r *run) env() []string {
	s, rateLimit := r.twin.Stage, "off"
	if r.opts.RateLimit {
		rateLimit = "on"
	}
	return []string{
		contract.EnvDatabaseURL + "=" + r.databaseURL,
		fmt.Sprintf("%s=%d", contract.EnvDatabaseMaxConns, s.PoolPerInstance),
		contract.EnvRedisURL + "=" + r.redis.URL(),
		contract.EnvSessionKey + "=" + r.key,
		contract.EnvStage + "=" + s.Name,
		contract.EnvTopology + "=" + string(s.Topology),
		contract.EnvRateLimit + "=" + rateLimit,
		contract.EnvPayments + "=simulated",
		contract.EnvTrustedProxies + "=127.0.0.1/32",
		contract.EnvDrainDelay + "=0s", // no balancer needs time to notice: it stops first
	}
}

// stopAll stops processes at the same time.
func stopAll(ctx context.Context, procs []*process.Process) error {
	errs := make([]error, len(procs))
	var all errgroup.Group
	for i, p := range procs {
		all.Go(func() error { errs[i] = p.Stop(ctx); return nil })
	}
	return errors.Join(append(errs, all.Wait())...)
}

// await asks url until it answers 200, the process ends or ctx is done. mutual is for https; nil elsewhere.
func (r *run) await(ctx context.Context, p *process.Process, url string, mutual *tls.Config) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	client := &http.Client{
		Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: mutual},
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask(ctx, client, url)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.Done():
			return p.Err()
		case <-ctx.Done():
			if lines := p.Tail(); lines != "" {
				err = fmt.Errorf("%w; its last lines:\n%s", err, lines)
			}
			return fmt.Errorf("wait for %s: %w; last answer: %w", p.Name(), ctx.Err(), err)
		}
	}
}

// sessionKey is new for each run, or the one kept beside the data, so that a shopper stays signed
// in.
func sessionKey(data string) (string, error) {
	fresh := make([]byte, 32)
	if _, err := rand.Read(fresh); err != nil {
		return "", fmt.Errorf("make a session key: %w", err)
	}
	key := hex.EncodeToString(fresh)
	if data == "" {
		return key, nil
	}
	file := filepath.Join(data, "session-key")
	kept, err := os.ReadFile(file)
	switch {
	case err == nil:
		return strings.TrimSpace(string(kept)), nil
	case errors.Is(err, os.ErrNotExist):
		if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
			return "", fmt.Errorf("keep the session key: %w", err)
		}
		return key, nil
	default:
		return "", fmt.Errorf("read the session key: %w", err)
	}
}
