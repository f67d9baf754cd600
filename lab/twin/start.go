package twin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"shoplab/lab/backing"
	"shoplab/lab/process"
	"shoplab/lab/program"
	"shoplab/lab/stage"
)

// run is a twin while it is being started, and what it takes to stop it.
type run struct {
	opts     Options
	twin     *Twin
	log      *logs
	dir      *process.TempDir
	groups   machines
	postgres *backing.Postgres
	redis    *backing.Redis
	binary   string // the service
	balancer string // nginx or envoy; "" where it is not installed
	proxy    string // the lab's own, built instead

	databaseURL, key string    // that the instances use
	front            *started  // the load balancer, or the mesh's gateway
	frontHop         hop       // what it is
	rotation         *rotation // whom it sends requests to
	// sidecar and gateway are the mesh's identities; nil without mutual TLS.
	sidecar, gateway *identity

	mu        sync.Mutex
	stops     []func(context.Context) error
	instances []*process.Process        // all that were ever started
	launched  int                       // instances that were ever begun, of those beyond the first
	expected  map[*process.Process]bool // whose end does not end the twin, see expect
}

func start(ctx context.Context, o Options) (*Twin, error) {
	began := time.Now()
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	r := &run{opts: o, twin: &Twin{
		Stage: o.Stage, done: make(chan struct{}), stopping: make(chan struct{}),
	}}
	r.twin.run = r
	r.twin.stop = sync.OnceValue(r.stop)
	if err := r.start(ctx); err != nil {
		return nil, errors.Join(err, r.twin.Stop())
	}
	r.twin.Started = time.Since(began)
	return r.twin, nil
}

func (r *run) start(ctx context.Context) error {
	if err := r.open(); err != nil {
		return err
	}
	// A process that ends while others still start gives up the whole start, with its reason.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-r.twin.done:
			cancel(r.twin.err)
		case <-ctx.Done():
		}
	}()
	if err := r.startAll(ctx); err != nil {
		if died := r.twin.Err(); died != nil {
			return died
		}
		return err
	}
	return nil
}

func (r *run) startAll(ctx context.Context) error {
	if err := r.startBacking(ctx); err != nil {
		return err
	}
	databaseURL, err := r.startPooler(ctx)
	if err != nil {
		return err
	}
	if r.twin.Stage.Topology == stage.Lambda {
		r.opts.Progress("starting the shop's first execution environment")
		return r.startFunction(ctx, databaseURL)
	}
	r.opts.Progress(fmt.Sprintf("starting the shop (%d of it)", r.twin.Stage.Instances))
	if err := r.startInstances(ctx, databaseURL); err != nil {
		return err
	}
	r.opts.Progress("starting the load balancer")
	return r.startProxies(ctx)
}

// open makes what the processes need: a folder, a log, control groups.
func (r *run) open() (err error) {
	if r.dir, err = process.NewTempDir("twin"); err != nil {
		return err
	}
	r.onStop(func(context.Context) error { return r.dir.Remove() })
	w, dir := r.opts.Log, ""
	if w == nil {
		dir = r.dir.Path
		r.twin.LogFile = filepath.Join(r.dir.Path, "lab.log")
		f, err := os.OpenFile(r.twin.LogFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return fmt.Errorf("open the log: %w", err)
		}
		r.onStop(func(context.Context) error { return f.Close() })
		w = f
	}
	r.log = &logs{w: w, dir: dir}
	gs, notPermitted := openGroups(filepath.Base(r.dir.Path), r.opts.Stage.HostCPUs)
	r.onStop(func(context.Context) error { return gs.close() })
	r.twin.groups, r.twin.Whole = gs, gs.whole
	if r.groups, err = r.twin.limit(r.opts); err != nil {
		return err
	}
	r.twin.describe(notPermitted, r.opts)
	return nil
}

// startBacking builds the service and starts PostgreSQL and Redis, all at the same time.
func (r *run) startBacking(ctx context.Context) error {
	r.opts.Progress("building the shop, starting PostgreSQL and Redis")
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() (err error) {
		if r.binary = r.opts.Binary; r.binary == "" {
			r.binary, err = program.Build(ctx, r.opts.Root, "service", "./service")
		}
		return err
	})
	if r.opts.Stage.Topology != stage.Lambda {
		all.Go(func() error { return r.chooseProxy(ctx) })
	}
	all.Go(func() error { return r.startPostgres(ctx) })
	all.Go(func() error { return r.startRedis(ctx) })
	return all.Wait()
}

func (r *run) startPostgres(ctx context.Context) (err error) {
	s, o := r.twin.Stage, backing.PostgresOptions{
		Dir: r.opts.Data, Durable: !r.opts.throwaway, MaxConnections: r.twin.Stage.DatabaseConnections,
		Log: r.log.named("postgres"), Enter: r.groups.database.enter(), Settings: map[string]string{},
	}
	if s.DatabaseClass != "" {
		// databaseConnections is what RDS accepts from the shop; PostgreSQL keeps three more.
		o.MaxConnections += 3
	}
	if size, ok := stage.SizeOf(s.DatabaseClass); ok {
		// RDS's defaults: a quarter of the memory, and half of it (DBInstanceClassMemory/32768 and
		// /16384 pages of 8 KiB).
		o.Settings["shared_buffers"] = fmt.Sprintf("%dMB", size.Memory/mib/4)
		o.Settings["effective_cache_size"] = fmt.Sprintf("%dMB", size.Memory/mib/2)
	}
	if r.postgres, err = backing.StartPostgres(ctx, o); err != nil {
		return err
	}
	r.onStop(r.postgres.Shutdown)
	r.watch(r.postgres.Process())
	r.twin.postgres = r.postgres
	r.twin.Postgres = &Part{
		Name: "postgres", Kind: r.postgres.Version(), PID: r.postgres.Process().PID(), Group: r.groups.database,
	}
	return nil
}

func (r *run) startRedis(ctx context.Context) (err error) {
	o := backing.RedisOptions{
		Builtin: r.opts.builtin, Log: r.log.named("redis"), Enter: r.groups.cache.enter(), Settings: map[string]string{},
	}
	if size, ok := stage.SizeOf(r.twin.Stage.CacheNodeType); ok {
		// ElastiCache's defaults: a quarter of the node is reserved, and what expires goes first.
		o.Settings["maxmemory"] = fmt.Sprintf("%dmb", size.Memory/mib*3/4)
		o.Settings["maxmemory-policy"] = "volatile-lru"
	}
	r.redis, err = backing.StartRedis(ctx, o)
	if err != nil {
		return err
	}
	r.onStop(r.redis.Shutdown)
	r.twin.redis = r.redis
	r.twin.Redis = &Part{Name: "redis", Kind: r.redis.Kind(), PID: os.Getpid()}
	if p := r.redis.Process(); p != nil {
		r.watch(p)
		r.twin.Redis.PID, r.twin.Redis.Group = p.PID(), r.groups.cache
		return nil
	}
	r.twin.Redis.StandIn = true
	r.standIn("redis")
	return nil
}

// startPooler starts PgBouncer if it was asked for, and returns the URL that the instances use.
func (r *run) startPooler(ctx context.Context) (string, error) {
	if r.twin.Stage.Pooler == "" {
		return r.postgres.URL(), nil
	}
	b, err := backing.StartPgBouncer(ctx, backing.PgBouncerOptions{
		Postgres: r.postgres, Mode: r.twin.Stage.Pooler, Log: r.log.named("pgbouncer"),
		PoolSize: cmp.Or(r.twin.Stage.PoolerSize, r.twin.Stage.DatabaseConnections),
	})
	if err != nil {
		return "", err
	}
	r.onStop(b.Shutdown)
	r.watch(b.Process())
	r.twin.Pooler = &Part{Name: "pgbouncer", Kind: "pgbouncer", PID: b.Process().PID()}
	return b.URL(), nil
}

func (r *run) standIn(what string) {
	if !slices.Contains(r.twin.StandIns, what) {
		r.twin.StandIns = append(r.twin.StandIns, what)
	}
}

// onStop adds what a stop has to do; the last added is done first.
func (r *run) onStop(f func(context.Context) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stops = append(r.stops, f)
}

func (r *run) stop() error {
	close(r.twin.stopping)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-r.opts.Abort:
			cancel()
		case <-ctx.Done():
		}
	}()
	var errs []error
	r.mu.Lock()
	stops := slices.Clone(r.stops)
	r.mu.Unlock()
	for _, f := range slices.Backward(stops) {
		errs = append(errs, f(ctx))
	}
	return errors.Join(errs...)
}

// watch ends the twin when a process does that should run.
func (r *run) watch(p *process.Process) {
	go func() {
		select {
		case <-r.twin.stopping:
		case <-p.Done():
			select {
			case <-r.twin.stopping:
				return
			default:
			}
			if r.isExpected(p) {
				return
			}
			r.twin.end.Do(func() {
				r.twin.err = p.Err()
				close(r.twin.done)
			})
		}
	}()
}
