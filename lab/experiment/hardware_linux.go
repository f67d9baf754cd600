package experiment

import (
	"context"

	"github.com/prometheus/procfs"
)

// hardware is the model of the CPU and the bytes of memory; empty and 0 where they are not known.
func hardware(context.Context) (cpu string, memory int64) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return "", 0
	}
	if cpus, err := fs.CPUInfo(); err == nil && len(cpus) > 0 {
		cpu = cpus[0].ModelName
	}
	if m, err := fs.Meminfo(); err == nil && m.MemTotalBytes != nil {
		memory = int64(*m.MemTotalBytes)
	}
	return cpu, memory
}
