package load

import (
	"time"

	"github.com/prometheus/procfs"

	"shoplab/lab/result"
)

// meter measures what the generator itself and its whole machine use of the CPU. Without /proc it
// measures nothing, and says nothing.
type meter struct {
	at                time.Time
	self, busy, total float64 // CPU seconds
	ok                bool
}

func startMeter() meter {
	m := meter{at: time.Now()}
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return m
	}
	self, err := fs.Self()
	if err != nil {
		return m
	}
	mine, err := self.Stat()
	if err != nil {
		return m
	}
	all, err := fs.Stat()
	if err != nil {
		return m
	}
	t := all.CPUTotal
	idle := t.Idle + t.Iowait
	m.self = mine.CPUTime()
	m.busy = t.User + t.Nice + t.System + t.IRQ + t.SoftIRQ + t.Steal
	m.total = m.busy + idle
	m.ok = true
	return m
}

// read writes the use since m into the step.
func (m meter) read(step *result.Step) {
	now := startMeter()
	secs := now.at.Sub(m.at).Seconds()
	if !m.ok || !now.ok || secs <= 0 {
		return
	}
	step.GeneratorCPU = result.Ptr((now.self - m.self) / secs)
	busy, all := now.busy-m.busy, now.total-m.total
	if all > 0 && busy > 0 {
		step.MachineCPU = result.Ptr(busy / all)
		step.GeneratorShare = result.Ptr(min(1, (now.self-m.self)/busy))
	}
}
