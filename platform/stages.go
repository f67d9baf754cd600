// Package platform is the shop's infrastructure: one program, five stages.
package platform

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
	"shoplab/platform/boot"
)

// stage is what a composition hands over to be exported.
type stage struct {
	url, image pulumi.StringOutput
	watched    Watched
	kubeconfig pulumi.StringOutput
	dashboards pulumi.StringMap
}

// Deploy is the whole program: configuration first, then the composition that it names.
func Deploy(ctx *pulumi.Context) (err error) {
	defer stop(&err)
	check(ctx.RequirePulumiVersion(pulumiVersions))
	c := must(loadConfig(ctx))
	if err := tagEverything(ctx, c); err != nil {
		return fmt.Errorf("tag everything: %w", err)
	}
	check(explainErrors(ctx, c))
	check(checkQuota(ctx, c))
	check(checkRoom(ctx, c))
	nodes := must(checkCluster(ctx, c))
	compose := map[string]func(*pulumi.Context, Config) stage{
		contract.Single: single, contract.Balanced: balanced, contract.Fargate: fargate, contract.Mesh: mesh,
		contract.Lambda: serverless,
	}[c.Topology]
	if c.Kubeconfig != "" {
		compose = func(ctx *pulumi.Context, c Config) stage { return foreignMesh(ctx, c, nodes) }
	}
	var expiry *Expiry
	if c.Expires != "" && c.Kubeconfig == "" {
		expiry = must(NewExpiry(ctx, "expires", c)) // first: it ends what an interrupted up leaves
	}
	s := compose(ctx, c)
	s.dashboards = pulumi.StringMap{}
	if c.Kubeconfig == "" {
		must(NewBudget(ctx, "budget", c))
		observe := must(NewObservability(ctx, "observe", ObservabilityArgs{Config: c, Watched: s.watched}))
		s.dashboards["cloudwatch"] = observe.URL
		if expiry != nil {
			check(expiry.Announce(ctx, observe.Alerts))
		}
	}
	export(ctx, c, s)
	return nil
}

// single: nginx, the shop, PostgreSQL and Redis on one server.
func single(ctx *pulumi.Context, c Config) stage {
	network := must(NewNetwork(ctx, "network", c))
	image := must(NewImage(ctx, "image", ImageArgs{Config: c}))
	edge := must(NewEdge(ctx, "edge", c))
	own := map[string]pulumi.StringOutput{}
	header := ""
	if edge.Proven() {
		own[contract.EnvOriginSecret], header = edge.Secret, contract.OriginHeader
	}
	secrets := must(NewSecrets(ctx, "secrets", SecretsArgs{Config: c, Values: own}))
	check(edge.Admit(ctx, "network-compute-in", network.Compute, network))
	server := must(NewServer(ctx, "server", ServerArgs{
		Config: c, Network: network, Paths: secrets.Folders(), HopLimit: 1, Needs: []pulumi.Resource{secrets},
		UserData: func(pulumi.StringOutput) pulumi.StringOutput {
			return image.Reference.ApplyT(func(reference string) (string, error) {
				return boot.Single(boot.SingleArgs{
					Shop:           c.shop(reference, secrets, c.env(edge, "127.0.0.1/32")),
					MaxConnections: c.DatabaseConnections, OriginHeader: header,
					DumpBucket: c.DumpBucket, DumpCalendar: c.DumpCalendar,
				})
			}).(pulumi.StringOutput)
		},
	}))
	url := must(edge.Serve(ctx, server.DNSName))
	return stage{url: url, image: image.Reference, watched: Watched{Server: server}}
}

// balanced: a load balancer before an Auto Scaling group, RDS and ElastiCache.
func balanced(ctx *pulumi.Context, c Config) stage {
	network := must(NewNetwork(ctx, "network", c))
	image := must(NewImage(ctx, "image", ImageArgs{Config: c}))
	edge := must(NewEdge(ctx, "edge", c))
	balancer := must(NewBalancer(ctx, "balancer", BalancerArgs{
		Config: c, Network: network, Edge: edge, TargetType: "instance",
	}))
	database := must(NewDatabase(ctx, "database", DatabaseArgs{Config: c, Network: network}))
	cache := must(NewCache(ctx, "cache", CacheArgs{Config: c, Network: network}))
	secrets := must(NewSecrets(ctx, "secrets", SecretsArgs{Config: c, Values: dataSecrets(database, cache)}))
	fleet := must(NewFleet(ctx, "fleet", FleetArgs{
		Config: c, Network: network, Balancer: balancer, Secrets: secrets,
		UserData: image.Reference.ApplyT(func(reference string) (string, error) {
			return boot.Fleet(boot.FleetArgs{Shop: c.shop(reference, secrets, c.env(edge, vpcCIDR))})
		}).(pulumi.StringOutput),
	}))
	url := must(edge.ServeBalancer(ctx, balancer))
	return stage{
		url: url, image: image.Reference,
		watched: Watched{Balancer: balancer, Fleet: fleet, Database: database, Cache: cache},
	}
}

// fargate: a load balancer before an ECS service on Fargate, RDS and ElastiCache.
func fargate(ctx *pulumi.Context, c Config) stage {
	network := must(NewNetwork(ctx, "network", c))
	image := must(NewImage(ctx, "image", ImageArgs{Config: c}))
	edge := must(NewEdge(ctx, "edge", c))
	balancer := must(NewBalancer(ctx, "balancer", BalancerArgs{Config: c, Network: network, Edge: edge, TargetType: "ip"}))
	database := must(NewDatabase(ctx, "database", DatabaseArgs{Config: c, Network: network}))
	cache := must(NewCache(ctx, "cache", CacheArgs{Config: c, Network: network}))
	secrets := must(NewSecrets(ctx, "secrets", SecretsArgs{Config: c, Values: dataSecrets(database, cache)}))
	tasks := must(NewTasks(ctx, "tasks", TasksArgs{
		Config: c, Network: network, Balancer: balancer, Secrets: secrets,
		Image: image.Reference, Env: c.env(edge, vpcCIDR),
	}))
	url := must(edge.ServeBalancer(ctx, balancer))
	return stage{
		url: url, image: image.Reference,
		watched: Watched{Balancer: balancer, Tasks: tasks, Database: database, Cache: cache},
	}
}

// serverless: an HTTP API before a Lambda function, RDS and ElastiCache.
func serverless(ctx *pulumi.Context, c Config) stage {
	network := must(NewNetwork(ctx, "network", c))
	image := must(NewImage(ctx, "image", ImageArgs{Config: c}))
	edge := must(NewEdge(ctx, "edge", c))
	database := must(NewDatabase(ctx, "database", DatabaseArgs{Config: c, Network: network}))
	cache := must(NewCache(ctx, "cache", CacheArgs{Config: c, Network: network}))
	own := dataSecrets(database, cache)
	if edge.Proven() {
		own[contract.EnvOriginSecret] = edge.Secret
	}
	secrets := must(NewSecrets(ctx, "secrets", SecretsArgs{Config: c, Values: own}))
	gateway := must(NewGateway(ctx, "gateway", c))
	url := must(edge.ServeGateway(ctx, gateway))
	shop := must(NewFunction(ctx, "function", FunctionArgs{
		Config: c, Network: network, Secrets: secrets, Image: image, URL: url, Env: c.env(edge, "127.0.0.1/32"),
	}))
	check(gateway.Invoke(ctx, shop))
	must(NewSchedule(ctx, "schedule", ScheduleArgs{Config: c, Function: shop}))
	return stage{
		url: url, image: image.Reference,
		watched: Watched{Function: shop, Gateway: gateway, Database: database, Cache: cache},
	}
}

// mesh: k3s with Istio on one server, RDS and ElastiCache.
func mesh(ctx *pulumi.Context, c Config) stage {
	network := must(NewNetwork(ctx, "network", c))
	image := must(NewImage(ctx, "image", ImageArgs{Config: c}))
	edge := must(NewEdge(ctx, "edge", c))
	check(edge.Admit(ctx, "network-compute-in", network.Compute, network))
	c.OperatorCIDR = must(operatorNetwork(ctx, c))
	database := must(NewDatabase(ctx, "database", DatabaseArgs{Config: c, Network: network}))
	cache := must(NewCache(ctx, "cache", CacheArgs{Config: c, Network: network}))
	cluster := must(NewCluster(ctx, "cluster", ClusterArgs{
		Config: c, Network: network, Registry: registryOf(image.Reference),
	}))
	must(NewServiceMesh(ctx, "mesh", ServiceMeshArgs{
		Config: c, Kubeconfig: cluster.Kubeconfig, Cluster: cluster, Image: image.Reference, Edge: edge,
		Env: c.env(edge, podNetwork, sidecarNetwork), Data: dataSecrets(database, cache),
	}))
	url := must(edge.Serve(ctx, cluster.Server.DNSName))
	return stage{
		url: url, image: image.Reference, kubeconfig: cluster.Kubeconfig,
		watched: Watched{Server: cluster.Server, Database: database, Cache: cache},
	}
}

// foreignMesh: the mesh on a cluster that is not ours, its data inside. Nothing is made in AWS, but
// for the image's repository if shoplab:image is empty. nodes is how many can run a gateway.
func foreignMesh(ctx *pulumi.Context, c Config, nodes int) stage {
	image := must(NewImage(ctx, "image", ImageArgs{Config: c}))
	host := must(serverHost(c.Kubeconfig))
	kubeconfig := secret(c.Kubeconfig)
	c.HTTPS = contract.HTTPSOff // there is no edge before it
	edge := must(NewEdge(ctx, "edge", c))
	must(NewServiceMesh(ctx, "mesh", ServiceMeshArgs{
		Config: c, Kubeconfig: kubeconfig, Image: image.Reference, Edge: edge, Env: c.env(edge, sidecarNetwork),
		Nodes: nodes,
	}))
	url := pulumi.Sprintf("http://%s:%d", host, c.NodePort)
	ctx.Export(contract.OutputDatabase, pulumi.String(c.databaseKeeps()))
	return stage{url: url, image: image.Reference, kubeconfig: kubeconfig}
}

// databaseKeeps is what a cluster's database does with its data, for the output database.
func (c Config) databaseKeeps() string {
	if c.StorageClass == ephemeral {
		return "ephemeral: accounts and orders go with the database's pod"
	}
	return "volume"
}

// registryOf is the host name in an image's reference.
func registryOf(reference pulumi.StringOutput) pulumi.StringOutput {
	return reference.ApplyT(func(reference string) string {
		host, _, _ := strings.Cut(reference, "/")
		return host
	}).(pulumi.StringOutput)
}

// dataSecrets are the addresses of the data, passwords included.
func dataSecrets(database *Database, cache *Cache) map[string]pulumi.StringOutput {
	return map[string]pulumi.StringOutput{contract.EnvDatabaseURL: database.URL, contract.EnvRedisURL: cache.URL}
}

// shop is what a server of its own has to know to run the service.
func (c Config) shop(image string, secrets *Secrets, env map[string]string) boot.Shop {
	return boot.Shop{
		Region: c.Region, Image: image, Parameters: secrets.Path, Secrets: secrets.Env(), Env: env, Memory: c.Memory,
		LogGroup: c.logGroup(),
	}
}

// export names the outputs alike on every stage, so that one tool drives all five.
func export(ctx *pulumi.Context, c Config, s stage) {
	ctx.Export(contract.OutputURL, s.url)
	ctx.Export(contract.OutputStage, pulumi.String(c.Stack))
	ctx.Export(contract.OutputTopology, pulumi.String(c.Topology))
	ctx.Export(contract.OutputRegion, pulumi.String(c.Region))
	ctx.Export(contract.OutputImage, s.image)
	ctx.Export(contract.OutputCostTags, pulumi.ToStringMap(map[string]string{"project": "shoplab", "stage": c.Stack}))
	ctx.Export(contract.OutputDashboards, s.dashboards)
	ctx.Export(contract.OutputCapacity, pulumi.ToIntMap(map[string]int{
		contract.CapacityInstances: c.Instances, contract.CapacityMaxInstances: c.MaxInstances,
		contract.CapacityPoolPerInstance: c.PoolPerInstance, contract.CapacityDatabaseConnections: c.DatabaseConnections,
	}))
	if c.Payments == contract.PaymentsStripe {
		ctx.Export(contract.OutputWebhooks, pulumi.Sprintf("%s%s", s.url, contract.WebhooksPath))
	}
	if c.Topology == contract.Mesh {
		ctx.Export(contract.OutputKubeconfig, pulumi.ToSecret(s.kubeconfig))
	}
}

// failure carries an error from a composition to Deploy as a panic. Whatever fails in a composition ends the program,
// so the compositions need no check after each component and read as a list of them.
type failure struct{ error }

// must returns the value or ends the composition.
func must[T any](value T, err error) T {
	check(err)
	return value
}

// check ends the composition if there is an error.
func check(err error) {
	if err != nil {
		panic(failure{err})
	}
}

// stop turns a failure into the error that it carries. Any other panic goes on.
func stop(err *error) {
	switch r := recover().(type) {
	case nil:
	case failure:
		*err = r.error
	default:
		panic(r)
	}
}
