// Command generator is the Pulumi program that deploys the laboratory's load generator into a region of AWS. The
// laboratory brings it up before it sends a load, and down afterwards; see lab run --help.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/platform"
)

func main() { pulumi.Run(platform.DeployGenerator) }
