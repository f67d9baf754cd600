package experiment

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"shoplab/lab/result"
	"shoplab/lab/stage"
	"shoplab/lab/twin"
)

// local brings stages up as processes on this machine.
type local struct {
	root   string
	binary string
	abort  <-chan struct{}
	say    func(string)
}

// Local runs the plan on this machine. abort, once closed, has everything killed instead of asked.
func Local(ctx context.Context, p Plan, abort <-chan struct{}) (result.Result, error) {
	defer shareMachine()()
	p.Say("building the service")
	binary, err := twin.Build(ctx, p.Root, "service", "./service")
	if err != nil {
		return result.Result{}, err
	}
	return run(ctx, p, &local{root: p.Root, binary: binary, abort: abort, say: p.Say})
}

// generatorShare is the part of this machine that is kept from the stages: a request costs the
// generator about a third of what it costs the shop (measured: 26% of a saturated machine).
const generatorShare = 1.0 / 3

// stageCPUs is how many of this machine's CPUs a stage may use.
func stageCPUs() float64 { return float64(runtime.NumCPU()) * (1 - generatorShare) }

// shareMachine keeps the generator to half of the cores that it shares with the shop: fewer threads
// wake each other, and a request costs the generator less CPU. The function that it returns undoes it.
func shareMachine() func() {
	before := runtime.GOMAXPROCS(max(1, runtime.NumCPU()/2))
	return func() { runtime.GOMAXPROCS(before) }
}

func (l *local) target() result.Target { return result.TargetLocal }

func (l *local) labels() []string { return []string{result.LabelThisMachine} }

func (l *local) finish(context.Context, *result.Result) error { return nil }

func (l *local) up(ctx context.Context, name string, change stage.Change) (*site, error) {
	declared, err := stage.Read(l.root, name)
	if err != nil {
		return nil, err
	}
	declared.HostCPUs = stageCPUs()
	t, err := twin.Start(ctx, twin.Options{Stage: declared.With(change), Root: l.root, Binary: l.binary, Abort: l.abort})
	if err != nil {
		return nil, err
	}
	return &site{
		url: t.URL, stage: t.Stage, cpus: t.GivenCPUs(), probes: twinProbes(t), seconds: t.Started.Seconds(),
		describe: func(st *result.Stage) { describeTwin(t, st) },
		// As superuser: a stage that uses up its connections must still be audited.
		audit:      func(ctx context.Context) ([]result.Invariant, error) { return auditDatabase(ctx, t.PostgresAdminURL()) },
		done:       t.Done(),
		err:        t.Err,
		down:       func(context.Context) error { return t.Stop() },
		proveKnobs: true,
	}, nil
}

// describeTwin writes how the stage really runs here.
func describeTwin(t *twin.Twin, st *result.Stage) {
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

// CheckStages says which of the names are no stages of the repository.
func CheckStages(root string, names []string) error {
	for _, name := range names {
		if _, err := stage.Read(root, name); err != nil {
			return fmt.Errorf("stage %q: %w", name, err)
		}
	}
	return nil
}
