// Package target is what a run of the laboratory loads: a Target brings stages up, and a Site is one that
// is up. What only some of them can do is an interface of its own.
package target

import (
	"context"
	"errors"
	"net"
	"time"

	"shoplab/lab/result"
	"shoplab/lab/stage"
	"shoplab/lab/watch"
)

// ErrLeft is wrapped when a teardown failed.
var ErrLeft = errors.New("resources may be left, and cost money")

// Target brings stages up: on this machine, or on AWS.
type Target interface {
	Kind() result.Target
	// Labels are those of everything that is measured there.
	Labels() []string
	// Up brings a stage up and waits until it answers. After an error nothing of it is left.
	Up(ctx context.Context, name string) (Site, error)
	// Finish is called after the last stage; it may add to the result.
	Finish(ctx context.Context, res *result.Result) error
}

// Tuner is a Target that can bring a changed stage up, for a proof.
type Tuner interface {
	UpWith(ctx context.Context, name string, change stage.Change) (Site, error)
}

// Site is a stage that is up.
type Site interface {
	URL() string
	// Stage is as configured, changes included.
	Stage() stage.Stage
	// Started is how long it took to come up.
	Started() time.Duration
	// Probes watch its resources; none where nothing can be watched by the second.
	Probes() []watch.Probe
	// Describe writes how the stage really runs into the result.
	Describe(st *result.Stage)
	Down(ctx context.Context) error
}

// Mortal is a Site that may break down by itself.
type Mortal interface {
	Done() <-chan struct{} // closed when it has
	Err() error            // why
}

// Auditor is a Site whose books can be held against each other.
type Auditor interface {
	Audit(ctx context.Context) ([]result.Invariant, error)
}

// Meter is a Site whose provider measured its resources, and says so afterwards.
type Meter interface {
	Usage(ctx context.Context, from time.Time, length time.Duration) ([]result.Usage, error)
}

// Dialer is a Site with a network of its own.
type Dialer interface {
	Dial(ctx context.Context, network, address string) (net.Conn, error)
}
