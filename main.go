// Command shoplab is the Pulumi program that deploys the shop.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/platform"
)

func main() { pulumi.Run(platform.Deploy) }
