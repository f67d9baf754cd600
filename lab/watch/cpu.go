package watch

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/procfs"

	"shoplab/lab/result"
)

// CPU is what this process and its machine have used of the CPU since they began, in CPU seconds.
type CPU struct {
	At                            time.Time
	Self, Busy, Total, Interrupts float64
	// Steal is what the machine's host gave to others, and MHz the cores' mean clock; 0 where it is not said.
	Steal, MHz float64
}

// ReadCPU reads the counters; false where there is no /proc, and nothing is measured then.
func ReadCPU() (CPU, bool) {
	c := CPU{At: time.Now()}
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return c, false
	}
	self, err := fs.Self()
	if err != nil {
		return c, false
	}
	mine, err := self.Stat()
	if err != nil {
		return c, false
	}
	all, err := fs.Stat()
	if err != nil {
		return c, false
	}
	t := all.CPUTotal
	c.Self = mine.CPUTime()
	c.Interrupts = t.IRQ + t.SoftIRQ
	c.Busy = t.User + t.Nice + t.System + c.Interrupts + t.Steal
	c.Total = c.Busy + t.Idle + t.Iowait
	c.Steal, c.MHz = t.Steal, clock(fs)
	return c, true
}

// Since is what was used since then, this process being the generator of a load.
func (c CPU) Since(then CPU) (g result.Generator) {
	seconds, busy, all := c.At.Sub(then.At).Seconds(), c.Busy-then.Busy, c.Total-then.Total
	if seconds <= 0 {
		return g
	}
	g.CPU = result.Ptr((c.Self - then.Self) / seconds)
	if mean := (c.MHz + then.MHz) / 2; mean > 0 {
		g.FrequencyMHz = &mean
	}
	if all > 0 && busy > 0 {
		g.MachineCPU = result.Ptr(busy / all)
		g.Steal = result.Ptr((c.Steal - then.Steal) / all)
		g.MachineShare = result.Ptr(min(1, (c.Self-then.Self)/busy))
	}
	return g
}

// Generators reads the CPU of processes of this machine that send load for the laboratory.
func Generators(pids []int) Probe {
	used := make([]Rate, len(pids))
	return func(context.Context) []Reading {
		var found []Reading
		for i, pid := range pids {
			p, err := procfs.NewProc(pid)
			if err != nil {
				continue
			}
			stat, err := p.Stat()
			if err != nil {
				continue
			}
			if cores, ok := used[i].Next(stat.CPUTime()); ok {
				found = append(found, Reading{
					Resource: result.ResourceGeneratorCPU, Of: fmt.Sprintf("shard %d", i+1),
					Unit: "cores", Value: cores,
				})
			}
		}
		return found
	}
}

// Machine reads the use of this whole machine and of the laboratory itself.
func Machine() Probe {
	var last CPU
	return func(context.Context) []Reading {
		now, ok := ReadCPU()
		if !ok {
			return nil
		}
		then := last
		last = now
		seconds, all := now.At.Sub(then.At).Seconds(), now.Total-then.Total
		if then.At.IsZero() || seconds <= 0 {
			return nil
		}
		found := []Reading{
			{Resource: result.ResourceInterruptCPU, Unit: "cores", Value: (now.Interrupts - then.Interrupts) / seconds},
			{Resource: result.ResourceGeneratorCPU, Unit: "cores", Value: (now.Self - then.Self) / seconds},
		}
		if all > 0 {
			found = append(found, Reading{
				Resource: result.ResourceMachineCPU, Unit: "ratio", Limit: 1,
				Value: (now.Busy - then.Busy) / all,
			})
		}
		return found
	}
}
