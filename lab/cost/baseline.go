package cost

import "strings"

// Baseline is the share of each vCPU that a burstable machine, database or cache node may use on average
// without CPU credits or a charge for them; false for a kind that is not burstable or not known.
func Baseline(kind string) (share float64, ok bool) {
	family, size, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(kind, "db."), "cache."), ".")
	if family != "t3" && family != "t4g" {
		return 0, false
	}
	b, ok := baselines[size]
	return b.share, ok
}
