package findings

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"shoplab/lab/cluster"
	"shoplab/lab/experiment"
	"shoplab/lab/load"
	"shoplab/lab/result"
	"shoplab/lab/watch"
)

// labelCluster is that of figures from a cluster of the user's.
const labelCluster = "a Kubernetes node, not AWS"

// nodeTrial is an experiment with copies of a stage 4 on its node.
type nodeTrial struct {
	// copies are the places to which the stage's shop, database and cache are copied.
	copies func(cluster.Mesh) []cluster.Place
	// sides are the two to compare, of copies and the stage.
	sides   func(stage cluster.Mesh, copies []cluster.Place) []*nodeSide
	finding func(*nodeRun) result.Finding
}

// nodeSide is the shop on a node in one of two ways.
type nodeSide struct {
	label, url string
	namespace  string
	ingress    string // the gateway's namespace; "" without a gateway
	bench      *experiment.Bench
	full, calm []result.Step // at 50 users, and at the fixed rate
	// before is what its containers had used before the last step of full, and ended what the kubelet knew right after
	// it, until that step is closed.
	before, ended cluster.Usage
}

// nodeRun compares two sides on the node of a stage 4 that is up.
type nodeRun struct {
	plan    Plan
	kubectl cluster.Kubectl
	stage   cluster.Mesh
	made    []string    // namespaces, to be removed
	sides   []*nodeSide // before, after
	idle    map[cluster.Container]float64
	// here says that the node runs on the machine that sends the load; idleCores is what that used before the load.
	here      bool
	idleCores float64
}

// onNode measures both sides in turns: first all steps at 50 users, with the CPU of every container, then all at the
// fixed rate. The copies are removed in any case.
func (r *runner) onNode(ctx context.Context, trial nodeTrial) (f result.Finding, err error) {
	m := &nodeRun{plan: r.plan, kubectl: cluster.Kubectl{Kubeconfig: r.plan.Kubeconfig}}
	r.plan.Say("looking at stack " + r.plan.Stack + " in the cluster")
	if m.stage, err = m.kubectl.FindMesh(ctx, r.plan.Stack); err != nil {
		return f, err
	}
	if m.here = m.stage.BootID != "" && m.stage.BootID == bootID(); m.here {
		defer load.ShareMachine()()
	}
	copies := trial.copies(m.stage)
	defer func() { err = errors.Join(err, m.down(ctx)) }()
	for _, place := range copies {
		r.plan.Say("copying the shop into the namespace " + place.Namespace)
		if err := m.kubectl.Prepare(ctx, place); err != nil {
			return f, err
		}
		m.made = append(m.made, place.Namespace)
		if err := m.kubectl.CopyMesh(ctx, m.stage, place); err != nil {
			return f, err
		}
	}
	m.sides = trial.sides(m.stage, copies)
	if err := m.measure(ctx); err != nil {
		return f, err
	}
	return trial.finding(m), nil
}

// bootID is that of this machine's kernel; "" where it has none.
func bootID() string {
	text, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // nothing is known without it, and that is said
	return strings.TrimSpace(string(text))
}

// copied is the side that a copy is.
func copied(label string, stage cluster.Mesh, place cluster.Place) *nodeSide {
	return &nodeSide{label: label, url: nodeURL(stage, place.NodePort), namespace: place.Namespace}
}

func nodeURL(stage cluster.Mesh, port int) string {
	return fmt.Sprintf("http://%s:%d", stage.Host, port)
}

// down removes what was copied, and drops the shoppers' connections.
func (m *nodeRun) down(ctx context.Context) error {
	for _, s := range m.sides {
		if s.bench != nil {
			_ = s.bench.Down(ctx) // a nodeSite has nothing to take down
		}
	}
	m.plan.Say("removing " + strings.Join(m.made, " and "))
	return m.kubectl.Remove(ctx, m.made...)
}

// measure brings the shoppers and holds the loads.
func (m *nodeRun) measure(ctx context.Context) error {
	for _, s := range m.sides {
		m.plan.Say(s.label + ": preparing shoppers")
		s.bench = experiment.NewBench(nodeSite{s.url}, result.Settings{
			Objective: load.DefaultObjective, Users: []int{meshUsers}, WarmUpSeconds: 3, Quick: true,
		}, func(string) {})
		if err := s.bench.Gather(ctx); err != nil {
			return err
		}
	}
	if err := m.rest(ctx); err != nil {
		return err
	}
	if err := m.inTurns(ctx, m.full); err != nil {
		return err
	}
	if err := m.inTurns(ctx, m.steady); err != nil {
		return err
	}
	for _, s := range m.sides {
		if err := s.bench.Check(ctx); err != nil {
			return err
		}
		if err := s.bench.Violation(); err != nil {
			return err
		}
	}
	return nil
}

// inTurns holds a load on one side and the other, as often as planned.
func (m *nodeRun) inTurns(ctx context.Context, hold func(context.Context, *nodeSide, load.Load) error) error {
	for n := range m.plan.Repeats {
		for _, s := range m.sides {
			m.plan.Say(fmt.Sprintf("%s, repeat %d of %d", s.label, n+1, m.plan.Repeats))
			if err := hold(ctx, s, load.Load{
				Purpose: result.PurposeFinding, Repeat: n + 1, Duration: time.Duration(m.plan.Seconds) * time.Second,
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// rest measures what all of it uses while nobody shops.
func (m *nodeRun) rest(ctx context.Context) error {
	all := func(c cluster.Container) bool { return m.sides[0].has(c) || m.sides[1].has(c) }
	m.plan.Say("watching both sides without load")
	now, err := m.kubectl.Usage(ctx, m.stage.Node, all)
	if err != nil {
		return err
	}
	first, err := m.kubectl.Next(ctx, m.stage.Node, now, all) // after the warm-up
	if err != nil {
		return err
	}
	cpu, _ := watch.ReadCPU()
	second, err := m.kubectl.Next(ctx, m.stage.Node, first, all)
	if err != nil {
		return err
	}
	if after, ok := watch.ReadCPU(); ok && m.here {
		m.idleCores = (after.Busy - cpu.Busy) / after.At.Sub(cpu.At).Seconds()
	}
	m.idle = second.Rates(first)
	for _, s := range m.sides {
		s.before = second.Of(s.has)
	}
	return nil
}

// full holds the load of 50 users. The side settled in its warm-up, so all that its containers use for the load is used
// for requests that are counted.
func (m *nodeRun) full(ctx context.Context, s *nodeSide, l load.Load) error {
	if err := m.close(ctx, s); err != nil {
		return err
	}
	l.Users = meshUsers
	step, err := s.bench.Measure(ctx, l)
	if err != nil {
		return err
	}
	step.Series = nil
	s.full = append(s.full, step)
	s.ended, err = m.kubectl.Usage(ctx, m.stage.Node, s.has)
	return err
}

// close adds to a side's last step what its containers used for it. The kubelet reads them seldom, so it waits until it
// has read all of them after the step; meanwhile the other side may have had a load.
func (m *nodeRun) close(ctx context.Context, s *nodeSide) error {
	if s.ended == nil {
		return nil
	}
	now, err := m.kubectl.Next(ctx, m.stage.Node, s.ended, s.has)
	if err != nil {
		return err
	}
	used, err := now.Since(s.before, m.idle)
	if err != nil {
		return err
	}
	s.before, s.ended = now, nil
	step := &s.full[len(s.full)-1]
	usages := s.parts(used, step.Seconds)
	if m.here {
		usages = append(usages, foreign(*step, usages, m.idleCores, runtime.NumCPU())...)
	}
	step.Usage = append(step.Usage, usages...)
	return nil
}

// steady holds the fixed rate.
func (m *nodeRun) steady(ctx context.Context, s *nodeSide, l load.Load) error {
	if err := m.close(ctx, s); err != nil {
		return err
	}
	l.Rate, l.Settle = meshRate, time.Second
	step, err := s.bench.Measure(ctx, l)
	if err != nil {
		return err
	}
	step.Series = nil
	s.calm = append(s.calm, step)
	return nil
}
