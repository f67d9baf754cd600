package experiment

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/result"
)

// measure runs one step with the probes reading in the same seconds.
func measure(ctx context.Context, crowd *load.Crowd, probes []probe, l load.Load) (result.Step, error) {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	lines := make(chan []result.Line, 1)
	begin := time.Now().Add(l.Settle)
	go func() { lines <- watch(watching, probes, begin, int(l.Duration/time.Second)) }()
	step, err := crowd.Run(ctx, l)
	if err != nil {
		return step, err
	}
	watched := <-lines // ends by itself with the load's last second
	watched = append(watched, derived(watched, l.Users, runtime.NumCPU())...)
	step.Usage = usage(watched)
	if step.Series == nil {
		step.Series = &result.Series{StartedAt: step.StartedAt, IntervalSeconds: 1}
	}
	step.Series.Lines = append(step.Series.Lines, watched...)
	return step, nil
}

// sum adds lines up second by second; nil where none of them was measured.
func sum(lines []result.Line, wanted ...result.Resource) []*float64 {
	var total []*float64
	for _, l := range lines {
		if !slices.Contains(wanted, l.Resource) {
			continue
		}
		if total == nil {
			total = make([]*float64, len(l.Values))
		}
		for i, v := range l.Values {
			switch {
			case v == nil:
			case total[i] == nil:
				total[i] = result.Ptr(*v)
			default:
				*total[i] += *v
			}
		}
	}
	return total
}

// derived are the lines that follow from those watched: the proxy's queue of a closed loop (what
// its users have under way and no instance has), and the CPU that somebody else used.
func derived(lines []result.Line, users, cores int) []result.Line {
	var more []result.Line
	if inside := sum(lines, result.ResourceInFlight); inside != nil && users > 0 {
		for _, v := range inside {
			if v != nil {
				*v = max(0, float64(users)-*v)
			}
		}
		more = append(more, result.Line{Resource: result.ResourceProxyQueue, Unit: "requests", Values: inside})
	}
	stage := sum(lines, result.ResourceInstanceCPU, result.ResourceDBCPU, result.ResourceRedisCPU,
		result.ResourceProxyCPU, result.ResourceSidecarCPU)
	all, own := sum(lines, result.ResourceMachineCPU), sum(lines, result.ResourceGeneratorCPU)
	if stage != nil && all != nil && own != nil {
		for i, v := range all {
			if v == nil || own[i] == nil || stage[i] == nil {
				all[i] = nil
				continue
			}
			*v = max(0, *v*float64(cores)-*own[i]-*stage[i])
		}
		more = append(more, result.Line{Resource: result.ResourceForeignCPU, Unit: "cores", Limit: result.Ptr(float64(cores)), Values: all})
	}
	return more
}

// turn brings the stage up twice more, as it is and with the knob turned, and holds the same load
// on both. Both are fresh and warmed up alike, so that the knob is the only difference. A quick run
// compares with the step that failed instead.
func (r *stageRun) turn(ctx context.Context, k knob) (*result.Proof, error) {
	r.say(fmt.Sprintf("proving: %s %s instead of %s", k.name, k.to, k.from))
	before := *r.st.AtFailure
	before.Series = nil
	users := before.Users
	if !r.plan.Quick {
		var err error
		if before, err = r.fresh(ctx, knob{}, users, result.PurposeBaseline); err != nil {
			return nil, err
		}
	}
	after, err := r.fresh(ctx, k, users, result.PurposeProof)
	if err != nil {
		return nil, err
	}
	return conclude(k, before, after, r.noise()), nil
}

// fresh measures one step on a stage that is brought up for it.
func (r *stageRun) fresh(ctx context.Context, k knob, users int, why result.Purpose) (step result.Step, err error) {
	s, err := r.at.up(ctx, r.st.Name, k.turn)
	if err != nil {
		return step, err
	}
	one := &stageRun{plan: r.plan, settings: r.settings, at: r.at, st: &result.Stage{}, say: r.say, site: s}
	defer func() { err = errors.Join(err, one.takeDown(ctx)) }()
	ctx, cancel := withSite(ctx, s)
	defer cancel()
	if err := one.gather(ctx); err != nil {
		return step, err
	}
	step, err = one.hold(ctx, load.Load{Purpose: why, Users: users})
	step.Series = nil
	return step, err
}

// noise is how far apart the repeats of the breaking point were, as a share.
func (r *stageRun) noise() float64 {
	bp := r.st.BreakingPoint
	if bp == nil || bp.MedianUsers == nil || *bp.MedianUsers == 0 {
		return 0
	}
	return float64(*bp.HighUsers-*bp.LowUsers) / *bp.MedianUsers
}
