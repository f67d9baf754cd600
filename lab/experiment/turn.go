package experiment

import (
	"context"
	"errors"
	"fmt"
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
	if l.Users > 0 {
		watched = append(watched, proxyQueue(watched, l.Users)...)
	}
	step.Usage = usage(watched)
	if step.Series == nil {
		step.Series = &result.Series{StartedAt: step.StartedAt, IntervalSeconds: 1}
	}
	step.Series.Lines = append(step.Series.Lines, watched...)
	return step, nil
}

// proxyQueue is what a closed loop's users have under way and no instance has: requests on their way
// through the proxy, or waiting there.
func proxyQueue(lines []result.Line, users int) []result.Line {
	var inside []*float64
	for _, l := range lines {
		if l.Resource != result.ResourceInFlight {
			continue
		}
		if inside == nil {
			inside = make([]*float64, len(l.Values))
		}
		for i, v := range l.Values {
			switch {
			case v == nil:
			case inside[i] == nil:
				inside[i] = result.Ptr(*v)
			default:
				*inside[i] += *v
			}
		}
	}
	if inside == nil {
		return nil
	}
	for _, v := range inside {
		if v != nil {
			*v = max(0, float64(users)-*v)
		}
	}
	return []result.Line{{Resource: result.ResourceProxyQueue, Unit: "requests", Values: inside}}
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
