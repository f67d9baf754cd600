package cost

import (
	"math"
	"strings"
	"testing"
)

// hour is what a dollar an hour is a month.
const hour = HoursPerMonth

// small are graphs with the figure that AWS would bill without traffic and allowances, and why. unknown must
// be in the list of unknowns, "" says that there are none.
var small = []struct {
	why, graph string
	gross      float64
	unknown    string
}{
	// Numbers are parsed whole, or are unknown.
	{"a secret is not zero", `[{"type":"aws:ebs/volume:Volume","name":"v","inputs":{"type":"gp3",
	 "size":"[secret]"}}]`, 0, "aws:ebs/volume:Volume v: size is a secret"},
	{
		"a secret of an export is not zero", `[{"type":"aws:ebs/volume:Volume","name":"v","inputs":{"type":"gp3",
	 "size":{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","ciphertext":"x"}}}]`, 0,
		"is a secret",
	},
	{"--show-secrets tells it", `[{"type":"aws:ebs/volume:Volume","name":"v","inputs":{"type":"gp3",
	 "size":{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","plaintext":"50"}}}]`, 50 * .08, ""},
	{"what a preview does not know is not zero", `[{"type":"aws:ebs/volume:Volume","name":"v","inputs":{"type":"gp3",
	 "size":"04da6b54-80e4-46f7-96ec-b56ff0331ba9"}}]`, 0, "not known before the update"},
	{
		"20GB is no number", `[{"type":"aws:ebs/volume:Volume","name":"v","inputs":{"type":"gp3","size":"20GB"}}]`, 0,
		`size is "20GB"`,
	},
	{"a negative size is no size", `[{"type":"aws:ebs/volume:Volume","name":"v","inputs":{"type":"gp3",
	 "size":-20}}]`, 0, "size is"},
	{
		"EBS takes gp2 where no type is given", `[{"type":"aws:ebs/volume:Volume","name":"v","inputs":{"size":10}}]`,
		10 * .10, "",
	},
	{"a volume from a snapshot has the snapshot's size", `[{"type":"aws:ebs/volume:Volume","name":"v",
	 "inputs":{"snapshotId":"snap-1"}}]`, 0, "snapshot's"},
	{"its state tells it once it is there", `[{"type":"aws:ebs/volume:Volume","name":"v","inputs":{"snapshotId":"snap-1"},
	 "outputs":{"size":8,"type":"gp3"}}]`, 8 * .08, ""},

	// Volumes.
	{"gp3 beyond 3,000 IOPS and 125 MiB/s", `[{"type":"aws:ebs/volume:Volume","name":"v","inputs":{"type":"gp3","size":100,
	 "iops":4000,"throughput":225}}]`, 100*.08 + 1000*.005 + 100*.04, ""},
	{"io1 is billed by all its IOPS", `[{"type":"aws:ebs/volume:Volume","name":"v","inputs":{"type":"io1","size":30,
	 "iops":300}}]`, 30*.125 + 300*.065, ""},
	{"io1 without IOPS is unknown", `[{"type":"aws:ebs/volume:Volume","name":"v","inputs":{"type":"io1",
	 "size":30}}]`, 30 * .125, "iops is not given"},

	// EC2.
	{"second disks count", `[{"type":"aws:ec2/instance:Instance","name":"i","inputs":{"instanceType":"m5.large",
	 "associatePublicIpAddress":false,
	 "rootBlockDevice":{"volumeSize":10,"volumeType":"gp3"},"ebsBlockDevices":[{"deviceName":"/dev/sdf","volumeSize":100},
	 {"deviceName":"/dev/sdg","volumeSize":50,"volumeType":"st1"}]}}]`, .096*hour + 10*.08 + 100*.10 + 50*.045, ""},
	{"without a root device its size is the image's", `[{"type":"aws:ec2/instance:Instance","name":"i",
	 "inputs":{"instanceType":"m5.large","associatePublicIpAddress":false}}]`, .096 * hour, "root volume"},
	{
		"a root volume's type is the image's too", `[{"type":"aws:ec2/instance:Instance","name":"i",
	 "inputs":{"instanceType":"m5.large","associatePublicIpAddress":false,"rootBlockDevice":{"volumeSize":10}}}]`,
		.096 * hour, "type is the machine image's",
	},
	{"detailed monitoring is seven metrics", `[{"type":"aws:ec2/instance:Instance","name":"i",
	 "inputs":{"instanceType":"m5.large","monitoring":true,"associatePublicIpAddress":false,
	 "rootBlockDevice":{"volumeSize":10,"volumeType":"gp3"}}}]`, .096*hour + .8 + 7*.3, ""},
	{"in the default VPC it has an address", `[{"type":"aws:ec2/instance:Instance","name":"i",
	 "inputs":{"instanceType":"m5.large","rootBlockDevice":{"volumeSize":10,"volumeType":"gp3"}}}]`, .096*hour + .8 +
		.005*hour, ""},
	{"its subnet decides otherwise", `[{"type":"aws:ec2/subnet:Subnet","name":"s","id":"subnet-1","inputs":{}},
	 {"type":"aws:ec2/instance:Instance","name":"i","inputs":{"instanceType":"m5.large","subnetId":"subnet-1",
	 "rootBlockDevice":{"volumeSize":10,"volumeType":"gp3"}}}]`, .096*hour + .8, ""},
	{"an Elastic IP on its network interface takes the address's place", `[
	 {"type":"aws:ec2/networkInterface:NetworkInterface","name":"n","id":"eni-1","inputs":{"subnetId":"subnet-1"}},
	 {"type":"aws:ec2/eip:Eip","name":"a","id":"eip-1","inputs":{}},
	 {"type":"aws:ec2/eipAssociation:EipAssociation","name":"l","inputs":{"allocationId":"eip-1",
	 "networkInterfaceId":"eni-1"}},
	 {"type":"aws:ec2/instance:Instance","name":"i","id":"i-1","inputs":{"instanceType":"m5.large",
	 "networkInterfaces":[{"deviceIndex":0,"networkInterfaceId":"eni-1"}],"rootBlockDevice":{"volumeSize":10,
	 "volumeType":"gp3"}}}]`, .096*hour + .8 + .005*hour, ""},
	{"an Elastic IP of another instance does not", `[{"type":"aws:ec2/eip:Eip","name":"a","inputs":{"instance":"i-2"}},
	 {"type":"aws:ec2/instance:Instance","name":"i","id":"i-1","inputs":{"instanceType":"m5.large",
	 "associatePublicIpAddress":true,"rootBlockDevice":{"volumeSize":10,"volumeType":"gp3"}}}]`, .096*hour + .8 + 2*.005*
		hour, ""},
	{"dedicated tenancy is not shared", `[{"type":"aws:ec2/instance:Instance","name":"i",
	 "inputs":{"instanceType":"m5.large","tenancy":"dedicated","associatePublicIpAddress":false,
	 "rootBlockDevice":{"volumeSize":10,"volumeType":"gp3"}}}]`, .8, "tenancy"},
	{"a Spot instance's price moves", `[{"type":"aws:ec2/instance:Instance","name":"i","inputs":{"instanceType":"m5.large",
	 "instanceMarketOptions":{"marketType":"spot"},"associatePublicIpAddress":false,"rootBlockDevice":{"volumeSize":10,
	 "volumeType":"gp3"}}}]`, .8, "Spot"},

	// Auto Scaling.
	{"a group without a desired capacity has its minimum", `[{"type":"aws:ec2/launchTemplate:LaunchTemplate","name":"t",
	 "id":"lt-1","inputs":{"instanceType":"m5.large","blockDeviceMappings":[{"deviceName":"/dev/xvda",
	 "ebs":{"volumeSize":10,"volumeType":"gp3"}}],"networkInterfaces":[{"associatePublicIpAddress":"false"}]}},
	 {"type":"aws:autoscaling/group:Group","name":"g","inputs":{"minSize":3,"maxSize":5,
	 "launchTemplate":{"id":"lt-1"}}}]`, 3 * (.096*hour + .8), ""},
	{"a group of none has none", `[{"type":"aws:ec2/launchTemplate:LaunchTemplate","name":"t","id":"lt-1",
	 "inputs":{"instanceType":"m5.large","blockDeviceMappings":[{"deviceName":"/dev/xvda","ebs":{"volumeSize":10,
	 "volumeType":"gp3"}}],"networkInterfaces":[{"associatePublicIpAddress":"false"}]}},
	 {"type":"aws:autoscaling/group:Group","name":"g","inputs":{"minSize":1,"desiredCapacity":0,
	 "launchTemplate":{"id":"lt-1"}}}]`, 0, ""},
	{
		"every machine of a monitored template has seven metrics", `[{"type":"aws:ec2/launchTemplate:LaunchTemplate",
	 "name":"t","id":"lt-1","inputs":{"instanceType":"m5.large","monitoring":{"enabled":true},
	 "blockDeviceMappings":[{"deviceName":"/dev/xvda","ebs":{"volumeSize":10,"volumeType":"gp3"}}],
	 "networkInterfaces":[{"associatePublicIpAddress":"false"}]}},
	 {"type":"aws:autoscaling/group:Group","name":"g","inputs":{"minSize":2,"launchTemplate":{"id":"lt-1"}}}]`,
		2 * (.096*hour + .8 + 7*.3), "",
	},
	{
		"of a mixed group the On-Demand part is priced", `[{"type":"aws:ec2/launchTemplate:LaunchTemplate","name":"t",
	 "id":"lt-1","inputs":{"instanceType":"m5.large","blockDeviceMappings":[{"deviceName":"/dev/xvda",
	 "ebs":{"volumeSize":10,"volumeType":"gp3"}}],"networkInterfaces":[{"associatePublicIpAddress":"false"}]}},
	 {"type":"aws:autoscaling/group:Group","name":"g","inputs":{"minSize":5,
	 "mixedInstancesPolicy":{"instancesDistribution":{"onDemandBaseCapacity":1,"onDemandPercentageAboveBaseCapacity":50},
	 "launchTemplate":{"launchTemplateSpecification":{"launchTemplateId":"lt-1"}}}}}]`, 3*.096*hour + 5*.8,
		"2 of its 5 machines are Spot",
	},
	{
		"another template is not taken for it", `[{"type":"aws:ec2/launchTemplate:LaunchTemplate","name":"t","id":"lt-1",
	 "inputs":{"instanceType":"m5.large"}},
	 {"type":"aws:autoscaling/group:Group","name":"g","inputs":{"minSize":3,"launchTemplate":{"id":"lt-9"}}}]`, 0,
		"not in the graph",
	},

	// ECS.
	{"1 vCPU and 2 GB are ECS's own spelling", `[{"type":"aws:ecs/taskDefinition:TaskDefinition","name":"t","id":"t",
	 "inputs":{"cpu":"1 vCPU","memory":"2 GB"}},
	 {"type":"aws:ecs/service:Service","name":"s","inputs":{"launchType":"FARGATE","desiredCount":1,
	 "taskDefinition":"t"}}]`, (.04048 + 2*.004445) * hour, ""},
	{"a quarter of a vCPU too", `[{"type":"aws:ecs/taskDefinition:TaskDefinition","name":"t","id":"t",
	 "inputs":{"cpu":".25 vcpu","memory":"0.5gb"}},
	 {"type":"aws:ecs/service:Service","name":"s","inputs":{"launchType":"FARGATE","desiredCount":1,
	 "taskDefinition":"t"}}]`, (.25*.04048 + .5*.004445) * hour, ""},
	{"a size that nobody spells so is unknown", `[{"type":"aws:ecs/taskDefinition:TaskDefinition","name":"t","id":"t",
	 "inputs":{"cpu":"one","memory":"512"}},
	 {"type":"aws:ecs/service:Service","name":"s","inputs":{"launchType":"FARGATE","desiredCount":1,
	 "taskDefinition":"t"}}]`, .5 * .004445 * hour, `cpu is "one"`},
	{"tasks on EC2 cost nothing beside the instances", `[{"type":"aws:ecs/taskDefinition:TaskDefinition","name":"t",
	 "id":"t","inputs":{"cpu":"256","memory":"512"}},
	 {"type":"aws:ecs/service:Service","name":"s","inputs":{"launchType":"EC2","desiredCount":4,
	 "taskDefinition":"t"}}]`, 0, ""},
	{"the tasks of one service are priced by its own definition", `[{"type":"aws:ecs/taskDefinition:TaskDefinition",
	 "name":"small","id":"small","inputs":{"cpu":"256","memory":"512"}},
	 {"type":"aws:ecs/taskDefinition:TaskDefinition","name":"big","id":"big","inputs":{"cpu":"1024","memory":"2048"}},
	 {"type":"aws:ecs/service:Service","name":"s","inputs":{"launchType":"FARGATE","desiredCount":1,
	 "taskDefinition":"arn:aws:ecs:us-east-1:123456789012:task-definition/big:7"}}]`, (.04048 + 2*.004445) * hour, ""},
	{
		"a service without a number of tasks is unknown", `[{"type":"aws:ecs/taskDefinition:TaskDefinition","name":"t",
	 "id":"t","inputs":{"cpu":"256","memory":"512"}},
	 {"type":"aws:ecs/service:Service","name":"s","inputs":{"launchType":"FARGATE","taskDefinition":"t"}}]`, 0,
		"desiredCount is not given",
	},
	{"the cluster's default strategy decides where a service does not", `[
	 {"type":"aws:ecs/clusterCapacityProviders:ClusterCapacityProviders","name":"c","inputs":{"clusterName":"k",
	 "defaultCapacityProviderStrategies":[{"capacityProvider":"FARGATE","weight":1}]}},
	 {"type":"aws:ecs/taskDefinition:TaskDefinition","name":"t","id":"t","inputs":{"cpu":"1024","memory":"2048"}},
	 {"type":"aws:ecs/service:Service","name":"s","inputs":{"cluster":"k","desiredCount":1,
	 "taskDefinition":"t"}}]`, (.04048 + 2*.004445) * hour, ""},
	{
		"a service without a cluster is in the default one", `[
	 {"type":"aws:ecs/clusterCapacityProviders:ClusterCapacityProviders","name":"c","inputs":{"clusterName":"default",
	 "defaultCapacityProviderStrategies":[{"capacityProvider":"FARGATE","weight":1}]}},
	 {"type":"aws:ecs/taskDefinition:TaskDefinition","name":"t","id":"t","inputs":{"cpu":"1024","memory":"2048"}},
	 {"type":"aws:ecs/service:Service","name":"s","inputs":{"desiredCount":1,"taskDefinition":"t"}}]`,
		(.04048 + 2*.004445) * hour, "",
	},
	{"a cluster is named by its ARN as well", `[{"type":"aws:ecs/clusterCapacityProviders:ClusterCapacityProviders",
	 "name":"c","inputs":{"clusterName":"k","defaultCapacityProviderStrategies":[{"capacityProvider":"FARGATE",
	 "weight":1}]}},
	 {"type":"aws:ecs/taskDefinition:TaskDefinition","name":"t","id":"t","inputs":{"cpu":"1024","memory":"2048"}},
	 {"type":"aws:ecs/service:Service","name":"s","inputs":{"cluster":"arn:aws:ecs:us-east-1:123456789012:cluster/k",
	 "desiredCount":1,"taskDefinition":"t"}}]`, (.04048 + 2*.004445) * hour, ""},
	{"the strategy of another cluster decides nothing", `[
	 {"type":"aws:ecs/clusterCapacityProviders:ClusterCapacityProviders","name":"c","inputs":{"clusterName":"other",
	 "defaultCapacityProviderStrategies":[{"capacityProvider":"FARGATE","weight":1}]}},
	 {"type":"aws:ecs/taskDefinition:TaskDefinition","name":"t","id":"t","inputs":{"cpu":"1024","memory":"2048"}},
	 {"type":"aws:ecs/service:Service","name":"s","inputs":{"cluster":"k","desiredCount":1,
	 "taskDefinition":"t"}}]`, 0, ""},
	{"without the cluster the strategy is not known", `[
	 {"type":"aws:ecs/clusterCapacityProviders:ClusterCapacityProviders","name":"c","inputs":{"clusterName":"k",
	 "defaultCapacityProviderStrategies":[{"capacityProvider":"FARGATE","weight":1}]}},
	 {"type":"aws:ecs/taskDefinition:TaskDefinition","name":"t","id":"t","inputs":{"cpu":"1024","memory":"2048"}},
	 {"type":"aws:ecs/service:Service","name":"s","inputs":{"cluster":"04da6b54-80e4-46f7-96ec-b56ff0331ba9",
	 "desiredCount":1,"taskDefinition":"t"}}]`, 0, "its cluster"},
	{"tasks on Fargate and on instances are not told apart", `[{"type":"aws:ecs/taskDefinition:TaskDefinition","name":"t",
	 "id":"t","inputs":{"cpu":"1024","memory":"2048"}},
	 {"type":"aws:ecs/service:Service","name":"s","inputs":{"desiredCount":2,"taskDefinition":"t",
	 "capacityProviderStrategies":[{"capacityProvider":"FARGATE","weight":1},{"capacityProvider":"mine",
	 "weight":1}]}}]`, 0, "at once"},
	{"an instance's root goes over its template's", `[{"type":"aws:ec2/launchTemplate:LaunchTemplate","name":"t",
	 "id":"lt-1","inputs":{"instanceType":"m5.large","blockDeviceMappings":[{"deviceName":"/dev/xvda",
	 "ebs":{"volumeSize":10,"volumeType":"gp3"}}]}},
	 {"type":"aws:ec2/instance:Instance","name":"i","inputs":{"launchTemplate":{"id":"lt-1"},
	 "associatePublicIpAddress":false,"rootBlockDevice":{"volumeSize":20,"volumeType":"gp3"}}}]`, .096*hour + 1.6, ""},
	{"logs that are kept for ever cost more each month", `[{"type":"aws:cloudwatch/logGroup:LogGroup","name":"l",
	 "inputs":{}}]`, 0, "keeps its logs for ever"},
	{"Spot tasks are those above the base, by weight", `[{"type":"aws:ecs/taskDefinition:TaskDefinition","name":"t",
	 "id":"t","inputs":{"cpu":"1024","memory":"2048","runtimePlatform":{"cpuArchitecture":"ARM64"}}},
	 {"type":"aws:ecs/service:Service","name":"s","inputs":{"desiredCount":3,"taskDefinition":"t",
	 "capacityProviderStrategies":[{"capacityProvider":"FARGATE","base":1,"weight":50},{"capacityProvider":"FARGATE_SPOT",
	 "weight":50}]}}]`, 2*(.03238+2*.00356)*hour + (.01619+2*.00178)*hour, ""},

	// Databases and caches.
	{"Multi-AZ has twice the storage", `[{"type":"aws:rds/instance:Instance","name":"d","inputs":{"engine":"postgres",
	 "instanceClass":"db.t4g.micro","multiAz":true,"allocatedStorage":20,"storageType":"gp3"}}]`, .032*hour + 40*.115, ""},
	{"RDS Proxy is billed by the vCPUs behind it", `[{"type":"aws:rds/instance:Instance","name":"d","id":"d",
	 "inputs":{"engine":"postgres","instanceClass":"db.t4g.micro","allocatedStorage":20,"storageType":"gp3"}},
	 {"type":"aws:rds/proxy:Proxy","name":"p","inputs":{"engineFamily":"POSTGRESQL"}},
	 {"type":"aws:rds/proxyTarget:ProxyTarget","name":"t","inputs":{"dbProxyName":"p",
	 "dbInstanceIdentifier":"d"}}]`, .016*hour + 20*.115 + 2*.015*hour, ""},
	{
		"a class without a price has vCPUs still", `[{"type":"aws:rds/instance:Instance","name":"d","id":"d",
	 "inputs":{"engine":"postgres","instanceClass":"db.r6g.2xlarge","allocatedStorage":20,"storageType":"gp3"}},
	 {"type":"aws:rds/proxyTarget:ProxyTarget","name":"t","inputs":{"dbInstanceIdentifier":"d"}}]`,
		20*.115 + 8*.015*hour, "no price for rds/postgres/db.r6g.2xlarge",
	},
	{"what is behind a proxy has to be seen", `[{"type":"aws:rds/proxyTarget:ProxyTarget","name":"t",
	 "inputs":{"dbInstanceIdentifier":"elsewhere"}}]`, 0, "behind the proxy is not in the graph"},
	{"a licence is not priced", `[{"type":"aws:rds/instance:Instance","name":"d","inputs":{"engine":"sqlserver-se",
	 "instanceClass":"db.m5.xlarge","allocatedStorage":20}}]`, 0, "engine sqlserver-se"},
	{"MySQL has prices of its own", `[{"type":"aws:rds/instance:Instance","name":"d","inputs":{"engine":"mysql",
	 "instanceClass":"db.t3.large","allocatedStorage":20}}]`, .136*hour + 20*.115, ""},
	{"gp3 of 400 GB includes 12,000 IOPS", `[{"type":"aws:rds/instance:Instance","name":"d","inputs":{"engine":"postgres",
	 "instanceClass":"db.t4g.small","allocatedStorage":400,"storageType":"gp3","iops":14000}}]`, .032*hour + 400*.115 +
		2000*.02, ""},
	{"IOPS without a type are io1", `[{"type":"aws:rds/instance:Instance","name":"d","inputs":{"engine":"mysql",
	 "instanceClass":"db.t3.large","allocatedStorage":100,"iops":1200}}]`, .136*hour + 100*.125 + 1200*.10, ""},
	{"a replica has its source's engine and storage", `[{"type":"aws:rds/instance:Instance","name":"d","id":"d",
	 "inputs":{"engine":"postgres","instanceClass":"db.t4g.micro","allocatedStorage":20,"storageType":"gp3"}},
	 {"type":"aws:rds/instance:Instance","name":"r","inputs":{"replicateSourceDb":"d",
	 "instanceClass":"db.t4g.micro"}}]`, 2 * (.016*hour + 20*.115), ""},
	{
		"a restored database's size is its snapshot's", `[{"type":"aws:rds/instance:Instance","name":"d",
	 "inputs":{"engine":"postgres","instanceClass":"db.t4g.micro","snapshotIdentifier":"s"}}]`, .016 * hour,
		"allocatedStorage is not given",
	},
	{"an old engine is in Extended Support", `[{"type":"aws:rds/instance:Instance","name":"d",
	 "inputs":{"engine":"postgres","engineVersion":"12.19","instanceClass":"db.t4g.micro","allocatedStorage":20,
	 "storageType":"gp3"}}]`, .016*hour + 20*.115, "Extended Support"},
	{
		"shards have replicas each", `[{"type":"aws:elasticache/replicationGroup:ReplicationGroup","name":"c",
	 "inputs":{"engine":"valkey","nodeType":"cache.t4g.micro","numNodeGroups":2,"replicasPerNodeGroup":2}}]`,
		6 * .0128 * hour, "",
	},
	{"Valkey Serverless holds 100 MB at least", `[{"type":"aws:elasticache/serverlessCache:ServerlessCache","name":"c",
	 "inputs":{"engine":"valkey","name":"c"}}]`, .1 * .084 * hour, ""},
	{"Redis Serverless a gigabyte", `[{"type":"aws:elasticache/serverlessCache:ServerlessCache","name":"c",
	 "inputs":{"engine":"redis","name":"c"}}]`, .125 * hour, ""},
	{"a minimum of its own is billed", `[{"type":"aws:elasticache/serverlessCache:ServerlessCache","name":"c",
	 "inputs":{"engine":"valkey","cacheUsageLimits":{"dataStorage":{"minimum":2,"maximum":5,"unit":"GB"},
	 "ecpuPerSeconds":[{"minimum":1000}]}}}]`, 2*.084*hour + 1000*3600*hour/1e6*.0023, ""},
	{"provisioned capacity counts with its indexes", `[{"type":"aws:dynamodb/table:Table","name":"t",
	 "inputs":{"readCapacity":30,"writeCapacity":20,"globalSecondaryIndexes":[{"readCapacity":10,
	 "writeCapacity":5}]}}]`, (25*.00065 + 40*.00013) * hour, "storage_gb is not given"},

	// Networks.
	{"an internal balancer has no public address", `[{"type":"aws:lb/loadBalancer:LoadBalancer","name":"l",
	 "inputs":{"internal":true,"subnets":["a","b"]}}]`, .0225 * hour, ""},
	{"a balancer has an address a zone", `[{"type":"aws:lb/loadBalancer:LoadBalancer","name":"l","inputs":{"subnets":["a",
	 "b","c"]}}]`, .0225*hour + 3*.005*hour, ""},
	{"how many zones is unknown in a first preview", `[{"type":"aws:lb/loadBalancer:LoadBalancer","name":"l",
	 "inputs":{"subnets":"04da6b54-80e4-46f7-96ec-b56ff0331ba9"}}]`, .0225 * hour, "how many subnets"},
	{
		"a network balancer has a price of its own", `[{"type":"aws:lb/loadBalancer:LoadBalancer","name":"l",
	 "inputs":{"loadBalancerType":"network","subnetMappings":[{"subnetId":"a","allocationId":"eip"}]}}]`, .0225 * hour,
		"",
	},
	{"a gateway balancer is not priced", `[{"type":"aws:lb/loadBalancer:LoadBalancer","name":"l",
	 "inputs":{"loadBalancerType":"gateway"}}]`, 0, "type gateway"},
	{
		"a NAT gateway and its address; its traffic is not known", `[{"type":"aws:ec2/eip:Eip","name":"a","inputs":{}},
	 {"type":"aws:ec2/natGateway:NatGateway","name":"n","inputs":{"allocationId":"x"}}]`, .045*hour + .005*hour,
		"monthly_data_processed_gb is not given",
	},
	{"a gateway endpoint is free", `[{"type":"aws:ec2/vpcEndpoint:VpcEndpoint","name":"e",
	 "inputs":{"serviceName":"s3"}}]`, 0, ""},
	{"an interface endpoint is billed in each subnet", `[{"type":"aws:ec2/vpcEndpoint:VpcEndpoint","name":"e",
	 "inputs":{"vpcEndpointType":"Interface","subnetIds":["a","b"]}}]`, 2 * .01 * hour, "monthly_data_processed_gb"},

	// The rest.
	{
		"a bucket depends on what is in it", `[{"type":"aws:s3/bucket:Bucket","name":"b","inputs":{}}]`, 0,
		"storage_gb is not given in a usage file ($0.023 per GB-month)",
	},
	{"reserved concurrency is free, a function's requests are not", `[{"type":"aws:lambda/function:Function","name":"f",
	 "inputs":{"memorySize":512,"reservedConcurrentExecutions":10}}]`, 0, "monthly_requests is not given"},
	{
		"an HTTP API's function serves the stack's requests, and what is scheduled", `[
	 {"type":"aws:lambda/function:Function","name":"f","id":"f","inputs":{"memorySize":1024,"architectures":["arm64"]}},
	 {"type":"aws:apigatewayv2/integration:Integration","name":"i","inputs":{"integrationUri":"f"}},
	 {"type":"aws:scheduler/schedule:Schedule","name":"s","inputs":{"scheduleExpression":"rate(1 minute)"}},
	 {"type":"aws:apigatewayv2/api:Api","name":"a","inputs":{"protocolType":"HTTP"}}]`,
		60 * hour * (.2e-6 + 1e-6 + functionLogBytes*.5e-9), "",
	},
	{"a schedule by the calendar", `[{"type":"aws:scheduler/schedule:Schedule","name":"s",
	 "inputs":{"scheduleExpression":"cron(0 3 * * ? *)"}}]`, 0, "monthly_invocations is not given"},
	{
		"provisioned concurrency is not free", `[{"type":"aws:lambda/function:Function","name":"f","id":"f",
	 "inputs":{"memorySize":512}},
	 {"type":"aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig","name":"p",
	 "inputs":{"functionName":"f","provisionedConcurrentExecutions":5}}]`, 5 * .5 * .0000041667 * 3600 * hour,
		"monthly_requests",
	},
	{"a key costs a dollar", `[{"type":"aws:kms/key:Key","name":"k","inputs":{}}]`, 1, "monthly_requests"},
	{"a secret costs as much again for each replica", `[{"type":"aws:secretsmanager/secret:Secret","name":"s",
	 "inputs":{"replicas":[{"region":"eu-west-1"}]}}]`, .8, "monthly_requests"},
	{"an advanced parameter", `[{"type":"aws:ssm/parameter:Parameter","name":"p","inputs":{"tier":"Advanced"}}]`, .05, ""},
	{"an alarm on an expression is billed by its metrics", `[{"type":"aws:cloudwatch/metricAlarm:MetricAlarm","name":"a",
	 "inputs":{"metricQueries":[{"id":"e","expression":"a/b"},{"id":"a","metric":{}},{"id":"b","metric":{}}]}}]`, .2, ""},
	{"EKS by the hour, and its nodes", `[{"type":"aws:eks/cluster:Cluster","name":"c","inputs":{}},
	 {"type":"aws:ec2/subnet:Subnet","name":"s","id":"subnet-1","inputs":{"mapPublicIpOnLaunch":true}},
	 {"type":"aws:eks/nodeGroup:NodeGroup","name":"n","inputs":{"subnetIds":["subnet-1"],"scalingConfig":{"desiredSize":2,
	 "minSize":1,"maxSize":3}}}]`, .10*hour + 2*((.0416+.005)*hour+20*.08), ""},
	{"Container Insights is billed by what it writes", `[{"type":"aws:ecs/cluster:Cluster","name":"c",
	 "inputs":{"settings":[{"name":"containerInsights","value":"enabled"}]}}]`, 0, "Container Insights"},
	{"a new type is not free because its module is", `[{"type":"aws:vpc/routeServer:RouteServer","name":"r",
	 "inputs":{}}]`, 0, "aws:vpc/routeServer:RouteServer r: no rule for this type"},
	{
		"another cloud is not free", `[{"type":"gcp:compute/instance:Instance","name":"i","inputs":{}}]`, 0,
		"no rule for this type",
	},
}

func TestSmallGraphs(t *testing.T) {
	table := prices(t)
	for _, s := range small {
		e := table.Of(graph(t, s.graph), Usage{})
		if math.Abs(e.Gross().Dollars()-s.gross) > 1e-5*float64(1+len(e.Lines)) {
			t.Errorf("%s: $%.6f a month, want %.6f: %+v", s.why, e.Gross().Dollars(), s.gross, e.Lines)
		}
		unknown := strings.Join(e.Unknown, "\n")
		if s.unknown == "" && unknown != "" || !strings.Contains(unknown, s.unknown) {
			t.Errorf("%s: unknown %q, want %q", s.why, unknown, s.unknown)
		}
	}
}

// TestFunctionsServeTheStack: requests come from the API, duration from what a request is billed, and lines in the log
// from Lambda.
func TestFunctionsServeTheStack(t *testing.T) {
	g := graph(t, `[{"type":"aws:lambda/function:Function","name":"f","id":"f","inputs":{"memorySize":512,
	 "architectures":["arm64"]}},
	 {"type":"aws:lambda/function:Function","name":"other","id":"other","inputs":{}},
	 {"type":"aws:lambda/alias:Alias","name":"live","inputs":{"functionName":"f"}},
	 {"type":"aws:apigatewayv2/integration:Integration","name":"i",
	 "inputs":{"integrationUri":"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/live/invocations"}},
	 {"type":"aws:apigatewayv2/api:Api","name":"a","inputs":{"protocolType":"HTTP"}}]`)
	e := prices(t).Of(g, Usage{Requests: 3e6, FunctionSeconds: .01})
	near(t, "three million requests of 10 ms", e.Gross().Dollars(), 3+3*.2+3e6*.01*.5*.0000133334+3e6*265e-9*.5)
	if len(e.Unknown) != 1 || !strings.Contains(e.Unknown[0], "Function other") { // the API does not hand on to it
		t.Errorf("unknown: %v", e.Unknown)
	}
	// In a stack without an HTTP API nobody knows what a function serves.
	alone := graph(t, `[{"type":"aws:lambda/function:Function","name":"f","inputs":{"memorySize":512}}]`)
	if e := prices(t).Of(alone, Usage{Requests: 3e6, FunctionSeconds: .01}); !e.LowerBound() {
		t.Error("a function without events has a price")
	}
}
