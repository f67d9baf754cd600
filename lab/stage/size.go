package stage

import "strings"

// Size is what a machine has.
type Size struct {
	CPUs   float64
	Memory int64 // bytes
}

const mib = 1 << 20

// SizeOf knows the machines that a stage is likely to name; databases are named as the instance they
// run on. Source: AWS's pages of EC2, RDS and ElastiCache node types.
func SizeOf(kind string) (Size, bool) {
	s, ok := map[string]Size{
		"t2.small": {1, 2048 * mib},
		"t3.micro": {2, 1024 * mib}, "t4g.micro": {2, 1024 * mib},
		"t3.small": {2, 2048 * mib}, "t4g.small": {2, 2048 * mib},
		"t3.medium": {2, 4096 * mib}, "t4g.medium": {2, 4096 * mib},
		"t3.large": {2, 8192 * mib}, "t4g.large": {2, 8192 * mib},
		"t3.xlarge": {4, 16384 * mib}, "t4g.xlarge": {4, 16384 * mib},
		"cache.t3.micro": {2, 512 * mib}, "cache.t4g.micro": {2, 512 * mib},
		"cache.t3.small": {2, 1402 * mib}, "cache.t4g.small": {2, 1402 * mib},
	}[strings.TrimPrefix(kind, "db.")]
	return s, ok
}
