package cost

import "strings"

// baseline is the share of each vCPU that a burstable machine may use on average for its hourly price.
type baseline struct{ vcpus, share float64 }

// baselines of t3, t3a and t4g, and of t2, by size. Source: Amazon EC2 User Guide, "Key concepts for
// burstable performance instances"; RDS runs its t classes on the same machines.
var (
	baselines = map[string]baseline{
		"nano": {2, 0.05}, "micro": {2, 0.1}, "small": {2, 0.2}, "medium": {2, 0.2},
		"large": {2, 0.3}, "xlarge": {4, 0.4}, "2xlarge": {8, 0.4},
	}
	baselinesT2 = map[string]baseline{
		"nano": {1, 0.05}, "micro": {1, 0.1}, "small": {1, 0.2}, "medium": {2, 0.2},
		"large": {2, 0.3}, "xlarge": {4, 0.225}, "2xlarge": {8, 0.17},
	}
)

// defaultCredits is the mode of CPU credits that a family starts in when none is asked for. Source: Amazon
// EC2 User Guide, "Unlimited mode for burstable performance instances".
func defaultCredits(family string) string {
	switch family {
	case "t3", "t3a", "t4g":
		return "unlimited"
	}
	return "standard"
}

// credits charges the CPU time that the traffic takes of n burstable machines beyond their baseline,
// in unlimited mode. AWS averages over a day at most, the estimate over the month: traffic that comes
// on few days costs more.
func credits(b *bill, r Resource, item, kind string, n, secondsPerRequest float64) {
	family, size, _ := strings.Cut(strings.TrimPrefix(kind, "db."), ".")
	sizes := baselines
	switch family {
	case "t3", "t3a", "t4g":
	case "t2":
		sizes = baselinesT2
	default:
		if strings.HasPrefix(family, "t") && len(family) < 4 {
			b.unpriced(r, "the CPU credits of %s are not priced", kind)
		}
		return
	}
	base, ok := sizes[size]
	if !ok {
		b.unpriced(r, "the CPU baseline of %s is not known", kind)
		return
	}
	used := b.usage.Requests*secondsPerRequest/3600 - n*base.vcpus*base.share*HoursPerMonth
	b.used(r, item+"/credits/"+family, max(0, used))
}
