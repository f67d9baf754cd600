package forecast

import (
	"os"
	"path/filepath"
	"testing"

	"shoplab/lab/result"
)

// BenchmarkSimulate is one simulated load on a stage of many instances, where most of a forecast's time goes.
func BenchmarkSimulate(b *testing.B) {
	for name, instances := range map[string]int{"two": 2, "fifty": 50} {
		c := config(256, instances, 4)
		n, err := Build(Setting{Config: c, Topology: "fargate", Demands: known()})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				n.Simulate(Load{Rate: .9 * n.Limits()[0].Rate}, simulated)
			}
		})
	}
}

// BenchmarkStages is what `lab forecast` does with the published result of five stages, which is to take less than a
// second on two cores, reading included.
func BenchmarkStages(b *testing.B) {
	file := filepath.Join("..", "..", "docs", "results", "result.json")
	if _, err := os.Stat(file); err != nil {
		b.Skip(err)
	}
	for b.Loop() {
		res, err := result.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		for _, s := range Stages(res) {
			if s.Err != nil {
				b.Fatal(s.Err)
			}
		}
	}
}
