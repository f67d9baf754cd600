package twin

import "time"

// Group is a control group: what its processes used, and the most they may use.
type Group struct {
	Name        string
	CPULimit    float64 // CPUs; 0 means no limit of its own
	MemoryLimit int64   // bytes; 0 means no limit of its own
	Parent      *Group  // the machine it shares with others; nil for none
}

// Usage is what a group has used since it was made.
type Usage struct {
	CPU              time.Duration
	Periods          uint64 // of the CPU quota that have passed
	ThrottledPeriods uint64 // of those, in which the quota ran out
	ThrottledTime    time.Duration
	Memory           uint64 // bytes now, page cache included
	MemoryPeak       uint64
}

// Usage reads the group's counters.
func (g *Group) Usage() (Usage, error) { return Usage{}, nil }
