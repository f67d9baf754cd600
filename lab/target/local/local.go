// Package local is this machine as a target: stages run on it as twins, watched through their control
// groups, their metrics and their databases.
package local

import (
	"context"
	"runtime"
	"strings"
	"time"

	"shoplab/lab/program"
	"shoplab/lab/result"
	"shoplab/lab/stage"
	"shoplab/lab/target"
	"shoplab/lab/twin"
	"shoplab/lab/watch"
)

// Local brings stages up as processes on this machine.
type Local struct {
	root   string
	binary string
	abort  <-chan struct{}
}

// New builds the service of the repository in root. abort, once closed, has everything killed instead of
// asked.
func New(ctx context.Context, root string, abort <-chan struct{}) (*Local, error) {
	binary, err := program.Build(ctx, root, "service", "./service")
	return &Local{root: root, binary: binary, abort: abort}, err
}

// generatorShare is the part of this machine that is kept from the stages: a request costs the
// generator about a third of what it costs the shop (measured: 26% of a saturated machine).
const generatorShare = 1.0 / 3

// stageCPUs is how many of this machine's CPUs a stage may use.
func stageCPUs() float64 { return float64(runtime.NumCPU()) * (1 - generatorShare) }

// Kind implements target.Target.
func (l *Local) Kind() result.Target { return result.TargetLocal }

// Labels implements target.Target.
func (l *Local) Labels() []string { return []string{result.LabelThisMachine} }

// Finish implements target.Target: nothing is left to look for.
func (l *Local) Finish(context.Context, *result.Result) error { return nil }

// Up implements target.Target.
func (l *Local) Up(ctx context.Context, name string) (target.Site, error) {
	return l.UpWith(ctx, name, nil)
}

// UpWith implements target.Tuner.
func (l *Local) UpWith(ctx context.Context, name string, change stage.Change) (target.Site, error) {
	s, _, err := l.UpTwin(ctx, name, change, twin.Options{})
	return s, err
}

// UpTwin is UpWith for who breaks parts of the twin: the site and its twin, with what options say beyond the stage.
func (l *Local) UpTwin(
	ctx context.Context, name string, change stage.Change, o twin.Options,
) (target.Site, *twin.Twin, error) {
	s, err := stage.Read(l.root, name)
	if err != nil {
		return nil, nil, err
	}
	s.HostCPUs = stageCPUs()
	o.Stage, o.Root, o.Binary, o.Abort = s.With(change), l.root, l.binary, l.abort
	t, err := twin.Start(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	return &site{twin: t}, t, nil
}

// site is a twin as a target.Site; it can break down, and its books can be audited.
type site struct{ twin *twin.Twin }

// URL implements target.Site.
func (s *site) URL() string { return s.twin.URL }

// Stage implements target.Site. What it may use of this machine is what is enforced.
func (s *site) Stage() stage.Stage {
	st := s.twin.Stage
	st.HostCPUs = s.twin.GivenCPUs()
	return st
}

// Started implements target.Site.
func (s *site) Started() time.Duration { return s.twin.Started }

// Probes implements target.Site.
func (s *site) Probes() []watch.Probe { return twinProbes(s.twin) }

// Done implements target.Mortal.
func (s *site) Done() <-chan struct{} { return s.twin.Done() }

// Err implements target.Mortal.
func (s *site) Err() error { return s.twin.Err() }

// Down implements target.Site.
func (s *site) Down(context.Context) error { return s.twin.Stop() }

// Audit implements target.Auditor, as superuser: a stage that uses up its connections must still be
// audited.
func (s *site) Audit(ctx context.Context) ([]result.Invariant, error) {
	return auditDatabase(ctx, s.twin.PostgresAdminURL())
}

// Describe implements target.Site: it writes how the stage really runs here.
func (s *site) Describe(st *result.Stage) {
	t := s.twin
	st.Topology, st.URL = string(t.Stage.Topology), t.URL
	st.Config = t.Stage.Config()
	st.Notes = append(st.Notes, t.Limits...)
	st.StandIns = t.StandIns
	if len(t.StandIns) > 0 {
		st.Labels = append(st.Labels, result.LabelStandIn)
	}
	var hops []string
	for _, p := range t.Proxies {
		hops = append(hops, p.Kind)
	}
	st.Config.LoadBalancer = strings.Join(hops, ", then ")
	st.Config.GivenCPUs = result.Ptr(t.GivenCPUs())
	if t.StageCPUs > 0 {
		st.Config.StageCPUs = result.Ptr(t.StageCPUs)
	}
	limited := false
	for _, i := range t.Instances {
		for g := i.Group; g != nil; g = g.Parent {
			if g.CPULimit > 0 {
				limited = true
				st.Config.EffectiveCPULimit = result.Ptr(g.CPULimit)
				if g.MemoryLimit > 0 {
					st.Config.EffectiveMemoryBytes = result.Ptr(g.MemoryLimit)
				}
				break
			}
		}
	}
	if !limited {
		st.Labels = append(st.Labels, result.LabelUnlimited)
	}
}
