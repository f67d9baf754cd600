package result

import (
	"strings"
	"testing"
	"time"
)

func TestCombine(t *testing.T) {
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	one := func(command string, hour int, names ...string) Result {
		r := Result{
			Version: Version, Target: TargetLocal, Labels: []string{LabelThisMachine}, Command: command,
			StartedAt: at.Add(time.Duration(hour) * time.Hour), FinishedAt: at.Add(time.Duration(hour+1) * time.Hour),
			Environment: Environment{Cores: 2, Commit: command}, Settings: &Settings{Users: []int{50}},
		}
		for _, n := range names {
			r.Stages = append(r.Stages, Stage{
				Name: n, Notes: []string{command}, Steps: []Step{{Series: &Series{}}}, AtFailure: &Step{Series: &Series{}},
			})
		}
		return r
	}
	got, err := Combine(one("b", 2, "stage2", "stage1"), one("a", 0, "stage1"))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Stages) != 2 || got.Stages[0].Name != "stage1" || got.Stages[0].Notes[0] != "a" ||
		got.Stages[0].Steps[0].Series != nil || got.Stages[0].AtFailure.Series == nil {
		t.Errorf("stages %+v", got.Stages)
	}
	if got.Command != "b; a" || !got.StartedAt.Equal(at) || !got.FinishedAt.Equal(at.Add(3*time.Hour)) ||
		got.Environment.Commit != "b" || len(got.Labels) != 1 {
		t.Errorf("result %+v", got)
	}
	once := one("g", 0, "stage2")
	once.Settings = &Settings{Users: []int{50}, Repeats: 1}
	thrice := one("h", 0, "stage1")
	thrice.Settings = &Settings{Users: []int{50}, Repeats: 3}
	if got, err := Combine(thrice, once); err != nil || got.Settings.Repeats != 1 || thrice.Settings.Repeats != 3 {
		t.Errorf("three repeats and one: %+v, %v, want the fewest said", got.Settings, err)
	}
	other := one("c", 0, "stage3")
	other.Settings = &Settings{Users: []int{100}}
	elsewhere := one("d", 0, "stage3")
	elsewhere.Target = TargetAWS
	bigger := one("e", 0, "stage3")
	bigger.Environment.Cores = 8
	for _, r := range []Result{other, elsewhere, bigger, {Command: "f", Target: TargetLocal, Faults: &Faults{}}} {
		if _, err := Combine(one("a", 0, "stage1"), r); err == nil || !strings.HasPrefix(err.Error(), r.Command+": ") {
			t.Errorf("%s: %v", r.Command, err)
		}
	}
	if _, err := Combine(); err == nil {
		t.Error("a result of nothing")
	}
}
