// Package findings replays lessons of the original experiment on this machine, each by turning one knob. A lesson is a
// file and a row in all.
package findings

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"shoplab/lab/experiment"
	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/target/local"
)

// finding is one lesson: what is compared, in words, and how it is measured.
type finding struct {
	name, about string
	measure     func(*runner, context.Context) (result.Finding, error)
}

// all lists the findings, in the order in which they are measured and shown.
var all = []finding{
	{"pool", "25 connections an instance against what the database accepts, and a derived budget", (*runner).pool},
	{"pooler", "PgBouncer in session mode against transaction mode", (*runner).pooler},
	{"cache", "catalog answers kept by each instance alone, and in a cache that all share as well", (*runner).cache},
	{"index", "users.email and products.category on 500,000 rows", (*runner).index},
	{"health", "deep health checks every 5 s against shallow ones every 30 s, 8 instances", (*runner).health},
	{"mesh", "the same instances without mesh and with; a real stage 4 with --kubeconfig", (*runner).mesh},
	{"bypass", "database and cache through the shop's sidecars and past them; only with --kubeconfig", (*runner).bypass},
	{"lambda", "tasks that run all the time against a function that starts when asked", (*runner).lambda},
}

// InCluster are those that are measured on a stage 4 in a cluster.
var InCluster = []string{"mesh", "bypass"}

// Names are the findings that Run can make.
func Names() []string {
	var names []string
	for _, f := range all {
		names = append(names, f.name)
	}
	return names
}

// About says in a line each what the findings compare.
func About() string {
	var b strings.Builder
	width := 0
	for _, f := range all {
		width = max(width, len(f.name))
	}
	for _, f := range all {
		fmt.Fprintf(&b, "  %-*s %s\n", width, f.name, f.about)
	}
	return b.String()
}

// Plan is which lessons to replay, and how.
type Plan struct {
	Root    string
	Names   []string // of Names
	Repeats int
	Seconds int // of one measurement
	Say     func(string)
	Abort   <-chan struct{}
	// Kubeconfig is a file that leads to the cluster with the stage 4 of the stack named Stack, on which findings of
	// InCluster are measured then; "" for the twin.
	Kubeconfig, Stack string
}

// Run replays lessons of the original experiment, each by turning one knob. What was measured
// is returned also with an error.
func Run(ctx context.Context, p Plan) (result.Result, error) {
	res := result.Result{
		Version: result.Version, Target: result.TargetLocal, Labels: []string{result.LabelThisMachine},
		StartedAt: time.Now().UTC(), Environment: experiment.Environment(ctx, p.Root),
	}
	r := &runner{plan: p}
	if p.Kubeconfig == "" {
		defer load.ShareMachine()()
		p.Say("building the service")
		var err error
		if r.at, err = local.New(ctx, p.Root, p.Abort); err != nil {
			return res, err
		}
	} else {
		res.Target, res.Labels = result.TargetURL, []string{labelCluster}
	}
	for _, name := range p.Names {
		i := slices.IndexFunc(all, func(f finding) bool { return f.name == name })
		if i < 0 {
			return res, fmt.Errorf("finding %q: want one of %v", name, Names())
		}
		f, err := all[i].measure(r, ctx)
		if err == nil || len(f.Comparisons) > 0 { // also where only taking down failed
			f.Name, f.Labels = name, res.Labels
			res.Findings = append(res.Findings, f)
			res.FinishedAt = time.Now().UTC()
		}
		if err != nil {
			return res, fmt.Errorf("finding %s: %w", name, err)
		}
	}
	return res, nil
}

// runner measures findings.
type runner struct {
	plan Plan
	at   *local.Local // nil with a kubeconfig
}
