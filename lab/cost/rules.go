package cost

// Types that rules look up in a graph.
const (
	launchTemplate = "aws:ec2/launchTemplate:LaunchTemplate"
	launchConfig   = "aws:ec2/launchConfiguration:LaunchConfiguration"
	clusterType    = "aws:ecs/cluster:Cluster"
	taskDefinition = "aws:ecs/taskDefinition:TaskDefinition"
	association    = "aws:ec2/eipAssociation:EipAssociation"
	eip            = "aws:ec2/eip:Eip"
	subnet         = "aws:ec2/subnet:Subnet"
	netInterface   = "aws:ec2/networkInterface:NetworkInterface"
	instanceType   = "aws:ec2/instance:Instance"
	groupType      = "aws:autoscaling/group:Group"
	nodeGroupType  = "aws:eks/nodeGroup:NodeGroup"
	balancerType   = "aws:lb/loadBalancer:LoadBalancer"
	dbInstance     = "aws:rds/instance:Instance"
	dbCluster      = "aws:rds/cluster:Cluster"
	auroraInstance = "aws:rds/clusterInstance:ClusterInstance"
	cacheGroup     = "aws:elasticache/replicationGroup:ReplicationGroup"
	functionType   = "aws:lambda/function:Function"
	apiType        = "aws:apigatewayv2/api:Api"
	scheduleType   = "aws:scheduler/schedule:Schedule"
	logGroup       = "aws:cloudwatch/logGroup:LogGroup"
)

// rule prices a type of resource. usage are the keys of a usage file that it reads.
type rule struct {
	price func(*bill, Resource)
	usage []string
}

// CacheSnapshot is the type of a snapshot of ElastiCache, of which Pulumi has none.
const CacheSnapshot = "aws:elasticache/snapshot:Snapshot"

// rules holds a rule for every type that may cost something and that the package knows. How the types
// were chosen is in docs/cost.md.
var rules map[string]rule

func init() { //nolint:funlen // a table; the rules of elastic addresses and instances look one another up
	rules = map[string]rule{
		instanceType:                {price: instance},
		groupType:                   {price: group},
		eip:                         {price: hourly("ipv4/hour")},
		"aws:ebs/volume:Volume":     {price: func(b *bill, r Resource) { volume(b, r, 1, "size", "type", "gp2") }},
		"aws:ebs/snapshot:Snapshot": {price: meter("ebs/snapshot", "storage_gb", 1), usage: []string{"storage_gb"}},

		"aws:ecs/service:Service":       {price: service},
		clusterType:                     {price: cluster},
		"aws:ecr/repository:Repository": {price: repository, usage: []string{"storage_gb"}},
		"aws:eks/cluster:Cluster":       {price: kubernetes},
		nodeGroupType:                   {price: nodeGroup},

		dbInstance:                        {price: database, usage: []string{"additional_backup_storage_gb"}},
		"aws:rds/proxyTarget:ProxyTarget": {price: proxyTarget},
		"aws:rds/snapshot:Snapshot":       {price: meter("rds/backup", "storage_gb", 1), usage: []string{"storage_gb"}},
		dbCluster:                         {price: aurora, usage: []string{"storage_gb", "monthly_io_requests"}},
		auroraInstance:                    {price: auroraMember, usage: []string{"capacity_units_per_hr"}},
		cacheGroup:                        {price: cache, usage: []string{"snapshot_storage_size_gb"}},
		"aws:elasticache/cluster:Cluster": {price: cacheCluster, usage: []string{"snapshot_storage_size_gb"}},
		CacheSnapshot: {
			price: meter("elasticache/backup", "storage_gb", 1), usage: []string{"storage_gb"},
		},
		"aws:elasticache/serverlessCache:ServerlessCache": {
			price: serverlessCache, usage: []string{"storage_gb", "monthly_ecpus", "snapshot_storage_size_gb"},
		},
		"aws:dynamodb/table:Table": {price: dynamoTable, usage: []string{
			"storage_gb", "monthly_write_request_units", "monthly_read_request_units", "pitr_backup_storage_gb",
			"monthly_streams_read_request_units",
		}},

		balancerType:                          {price: loadBalancer},
		"aws:alb/loadBalancer:LoadBalancer":   {price: loadBalancer},
		"aws:elb/loadBalancer:LoadBalancer":   {price: classicBalancer, usage: []string{"monthly_data_processed_gb"}},
		"aws:ec2/natGateway:NatGateway":       {price: natGateway, usage: []string{"monthly_data_processed_gb"}},
		"aws:ec2/vpcEndpoint:VpcEndpoint":     {price: endpoint, usage: []string{"monthly_data_processed_gb"}},
		"aws:ec2/vpnConnection:VpnConnection": {price: hourly("vpn/hour")},
		"aws:ec2transitgateway/vpcAttachment:VpcAttachment": {
			price: both(hourly("tgw/hour"), meter("tgw/gb", "monthly_data_processed_gb", 1)),
			usage: []string{"monthly_data_processed_gb"},
		},
		"aws:globalaccelerator/accelerator:Accelerator": {price: accelerator},
		"aws:cloudfront/distribution:Distribution":      {price: distribution},
		"aws:cloudfront/function:Function": {
			price: meter("cloudfront/function", "monthly_requests", 1e6), usage: []string{"monthly_requests"},
		},
		"aws:route53/zone:Zone":               {price: zone, usage: []string{"monthly_standard_queries"}},
		"aws:route53/healthCheck:HealthCheck": {price: healthCheck},
		"aws:wafv2/webAcl:WebAcl":             {price: webACL, usage: []string{"monthly_requests"}},
		"aws:acm/certificate:Certificate":     {price: certificate},

		"aws:s3/bucket:Bucket":     {price: bucket, usage: bucketUsage},
		"aws:s3/bucketV2:BucketV2": {price: bucket, usage: bucketUsage},
		"aws:efs/fileSystem:FileSystem": {
			price: fileSystem, usage: []string{"storage_gb", "infrequent_access_storage_gb", "monthly_infrequent_access_gb"},
		},
		"aws:kms/key:Key":                  {price: key, usage: []string{"monthly_requests"}},
		"aws:kms/replicaKey:ReplicaKey":    {price: key, usage: []string{"monthly_requests"}},
		"aws:secretsmanager/secret:Secret": {price: secret, usage: []string{"monthly_requests"}},
		"aws:ssm/parameter:Parameter":      {price: parameter},

		logGroup:                                 {price: logs, usage: []string{"monthly_data_ingested_gb", "storage_gb"}},
		"aws:cloudwatch/metricAlarm:MetricAlarm": {price: alarm},
		"aws:cloudwatch/compositeAlarm:CompositeAlarm": {price: monthly("cloudwatch/alarm/composite")},
		"aws:cloudwatch/dashboard:Dashboard":           {price: monthly("cloudwatch/dashboard")},
		"aws:cloudwatch/eventBus:EventBus": {
			price: meter("events/custom", "monthly_custom_events", 1e6), usage: []string{"monthly_custom_events"},
		},

		functionType: {price: function, usage: []string{"monthly_requests", "request_duration_ms"}},
		"aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig": {price: provisioned},
		"aws:apigateway/restApi:RestApi": {
			price: meter("apigateway/rest", "monthly_requests", 1e6), usage: []string{"monthly_requests"},
		},
		scheduleType: {price: schedule, usage: []string{"monthly_invocations"}},
		apiType: {
			price: api, usage: []string{"monthly_requests", "monthly_messages", "monthly_connection_mins"},
		},
		"aws:sqs/queue:Queue": {price: queue, usage: []string{"monthly_requests"}},
		"aws:sns/topic:Topic": {price: topic, usage: []string{"monthly_requests"}},
		"aws:kinesis/stream:Stream": {
			price: stream, usage: []string{"monthly_data_in_gb", "monthly_data_out_gb", "monthly_put_units"},
		},

		"kubernetes:core/v1:Service":               {price: kubernetesService},
		"kubernetes:core/v1:PersistentVolumeClaim": {price: claim},
		"kubernetes:apps/v1:StatefulSet":           {price: statefulSet},
		"kubernetes:networking.k8s.io/v1:Ingress":  {price: ingress},
		"kubernetes:helm.sh/v3:Release":            {price: release},
	}
}

// hourly is a rule for what costs so much an hour while it is there.
func hourly(item string) func(*bill, Resource) {
	return func(b *bill, r Resource) { b.hours(r, item, 1) }
}

// monthly is a rule for what costs so much a month.
func monthly(item string) func(*bill, Resource) {
	return func(b *bill, r Resource) { b.charge(r, item, 1) }
}

// meter is a rule for what costs so much for each perUnit of a usage.
func meter(item, key string, perUnit float64) func(*bill, Resource) {
	return func(b *bill, r Resource) { b.metered(r, item, key, perUnit) }
}

func both(first, second func(*bill, Resource)) func(*bill, Resource) {
	return func(b *bill, r Resource) {
		first(b, r)
		second(b, r)
	}
}
