package forecast

import (
	"cmp"
	"fmt"
	"sync"

	"shoplab/lab/result"
	"shoplab/lab/stage"
)

// Stage is the forecast of one measured stage.
type Stage struct {
	Measured   result.Stage
	Demands    Demands
	Validation Validation
	Setting    Setting // on AWS
	Answer     Answer  // with the instances that it starts with
	Scaled     Answer  // with the most that it may have
	// PerMillion is dollars of a million successful requests at the rate of each; nil: no price.
	PerMillion, ScaledPerMillion *float64
	Err                          error // why there is none
}

// Decides says that advice may rest on it.
func (s Stage) Decides() bool { return s.Err == nil && s.Validation.Accepted }

// Change is what if: it changes the setting, or says why it cannot.
type Change func(*Setting) error

// Stages forecasts each stage of a result, several at a time.
func Stages(res result.Result, changes ...Change) []Stage {
	all := make([]Stage, len(res.Stages))
	var wg sync.WaitGroup
	for i, st := range res.Stages {
		wg.Go(func() { all[i] = one(st, res, changes) })
	}
	wg.Wait()
	return all
}

func one(st result.Stage, res result.Result, changes []Change) Stage {
	s := Stage{Measured: st}
	if st.Invalid() {
		s.Err = fmt.Errorf("%s: its measurement is INVALID", st.Name)
		return s
	}
	if s.Demands, s.Err = Measure(st); s.Err != nil {
		return s
	}
	s.Demands = s.Demands.withFlows(st, res.Settings)
	objective := result.Objective{P95MS: 500, MaxErrorRatio: .01}
	if res.Settings != nil {
		objective = res.Settings.Objective
	}
	s.Setting = Setting{Config: st.Config, Topology: st.Topology, Demands: s.Demands}
	for _, c := range changes {
		if err := c(&s.Setting); err != nil {
			s.Err = fmt.Errorf("%s: %w", st.Name, err)
			return s
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { s.Validation = Validate(st, s.Demands, res.Environment.Cores, res.Settings) })
	s.Err = s.answer(objective)
	wg.Wait()
	if len(st.StandIns) > 0 {
		s.Validation.Accepted = false
		s.Validation.Why += "; measured with a stand-in for " + fmt.Sprint(st.StandIns)
	}
	return s
}

// answer forecasts the stage as it starts, and with the most instances that it may have.
func (s *Stage) answer(o result.Objective) (err error) {
	st, most, scales := s.Measured, s.Setting, false
	if c := most.Config; c.Instances != nil && c.MaxInstances != nil && *c.MaxInstances > *c.Instances &&
		st.Topology != string(stage.Lambda) { // which has as many as requests start
		most.Config.Instances, scales = c.MaxInstances, true
	}
	var failed error
	var wg sync.WaitGroup
	if scales {
		wg.Go(func() { s.Scaled, failed = most.Answer(st.Name, o) })
	}
	s.Answer, err = s.Setting.Answer(st.Name, o)
	if wg.Wait(); err != nil || failed != nil {
		return cmp.Or(err, failed)
	}
	if !scales {
		s.Scaled = s.Answer
	}
	s.PerMillion, s.ScaledPerMillion = price(st, s.Answer), price(st, s.Scaled)
	return nil
}

func price(st result.Stage, a Answer) *float64 {
	if usd, ok := PerMillion(st, a.Rate.Value, a.Instances); ok {
		return &usd
	}
	return nil
}
