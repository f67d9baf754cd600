package forecast

import (
	"testing"
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
