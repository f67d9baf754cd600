package platform

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
)

// withoutVPCOrigins are the zones, by their ids, where CloudFront makes no VPC origin. An id means the same
// zone in every account, a name does not.
// Source: CloudFront developer guide, "Supported AWS Regions for VPC origins", read 2026-11-27.
var withoutVPCOrigins = []string{"use1-az3", "usw1-az2", "apne1-az3", "cac1-az3"}

// zonesNeeded is how many zones a VPC has: a load balancer and the subnet groups of RDS ask for two.
const zonesNeeded = 2

// zone is an Availability Zone, with what a stage asks of one.
type zone struct {
	name string
	// offers says that EC2 has the stage's instance type there; true where the stage has no servers.
	offers bool
	// reached says that CloudFront makes VPC origins there.
	reached bool
}

// chooseZones returns the names of two zones: the first by name that have all a stage asks for. It runs before
// the first resource. Subnets that are there keep their zone whatever it returns.
func chooseZones(ctx *pulumi.Context, c Config) ([]string, error) {
	found, err := aws.GetAvailabilityZones(ctx, &aws.GetAvailabilityZonesArgs{
		State:   pulumi.StringRef("available"),
		Filters: []aws.GetAvailabilityZonesFilter{{Name: "opt-in-status", Values: []string{"opt-in-not-required"}}},
	})
	if err != nil {
		return nil, fmt.Errorf("list the zones of %s: %w", c.Region, err)
	}
	offering, err := zonesOffering(ctx, c)
	if err != nil {
		return nil, err
	}
	var all []zone
	for i, name := range found.Names {
		all = append(all, zone{
			name:    name,
			offers:  !c.Servers() || slices.Contains(offering, name),
			reached: i >= len(found.ZoneIds) || !slices.Contains(withoutVPCOrigins, found.ZoneIds[i]),
		})
	}
	return c.pickZones(all)
}

// zonesOffering are the names of the zones where EC2 offers the stage's instance type.
func zonesOffering(ctx *pulumi.Context, c Config) ([]string, error) {
	if !c.Servers() {
		return nil, nil
	}
	found, err := ec2.GetInstanceTypeOfferings(ctx, &ec2.GetInstanceTypeOfferingsArgs{
		LocationType: pulumi.StringRef("availability-zone"),
		Filters:      []ec2.GetInstanceTypeOfferingsFilter{{Name: "instance-type", Values: []string{c.InstanceType}}},
	})
	if err != nil {
		return nil, fmt.Errorf("list the zones that offer %s: %w", c.InstanceType, err)
	}
	return found.Locations, nil
}

// pickZones takes the zones with most of what is asked for, and says what is missing if that is too little.
func (c Config) pickZones(all []zone) ([]string, error) {
	lacks := func(z zone) (n int) { // a server that does not start is worse than a VPC origin that is not asked for today
		if !z.offers {
			n = 2
		}
		if !z.reached {
			n++
		}
		return n
	}
	picked := slices.Clone(all)
	slices.SortFunc(picked, func(a, b zone) int {
		return cmp.Or(cmp.Compare(lacks(a), lacks(b)), cmp.Compare(a.name, b.name))
	})
	if len(picked) < zonesNeeded {
		return nil, fmt.Errorf("%s has %d zone(s) for this account, a stage needs %d: choose another aws:region", c.Region,
			len(picked), zonesNeeded)
	}
	picked = picked[:zonesNeeded]
	// one server stands in the first zone
	servers := map[string]int{contract.Single: 1, contract.Mesh: 1, contract.Balanced: zonesNeeded}[c.Topology]
	if slices.ContainsFunc(picked[:servers], func(z zone) bool { return !z.offers }) {
		return nil, fmt.Errorf("EC2 offers %s in %s, and topology %s needs %d zone(s) of %s that do: choose another "+
			"shoplab:instanceType or aws:region",
			c.InstanceType, namesOf(all, func(z zone) bool { return z.offers }), c.Topology, servers, c.Region)
	}
	if c.privateOrigin() && slices.ContainsFunc(picked, func(z zone) bool { return !z.reached }) {
		return nil, fmt.Errorf("CloudFront makes VPC origins in %s, and topology %s needs %d such zones of %s: choose "+
			"another aws:region, or shoplab:https off",
			namesOf(all, func(z zone) bool { return z.reached && z.offers }), c.Topology, zonesNeeded, c.Region)
	}
	return []string{picked[0].name, picked[1].name}, nil
}

// namesOf lists the zones that are as wanted, for people.
func namesOf(all []zone, wanted func(zone) bool) string {
	var found []string
	for _, z := range all {
		if wanted(z) {
			found = append(found, z.name)
		}
	}
	if len(found) == 0 {
		return "none of its zones"
	}
	return strings.Join(found, ", ")
}
