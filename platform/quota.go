package platform

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/servicequotas"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
)

// vcpuQuota is the quota of vCPUs of running On-Demand instances of the standard families, which start with
// one of the letters: docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html. New accounts may
// have as few as 5.
const vcpuQuota, standardFamilies = "L-1216C47A", "acdhimrtz"

// checkQuota says before the first resource what the account's quota of vCPUs does not allow: an error if the
// stage cannot come up, a warning if it could not be updated or scale out. It is asked through the provider,
// which has the stack's credentials; somebody who may not read quotas deploys all the same.
func checkQuota(ctx *pulumi.Context, c Config) error {
	if !c.Servers() || c.Kubeconfig != "" || !strings.ContainsAny(c.InstanceType[:1], standardFamilies) {
		return nil
	}
	kind, err := ec2.GetInstanceType(ctx, &ec2.GetInstanceTypeArgs{InstanceType: c.InstanceType})
	if err != nil {
		return fmt.Errorf("look up the instance type %s (shoplab:instanceType): %w", c.InstanceType, err)
	}
	quota, err := servicequotas.LookupServiceQuota(ctx, &servicequotas.LookupServiceQuotaArgs{
		ServiceCode: "ec2", QuotaCode: pulumi.StringRef(vcpuQuota),
	})
	if err != nil {
		return ctx.Log.Debug(fmt.Sprintf("the quota of vCPUs is not checked: %v", err), nil)
	}
	problem, short := c.overQuota(kind.DefaultVcpus, int(quota.Value))
	switch {
	case problem == "":
		return nil
	case short:
		return fmt.Errorf("%s", problem)
	}
	return ctx.Log.Warn(problem, nil)
}

// overQuota says what a quota of vCPUs does not allow, empty if nothing, and whether the stage would not even
// come up. Other servers in the account count too, which nobody can know here.
func (c Config) overQuota(vcpus, quota int) (problem string, short bool) {
	servers, most := c.Instances, c.Instances
	if c.Topology == contract.Mesh {
		servers, most = 1, 1 // the instances are pods
	}
	needs := fmt.Sprintf("%d to come up", servers*vcpus)
	if c.Topology == contract.Balanced {
		// A refresh adds one server (contract.RefreshMost), whatever scaling has made of the fleet.
		most = c.MaxInstances + 1
		needs += fmt.Sprintf(", %d to be updated and up to %d to scale out to %d servers and be updated then",
			(servers+1)*vcpus, most*vcpus, c.MaxInstances)
	}
	if most*vcpus <= quota {
		return "", false
	}
	return fmt.Sprintf("the account may run %d vCPUs of On-Demand instances in %s, and %s (%s, %d vCPUs each) needs %s. "+
			"Ask AWS for more, which is free: aws service-quotas request-service-quota-increase --region %s --service-code ec2 "+
			"--quota-code %s --desired-value %d", quota, c.Region, c.Stack, c.InstanceType, vcpus, needs, c.Region, vcpuQuota,
			most*vcpus),
		servers*vcpus > quota
}
