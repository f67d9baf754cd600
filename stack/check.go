package stack

import (
	"regexp"
	"strings"

	"shoplab/contract"
)

// stackName matches what may stand in an RDS identifier of 63 characters, between "shoplab-" and the 26
// that make it unique.
var stackName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

const stackNameLimit = 28

// graviton matches ARM instance families: t4g, m7gd, c8gn, im4gn, a1.
var graviton = regexp.MustCompile(`^([a-z]+[0-9]+g[a-z]*|a1)\.`)

// check finds what is wrong with values that are each well formed. Those that are missing or are not are zero here,
// and reported already.
func (p *problems) check(c Config) {
	if c.MaxInstances > 0 && c.MaxInstances < c.Instances {
		p.add("shoplab:maxInstances is %d, not between %d and 100: fewer than shoplab:instances", c.MaxInstances, c.Instances)
	}
	if need := c.ConnectionsNeeded(); c.DatabaseConnections > 0 && need > c.DatabaseConnections {
		p.add("2 x %d maxInstances x %d poolPerInstance + %d in reserve = %d connections, but the database accepts %d "+
			"(shoplab:databaseConnections)",
			c.MaxInstances, c.PoolPerInstance, ConnectionReserve, need, c.DatabaseConnections)
	}
	if c.InstanceType != "" && c.Kubeconfig == "" && graviton.MatchString(c.InstanceType) != (c.Architecture == "arm64") {
		p.add("shoplab:instanceType %s does not run %s (shoplab:architecture)", c.InstanceType, c.Architecture)
	}
	p.checkTopology(c)
	p.checkOptions(c)
}

// checkTopology finds what one topology asks for.
func (p *problems) checkTopology(c Config) {
	if !stackName.MatchString(c.Stack) || len(c.Stack) > stackNameLimit {
		p.add("the stack's name %s becomes part of names in AWS: use up to %d of a-z, 0-9 and single hyphens", c.Stack,
			stackNameLimit)
	}
	switch c.Topology {
	case contract.Single:
		if c.MaxInstances != 1 {
			p.add("shoplab:maxInstances is %d, but topology single is one server", c.MaxInstances)
		}
	case contract.Fargate:
		if c.CPU != 0 && c.Memory != 0 {
			p.fargateSize(c.CPU, c.Memory)
		}
	case contract.Lambda:
		p.checkLambda(c)
	}
	if c.Topology != contract.Single && c.Region != "" {
		p.checkRegion(c.Region)
	}
	if c.Topology != contract.Mesh && c.Kubeconfig != "" {
		p.add("shoplab:kubeconfig belongs to topology mesh, not %s", c.Topology)
	}
	if c.Kubeconfig == "" && (c.Istio == contract.IstioExisting || c.StorageClass != "") {
		p.add("shoplab:istio existing and shoplab:storageClass are for a cluster that is there already (shoplab:kubeconfig)")
	}
}

// checkRegion finds a region whose databases the service would not trust.
func (p *problems) checkRegion(region string) {
	roots, err := contract.RDSRoots()
	if err != nil {
		p.add("%v", err)
	} else if roots[region] == nil {
		p.add("aws:region is %s, and the service does not know the certificate authority of RDS there: add %s of that "+
			"region to contract/rds.pem",
			region, contract.RDSAuthority)
	}
}

// checkOptions finds what one option asks of others.
func (p *problems) checkOptions(c Config) {
	if c.HTTPS == contract.HTTPSDomain {
		if c.Domain == "" || c.Zone == "" {
			p.add("shoplab:https domain needs shoplab:domain and shoplab:zone")
		} else if c.Domain != c.Zone && !strings.HasSuffix(c.Domain, "."+c.Zone) {
			p.add("shoplab:domain %s is not in the zone %s (shoplab:zone)", c.Domain, c.Zone)
		}
	}
	if c.Payments == contract.PaymentsStripe {
		for name, value := range map[string]string{
			"stripeSecretKey": c.StripeSecretKey, "stripePublishableKey": c.StripePublishableKey,
		} {
			if value == "" {
				p.add("shoplab:payments stripe needs shoplab:%s", name)
			}
		}
		if c.HTTPS == contract.HTTPSOff && c.Topology != contract.Lambda { // whose HTTP API speaks HTTPS by itself
			p.add("shoplab:payments stripe needs HTTPS, but shoplab:https is off")
		}
	}
	p.checkDumps(c)
	if c.DatabaseStandby && (c.Topology == contract.Single || c.Topology == contract.Mesh) {
		p.add("shoplab:databaseStandby is for a database of RDS; with topology %s the server has it", c.Topology)
	}
}

// checkDumps finds what is wrong with the database dumps that were asked for.
func (p *problems) checkDumps(c Config) {
	if c.DumpBucket == "" {
		return
	}
	if c.Topology != contract.Single {
		p.add("shoplab:dumpBucket belongs to topology single; with %s the database is RDS (shoplab:databaseBackupDays)",
			c.Topology)
	}
}

// fargateSize checks what AWS offers: a task's memory depends on its CPU.
func (p *problems) fargateSize(cpu, memory int) {
	sizes := map[int][3]int{ // CPU units: least, most, step in MiB
		256: {512, 2048, 512}, 512: {1024, 4096, 1024}, 1024: {2048, 8192, 1024},
		2048: {4096, 16384, 1024}, 4096: {8192, 30720, 1024},
	}
	size, ok := sizes[cpu]
	if !ok {
		p.add("shoplab:cpu is %d; Fargate takes 256, 512, 1024, 2048 or 4096", cpu)
		return
	}
	if memory < size[0] || memory > size[1] || memory%size[2] != 0 || (cpu == 256 && memory == 1536) {
		p.add("shoplab:memory is %d; with %d CPU units Fargate takes %d to %d MiB in steps of %d",
			memory, cpu, size[0], size[1], size[2])
	}
}

// memoryOfCPU is the memory in MiB with which a Lambda function has the equivalent of one vCPU; it has CPU in
// proportion.
// Source: AWS Lambda Developer Guide, "Configure Lambda function memory".
const memoryOfCPU = 1769

// LambdaCPU is how many CPU units a Lambda function with so many MiB has.
func LambdaCPU(memory int) int { return 1024 * memory / memoryOfCPU }

// imageInECR matches a private ECR repository, the only kind of which Lambda takes images.
var imageInECR = regexp.MustCompile(`^[0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/`)

// checkLambda checks what Lambda takes.
func (p *problems) checkLambda(c Config) {
	if c.Memory != 0 && (c.Memory < 128 || c.Memory > 10240) {
		p.add("shoplab:memory is %d, not between 128 and 10240, which is what Lambda takes", c.Memory)
	}
	if c.CPU != 0 && c.Memory != 0 && c.CPU != LambdaCPU(c.Memory) {
		p.add("shoplab:cpu is %d; Lambda gives a function of %d MiB %d CPU units: write that, or take another shoplab:memory",
			c.CPU, c.Memory, LambdaCPU(c.Memory))
	}
	if c.Instances > 1 {
		p.add("shoplab:instances is %d, but with topology lambda the first request starts the first one: write 1",
			c.Instances)
	}
	if c.Image != "" && !imageInECR.MatchString(c.Image) {
		p.add("shoplab:image is %q; Lambda takes images of a private ECR repository only", c.Image)
	}
}
