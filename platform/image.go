package platform

import (
	"cmp"
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
)

// Image is the container image of a program of this repository.
type Image struct {
	pulumi.ResourceState
	// Reference names the image by digest. In an update it is known once the image is pushed, so
	// that nothing deploys before.
	Reference pulumi.StringOutput
	// Repository is nil if shoplab:image names a prebuilt image.
	Repository *ecr.Repository

	policy *ecr.RepositoryPolicy // nil but with topology lambda
}

// ImageArgs are the arguments of NewImage.
type ImageArgs struct {
	Config Config
	// Module is the folder of the Go module; empty: the Pulumi program's.
	Module string
	// Package of the module is the program that the image runs; empty: the service.
	Package string
}

// NewImage builds a program and pushes its image to an ECR repository of its own. A preview builds it too, so that a
// change of the digest shows, and pushes nothing.
func NewImage(ctx *pulumi.Context, name string, args ImageArgs, opts ...pulumi.ResourceOption) (*Image, error) {
	c, i := args.Config, &Image{}
	if err := ctx.RegisterComponentResource("shoplab:platform:Image", name, i, opts...); err != nil {
		return nil, err
	}
	if c.Image != "" {
		i.Reference = pulumi.String(c.Image).ToStringOutput()
		return i, ctx.RegisterResourceOutputs(i, pulumi.Map{"reference": i.Reference})
	}
	var err error
	i.Repository, err = ecr.NewRepository(ctx, name+"-repository", &ecr.RepositoryArgs{
		ForceDelete: pulumi.Bool(true), ImageTagMutability: pulumi.String("IMMUTABLE"),
		EncryptionConfigurations: ecr.RepositoryEncryptionConfigurationArray{
			ecr.RepositoryEncryptionConfigurationArgs{EncryptionType: pulumi.String("AES256")},
		},
		ImageScanningConfiguration: ecr.RepositoryImageScanningConfigurationArgs{ScanOnPush: pulumi.Bool(true)},
	}, child(i)...)
	if err != nil {
		return nil, err
	}
	if _, err := ecr.NewLifecyclePolicy(ctx, name+"-lifecycle", &ecr.LifecyclePolicyArgs{
		Repository: i.Repository.Name,
		Policy: pulumi.String(`{"rules":[{"rulePriority":1,"description":"Keep the last 10",` +
			`"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":10},"action":{"type":"expire"}}]}`),
	}, child(i)...); err != nil {
		return nil, err
	}
	if c.Topology == contract.Lambda {
		if err := i.openToLambda(ctx, name, c); err != nil {
			return nil, err
		}
	}
	image, err := buildContainer(ctx.Context(),
		cmp.Or(args.Module, ctx.RootDirectory()), cmp.Or(args.Package, "./service"), c.Architecture)
	if err != nil {
		return nil, err
	}
	digest, err := image.Digest()
	if err != nil {
		return nil, fmt.Errorf("compute the image's digest: %w", err)
	}
	if err := ctx.Log.Info("image "+digest.String(), &pulumi.LogArgs{Resource: i}); err != nil {
		return nil, err
	}
	token := ecr.GetAuthorizationTokenOutput(ctx, ecr.GetAuthorizationTokenOutputArgs{
		RegistryId: i.Repository.RegistryId,
	}, pulumi.Parent(i))
	known := pulumi.All(i.Repository.RepositoryUrl, token.UserName(), token.Password())
	i.Reference = known.ApplyT(func(all []any) (string, error) {
		repository := all[0].(string)
		if ctx.DryRun() {
			return repository + "@" + digest.String(), nil
		}
		return pushContainer(ctx.Context(), image, repository, &authn.Basic{
			Username: all[1].(string), Password: all[2].(string),
		})
	}).(pulumi.StringOutput)
	// The token makes the reference a secret, which it is not.
	i.Reference = pulumi.Unsecret(i.Reference).(pulumi.StringOutput)
	return i, ctx.RegisterResourceOutputs(i, pulumi.Map{"reference": i.Reference})
}

// openToLambda lets the stage's function load the image. Lambda would write this policy itself, into a repository that
// nobody has told so. Source: AWS Lambda Developer Guide, "Create a Lambda function using a container image".
func (i *Image) openToLambda(ctx *pulumi.Context, name string, c Config) error {
	policy, err := ecr.NewRepositoryPolicy(ctx, name+"-policy", &ecr.RepositoryPolicyArgs{
		Repository: i.Repository.Name,
		Policy: pulumi.JSONMarshal(pulumi.Map{"Version": pulumi.String("2012-10-17"), "Statement": pulumi.Array{pulumi.Map{
			"Effect": pulumi.String("Allow"), "Principal": pulumi.Map{"Service": pulumi.String("lambda.amazonaws.com")},
			"Action": pulumi.ToStringArray([]string{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}),
			"Condition": pulumi.Map{"ArnLike": pulumi.Map{
				"aws:SourceArn": pulumi.Sprintf("arn:aws:lambda:%s:%s:function:%s*", c.Region, i.Repository.RegistryId,
					c.functionName()),
			}},
		}}}),
	}, child(i)...)
	i.policy = policy
	return err
}
