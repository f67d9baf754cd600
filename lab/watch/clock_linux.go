package watch

import "github.com/prometheus/procfs"

// clock is the cores' mean clock in MHz, or 0 where the machine does not say.
func clock(fs procfs.FS) (mhz float64) {
	cpus, err := fs.CPUInfo()
	if err != nil {
		return 0
	}
	for _, one := range cpus {
		mhz += one.CPUMHz / float64(len(cpus))
	}
	return mhz
}
