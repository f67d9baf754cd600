package platform

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"shoplab/contract"
)

// stackName matches what may stand in an RDS identifier of 63 characters, between "shoplab-" and the 26
// that make it unique.
var stackName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

const stackNameLimit = 28

// checkTopology finds what one topology asks for.
func (r *reader) checkTopology(c Config) {
	if !stackName.MatchString(c.Stack) || len(c.Stack) > stackNameLimit {
		r.problem("the stack's name %s becomes part of names in AWS: use up to %d of a-z, 0-9 and single hyphens", c.Stack, stackNameLimit)
	}
	switch c.Topology {
	case Single:
		if c.MaxInstances != 1 {
			r.problem("shoplab:maxInstances is %d, but topology single is one server", c.MaxInstances)
		}
	case Fargate:
		if c.CPU != 0 && c.Memory != 0 {
			r.fargateSize(c.CPU, c.Memory)
		}
	}
	if c.Topology != Single && c.Region != "" {
		r.checkRegion(c.Region)
	}
	if c.Topology != Mesh && c.Kubeconfig != "" {
		r.problem("shoplab:kubeconfig belongs to topology mesh, not %s", c.Topology)
	}
	if c.OperatorCIDR != "" {
		p, err := netip.ParsePrefix(c.OperatorCIDR)
		switch {
		case err != nil || p.Bits() < 8:
			r.problem("shoplab:operatorCidr is %q, not a network of /8 or narrower such as 203.0.113.7/32", c.OperatorCIDR)
		case !p.Addr().Is4():
			r.problem("shoplab:operatorCidr is %s, but the server has an IPv4 address only: name an IPv4 network such as 203.0.113.7/32", c.OperatorCIDR)
		case p != p.Masked():
			r.problem("shoplab:operatorCidr is %s, which begins at %s: write that, or one address as %s/32", c.OperatorCIDR, p.Masked(), p.Addr())
		}
	}
}

// checkRegion finds a region whose databases the service would not trust.
func (r *reader) checkRegion(region string) {
	roots, err := contract.RDSRoots()
	if err != nil {
		r.problem("%v", err)
	} else if roots[region] == nil {
		r.problem("aws:region is %s, and the service does not know the certificate authority of RDS there: add %s of that region to contract/rds.pem",
			region, contract.RDSAuthority)
	}
}

// checkOptions finds what one option asks of others.
func (r *reader) checkOptions(c Config) {
	if c.HTTPS == HTTPSDomain {
		if c.Domain == "" || c.Zone == "" {
			r.problem("shoplab:https domain needs shoplab:domain and shoplab:zone")
		} else if c.Domain != c.Zone && !strings.HasSuffix(c.Domain, "."+c.Zone) {
			r.problem("shoplab:domain %s is not in the zone %s (shoplab:zone)", c.Domain, c.Zone)
		}
	}
	if c.Payments == PaymentsStripe {
		for name, value := range map[string]string{
			"stripeSecretKey": c.StripeSecretKey, "stripePublishableKey": c.StripePublishableKey,
		} {
			if value == "" {
				r.problem("shoplab:payments stripe needs shoplab:%s", name)
			}
		}
		if c.HTTPS == HTTPSOff {
			r.problem("shoplab:payments stripe needs HTTPS, but shoplab:https is off")
		}
	}
	r.between("sessionKeyVersion", c.SessionKeyVersion, 1, 1_000_000)
	if c.Expires != "" {
		if _, err := time.Parse(time.RFC3339, c.Expires); err != nil {
			r.problem("shoplab:expires is %q, not a time such as 2026-12-31T18:00:00Z", c.Expires)
		}
	}
	if c.AlertEmail != "" && !strings.Contains(c.AlertEmail, "@") {
		r.problem("shoplab:alertEmail is %q, not an address", c.AlertEmail)
	}
	r.checkDumps(c)
}

// dumpTarget matches bucket/prefix. S3 allows dots in a bucket's name, but its certificate does not
// cover them.
var dumpTarget = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9](/[A-Za-z0-9_.-]+)+$`)

// calendar matches what systemd.time may consist of; systemd checks the rest at the first boot.
var calendar = regexp.MustCompile(`^[A-Za-z0-9*:.,/~ +_-]+$`)

// checkDumps finds what is wrong with the database dumps that were asked for.
func (r *reader) checkDumps(c Config) {
	if c.DumpBucket == "" {
		return
	}
	if c.Topology != Single {
		r.problem("shoplab:dumpBucket belongs to topology single; with %s the database is RDS (shoplab:databaseBackupDays)", c.Topology)
	}
	if !dumpTarget.MatchString(c.DumpBucket) {
		r.problem("shoplab:dumpBucket is %q, neither bucket nor bucket/prefix; a bucket's name has 3 to 63 of a-z, 0-9 and -", r.values["dumpBucket"])
	}
	if !calendar.MatchString(c.DumpCalendar) {
		r.problem("shoplab:dumpCalendar is %q, not a time such as hourly or *-*-* 03:00", c.DumpCalendar)
	}
}

// fargateSize checks what AWS offers: a task's memory depends on its CPU.
func (r *reader) fargateSize(cpu, memory int) {
	sizes := map[int][3]int{ // CPU units: least, most, step in MiB
		256: {512, 2048, 512}, 512: {1024, 4096, 1024}, 1024: {2048, 8192, 1024},
		2048: {4096, 16384, 1024}, 4096: {8192, 30720, 1024},
	}
	size, ok := sizes[cpu]
	if !ok {
		r.problem("shoplab:cpu is %d; Fargate takes 256, 512, 1024, 2048 or 4096", cpu)
		return
	}
	if memory < size[0] || memory > size[1] || memory%size[2] != 0 || (cpu == 256 && memory == 1536) {
		r.problem("shoplab:memory is %d; with %d CPU units Fargate takes %d to %d MiB in steps of %d",
			memory, cpu, size[0], size[1], size[2])
	}
}

func (r *reader) oneOf(name, value string, choices ...string) {
	if value != "" && !slices.Contains(choices, value) {
		r.problem("shoplab:%s is %q; choose one of %s", name, value, strings.Join(choices, ", "))
	}
}

func (r *reader) between(name string, value, low, high int) {
	if _, err := strconv.Atoi(r.values[name]); err == nil && (value < low || value > high) {
		r.problem("shoplab:%s is %d, not between %d and %d", name, value, low, high)
	}
}
