//go:build !linux

package experiment

import (
	"context"
	"strconv"
)

// hardware is the model of the CPU and the bytes of memory, as macOS tells them; empty and 0 where they
// are not known.
func hardware(ctx context.Context) (cpu string, memory int64) {
	memory, _ = strconv.ParseInt(output(ctx, "sysctl", "-n", "hw.memsize"), 10, 64)
	return output(ctx, "sysctl", "-n", "machdep.cpu.brand_string"), memory
}
