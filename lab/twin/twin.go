// Package twin runs a stage's topology as processes on this machine: the service as many times as
// the stage has instances, a real PostgreSQL with the stage's connections, Redis, and the proxies
// between a shopper and an instance. The limits of the stage's machines are put on the processes where
// this machine permits it.
package twin

import (
	"context"
	"io"
	"sync"
	"time"

	"shoplab/lab/backing"
	"shoplab/lab/lambda"
	"shoplab/lab/process"
	"shoplab/lab/stage"
)

// Options say which stage to run, and how.
type Options struct {
	Stage stage.Stage
	Root  string // the repository, whose programs are built
	// Data keeps the database between runs; empty means a temporary folder.
	Data string
	// Port is the TCP port of the shop on 127.0.0.1; 0 means a free one.
	Port int
	// RateLimit turns the shop's rate limits on.
	RateLimit bool
	// Binary is a service that is built already; empty means build it.
	Binary string
	// Log gets what the processes write; nil means files in the run's folder, see Twin.LogFile.
	Log io.Writer
	// Progress is told what is being done; nil means nobody listens.
	Progress func(string)
	// Abort, once closed, makes everything that is being stopped be killed instead of asked.
	Abort <-chan struct{}
	// Check is how instances are found to be well; what is zero is the stage's interval and an ALB's defaults.
	Check Check
	// AsALB takes the lab's own proxy for the load balancer of the stages that have one on AWS: it keeps shoppers'
	// connections when its targets change; nginx drops some then.
	AsALB bool
	// Timeout is how long a function may take over one event; 0: lambda.Options'.
	Timeout time.Duration
	// NoLimits leaves the CPU and memory limits off; usage is counted all the same.
	NoLimits bool

	builtin   bool // take the lab's own proxy and Redis even where others are installed
	throwaway bool // do without durability, which the twin's own tests do not measure
}

// Twin is a running stage.
type Twin struct {
	Stage     stage.Stage
	URL       string // what a shopper opens
	Instances []*Instance
	// Proxies are the hops between the shopper and the instances, the load balancer first.
	Proxies   []*Part
	Postgres  *Part
	Redis     *Part
	Pooler    *Part            // nil without PgBouncer
	Function  *lambda.Function // nil but with topology lambda: what runs the instances, when requests come
	Machines  []*Group         // the machines whose limits several parts share
	Whole     *Group           // everything that the stage runs; nil where this machine permits no groups
	StageCPUs float64          // what the stage's machines have together on AWS; 0 where one is not known
	Limits    []string         // what is limited and what is not, a sentence each
	StandIns  []string         // parts replaced by something simpler, such as "envoy"
	LogFile   string           // where the processes' output is, the instances' beside it; "" when Options.Log was given
	Started   time.Duration

	run      *run
	groups   *groups
	postgres *backing.Postgres
	redis    *backing.Redis

	done     chan struct{} // closed when a process has ended that should not have
	end      sync.Once
	err      error // set before done is closed
	stopping chan struct{}
	stop     func() error
}

// Part is one process of the twin.
type Part struct {
	Name    string // "postgres", "shop-1", "gateway"
	Kind    string // the program: "nginx", "miniredis"
	PID     int    // the lab's own for a part that runs inside it
	StandIn bool
	Group   *Group // nil where nothing is limited or counted
}

// Instance is one running service.
type Instance struct {
	Part
	URL      string // straight to the instance, past every proxy
	AdminURL string // metrics; "" of a function, which is frozen between requests

	host string // host:port that the balancer sends requests to: its own, or its sidecar's
	proc *process.Process
}

// Start brings a stage up and waits until the shop answers through its load balancer. What it
// started is stopped again when it fails or ctx ends; after that, only Stop ends it.
func Start(ctx context.Context, o Options) (*Twin, error) {
	return start(ctx, o)
}

// PostgresURL is the shop's database, past PgBouncer.
func (t *Twin) PostgresURL() string { return t.postgres.URL() }

// PostgresAdminURL signs in to the shop's database as superuser, through the connections that are
// kept for it.
func (t *Twin) PostgresAdminURL() string { return t.postgres.AuditURL() }

// RedisURL is the shop's Redis.
func (t *Twin) RedisURL() string { return t.redis.URL() }

// Done is closed when a process has ended that should not have; Err says which.
func (t *Twin) Done() <-chan struct{} { return t.done }

// Err is what ended the twin, with the process's last lines; nil while it runs.
func (t *Twin) Err() error {
	select {
	case <-t.done:
		return t.err
	default:
		return nil
	}
}

// Stop ends every process in the reverse order of their start and removes the run's folder.
// A second call does nothing and returns the same.
func (t *Twin) Stop() error { return t.stop() }
