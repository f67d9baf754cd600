package result

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Combine makes one result of several runs' stages and findings, without the seconds of their steps; those of the step
// at failure, which a report draws, are kept. Of a stage or a finding that several runs have, the last counts. Stages
// that were measured elsewhere, with other settings or on another number of cores do not belong into one result, and
// results of faults are not combined. How often each was repeated is no such setting: the fewest are said.
func Combine(results ...Result) (Result, error) {
	if len(results) == 0 {
		return Result{}, fmt.Errorf("nothing to combine")
	}
	all := results[0]
	all.Stages, all.Findings, all.Sweep, all.Labels = nil, nil, nil, nil
	var commands []string
	for _, r := range results {
		switch {
		case r.Faults != nil:
			return all, fmt.Errorf("%s: results of faults stand by themselves", r.Command)
		case r.Target != all.Target:
			return all, fmt.Errorf("%s: measured at %s, the others at %s", r.Command, r.Target, all.Target)
		case r.Environment.Cores != all.Environment.Cores:
			return all, fmt.Errorf("%s: measured on %d cores, the others on %d", r.Command, r.Environment.Cores,
				all.Environment.Cores)
		case all.Settings != nil && r.Settings != nil && !sameButRepeats(*all.Settings, *r.Settings):
			return all, fmt.Errorf("%s: measured with other settings than %s", r.Command, commands[0])
		}
		if r.Settings != nil && (all.Settings == nil || r.Settings.Repeats < all.Settings.Repeats) {
			all.Settings = r.Settings
		}
		commands = append(commands, r.Command)
		if r.Incomplete != "" {
			all.Incomplete = r.Incomplete
		}
		if r.StartedAt.Before(all.StartedAt) {
			all.StartedAt = r.StartedAt
		}
		if r.FinishedAt.After(all.FinishedAt) {
			all.FinishedAt, all.Environment = r.FinishedAt, r.Environment
		}
		all.Labels = append(all.Labels, r.Labels...)
		for _, s := range r.Stages {
			all.Stages = slices.DeleteFunc(all.Stages, func(other Stage) bool { return other.Name == s.Name })
			all.Stages = append(all.Stages, s.brief())
		}
		for _, f := range r.Findings {
			all.Findings = slices.DeleteFunc(all.Findings, func(other Finding) bool { return other.Name == f.Name })
			all.Findings = append(all.Findings, f)
		}
	}
	slices.SortFunc(all.Stages, func(a, b Stage) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(all.Findings, func(a, b Finding) int { return strings.Compare(a.Name, b.Name) })
	slices.Sort(all.Labels)
	all.Labels, all.Command = slices.Compact(all.Labels), strings.Join(commands, "; ")
	return all, nil
}

// sameButRepeats says whether two runs differ in their repeats at most.
func sameButRepeats(a, b Settings) bool {
	a.Repeats = b.Repeats
	return reflect.DeepEqual(a, b)
}

// brief is the stage without the seconds of its steps.
func (s Stage) brief() Stage {
	s.Steps, s.Levels, s.Twins = slices.Clone(s.Steps), slices.Clone(s.Levels), slices.Clone(s.Twins)
	for i := range s.Steps {
		s.Steps[i].Series = nil
	}
	for i := range s.Levels {
		s.Levels[i].Median.Series = nil
	}
	for i := range s.Twins {
		s.Twins[i].Step.Series = nil
	}
	return s
}
