package twin

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"shoplab/lab/process"
)

// What follows breaks parts of a twin on purpose and replaces them. A part that is broken here does not end the twin.
// One goroutine does it at a time.

// expect says that a process ends, and that the twin goes on.
func (r *run) expect(p *process.Process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.expected == nil {
		r.expected = map[*process.Process]bool{}
	}
	r.expected[p] = true
}

func (r *run) isExpected(p *process.Process) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.expected[p]
}

// Kill ends an instance's process at once (SIGKILL). Whoever asks it gets no connection.
func (t *Twin) Kill(i *Instance) {
	t.run.expect(i.proc)
	i.proc.Kill()
}

// Hang stops an instance's process without ending it (SIGSTOP): connections to it are made, and nothing answers.
func (t *Twin) Hang(i *Instance) error { return i.proc.Signal(syscall.SIGSTOP) }

// Resume lets an instance that hangs go on.
func (t *Twin) Resume(i *Instance) error { return i.proc.Signal(syscall.SIGCONT) }

// Finish asks an instance to end (SIGTERM) and waits: it answers what it has begun.
func (t *Twin) Finish(ctx context.Context, i *Instance) error {
	t.run.expect(i.proc)
	return i.proc.Stop(ctx)
}

// Restart starts an instance whose process has ended again, at the same address, and waits until it can serve.
func (t *Twin) Restart(ctx context.Context, i *Instance) error {
	if err := t.run.startInstance(i); err != nil {
		return err
	}
	return t.run.ready(ctx, i)
}

// Launch starts one instance more and waits until it can serve; Join lets it.
func (t *Twin) Launch(ctx context.Context) (*Instance, error) {
	r := t.run
	r.mu.Lock()
	number := max(len(r.groups.shop), r.launched)
	r.launched = number + 1
	r.mu.Unlock()
	i, err := r.newInstance(number)
	if err != nil {
		return nil, err
	}
	if err := r.startInstance(i); err != nil {
		return nil, err
	}
	if err := r.ready(ctx, i); err != nil {
		return nil, err
	}
	if r.frontHop.route { // a mesh
		if err := r.startSidecar(ctx, i); err != nil {
			return nil, err
		}
	}
	t.Instances = append(t.Instances, i)
	return i, nil
}

// Join registers an instance with the balancer and waits until it is sent requests.
func (t *Twin) Join(ctx context.Context, i *Instance) error {
	t.run.rotation.add(t.run.targetOf(i))
	return t.run.rotation.await(ctx, i.host, true)
}

// Leave has the balancer send no more requests to an instance, which is one of the twin's no longer.
func (t *Twin) Leave(i *Instance) {
	t.run.rotation.remove(i.host)
	for n, other := range t.Instances {
		if other == i {
			t.Instances = append(t.Instances[:n:n], t.Instances[n+1:]...)
			return
		}
	}
}

// Out takes an instance out of the balancer for as long as it takes to come back by Join.
func (t *Twin) Out(i *Instance) { t.run.rotation.remove(i.host) }

// AwaitOut waits until the health checks have taken an instance out.
func (t *Twin) AwaitOut(ctx context.Context, i *Instance) error {
	return t.run.rotation.await(ctx, i.host, false)
}

// AwaitIn waits until the health checks have put an instance back.
func (t *Twin) AwaitIn(ctx context.Context, i *Instance) error {
	return t.run.rotation.await(ctx, i.host, true)
}

// HaltPostgres ends the database: as a restart does, or immediately, as a crash.
func (t *Twin) HaltPostgres(ctx context.Context, immediate bool) error {
	t.run.expect(t.postgres.Process())
	return t.postgres.Halt(ctx, immediate)
}

// StartPostgres brings the database back and waits until it answers.
func (t *Twin) StartPostgres(ctx context.Context) error {
	if err := t.postgres.Start(ctx); err != nil {
		return fmt.Errorf("start PostgreSQL again: %w", err)
	}
	t.run.watch(t.postgres.Process())
	t.Postgres.PID = t.postgres.Process().PID()
	return nil
}

// HaltRedis ends the cache, and with it what it holds.
func (t *Twin) HaltRedis(ctx context.Context) error {
	if p := t.redis.Process(); p != nil {
		t.run.expect(p)
	}
	return t.redis.Halt(ctx)
}

// StartRedis brings the cache back, empty.
func (t *Twin) StartRedis(ctx context.Context) error {
	if err := t.redis.Start(ctx); err != nil {
		return fmt.Errorf("start Redis again: %w", err)
	}
	if p := t.redis.Process(); p != nil {
		t.run.watch(p)
		t.Redis.PID = p.PID()
	}
	return nil
}

// HaltFront ends the load balancer, or the mesh's gateway, at once.
func (t *Twin) HaltFront() {
	t.run.expect(t.run.front.proc)
	t.run.front.proc.Kill()
}

// StartFront starts it again, at the same port, once there is an instance that is well, and waits until a request
// passes through it.
func (t *Twin) StartFront(ctx context.Context) error {
	r := t.run
	if err := r.rotation.awaitSome(ctx); err != nil {
		return err
	}
	return r.rotation.replace(func(hosts []string) (_ balancer, err error) {
		again := r.frontHop
		again.hosts = hosts
		if r.front, err = r.startHop(ctx, again, nil, r.groups.proxy); err != nil {
			return nil, errors.Join(errors.New("start the load balancer again"), err)
		}
		t.Proxies = append(t.Proxies[:1], t.Proxies[2:]...) // the new one is the first
		return r.front, nil
	})
}
