// Command program is a stack without a cloud, for the test of automate.
package main

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

type thing struct{ pulumi.ResourceState }

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		if err := ctx.RegisterComponentResource("shoplab:test:Thing", "thing", &thing{}); err != nil {
			return err
		}
		rateLimit, _ := ctx.GetConfig("shoplab:rateLimit")
		ctx.Export("url", pulumi.String("http://shop.test/"+rateLimit))
		ctx.Export("secret", pulumi.ToSecret(pulumi.String("not for the lab")))
		ctx.Export("capacity", pulumi.Map{"instances": pulumi.Int(2)})
		return nil
	})
}
