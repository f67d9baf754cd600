package forecast

import "shoplab/lab/result"

// Assumption is something that a forecast takes from elsewhere than from a measurement here.
type Assumption struct {
	Name   string
	Value  result.Interval
	Unit   string
	Source string
}

// The assumptions about AWS. `lab run --target aws` measures what they add up to.
var (
	// CoreSpeed is the work of a vCPU there over a core's here.
	CoreSpeed = Assumption{
		Name: "speed of a vCPU over a core here", Value: result.Interval{Value: 1, Low: .7, High: 1.4}, Unit: "ratio",
		Source: "assumed: not measured; a run on AWS replaces it",
	}
	// Hop is there and back between two machines of a region.
	Hop = Assumption{
		Name: "network, there and back", Value: result.Interval{Value: .0005, Low: .0002, High: .002}, Unit: "s",
		Source: "assumed: between zones of a region, not measured",
	}
	// Balancer is what an Application Load Balancer adds.
	Balancer = Assumption{
		Name: "load balancer", Value: result.Interval{Value: .001, Low: .0005, High: .004}, Unit: "s",
		Source: "assumed: AWS publishes no figure",
	}
	// RoundTrips is how often a request asks the database, for which it waits the network each time, where a result
	// has no count of it.
	RoundTrips = Assumption{
		Name: "round trips to the database a request", Value: result.Interval{Value: 2, Low: 1, High: 6}, Unit: "round trips",
		Source: "assumed only of a stage whose instances' metrics were not read, as those on AWS",
	}
)

// Assumptions are all of them.
func Assumptions() []Assumption { return []Assumption{CoreSpeed, Hop, Balancer, RoundTrips} }
