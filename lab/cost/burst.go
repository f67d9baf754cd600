package cost

import "strings"

// baselines are the shares of each vCPU that a burstable machine may use on average for its hourly
// price, by size. Source: Amazon EC2 User Guide, "Key concepts for burstable performance instances";
// RDS runs its t classes on the same machines.
var baselines = map[string]struct{ vcpus, share float64 }{
	"nano": {2, 0.05}, "micro": {2, 0.1}, "small": {2, 0.2}, "medium": {2, 0.2},
	"large": {2, 0.3}, "xlarge": {4, 0.4}, "2xlarge": {8, 0.4},
}

// credits charges the CPU time that the traffic takes of n burstable machines beyond their baseline,
// in unlimited mode. AWS averages over a day at most, the estimate over the month: traffic that comes
// on few days costs more.
func credits(b *bill, r Resource, item, kind string, n, secondsPerRequest float64) {
	family, size, _ := strings.Cut(strings.TrimPrefix(kind, "db."), ".")
	if family != "t3" && family != "t4g" {
		if strings.HasPrefix(family, "t") {
			b.dunno(r, "the CPU credits of "+kind+" are not priced")
		}
		return
	}
	baseline, ok := baselines[size]
	if !ok {
		b.dunno(r, "the CPU baseline of "+kind+" is not known")
		return
	}
	used := b.usage.Requests * secondsPerRequest / 3600
	b.lineBeyond(r, item+"/credits/"+family, used, n*baseline.vcpus*baseline.share*HoursPerMonth, true)
}
