package cost

import "strings"

// freeTypes cost nothing by themselves. What is not here and has no rule is reported as unknown, so a new
// type of AWS's cannot slip through as zero.
var freeTypes = typeSet(`
aws:acm/certificateValidation:CertificateValidation
aws:alb/listener:Listener aws:alb/listenerRule:ListenerRule aws:alb/targetGroup:TargetGroup
aws:alb/targetGroupAttachment:TargetGroupAttachment aws:alb/listenerCertificate:ListenerCertificate
aws:apigateway/account:Account aws:apigateway/apiKey:ApiKey aws:apigateway/authorizer:Authorizer
aws:apigateway/basePathMapping:BasePathMapping aws:apigateway/deployment:Deployment aws:apigateway/domainName:DomainName
aws:apigateway/integration:Integration aws:apigateway/integrationResponse:IntegrationResponse
aws:apigateway/method:Method
aws:apigateway/methodResponse:MethodResponse aws:apigateway/methodSettings:MethodSettings aws:apigateway/model:Model
aws:apigateway/resource:Resource aws:apigateway/response:Response aws:apigateway/restApiPolicy:RestApiPolicy
aws:apigateway/usagePlan:UsagePlan aws:apigateway/usagePlanKey:UsagePlanKey aws:apigateway/vpcLink:VpcLink
aws:apigatewayv2/apiMapping:ApiMapping aws:apigatewayv2/authorizer:Authorizer aws:apigatewayv2/deployment:Deployment
aws:apigatewayv2/domainName:DomainName aws:apigatewayv2/integration:Integration aws:apigatewayv2/route:Route
aws:apigatewayv2/stage:Stage aws:apigatewayv2/vpcLink:VpcLink
aws:appautoscaling/policy:Policy aws:appautoscaling/scheduledAction:ScheduledAction aws:appautoscaling/target:Target
aws:autoscaling/attachment:Attachment aws:autoscaling/lifecycleHook:LifecycleHook
aws:autoscaling/notification:Notification
aws:autoscaling/policy:Policy aws:autoscaling/schedule:Schedule aws:autoscaling/tag:Tag
aws:budgets/budget:Budget
aws:cloudfront/cachePolicy:CachePolicy aws:cloudfront/originAccessControl:OriginAccessControl
aws:cloudfront/originAccessIdentity:OriginAccessIdentity aws:cloudfront/originRequestPolicy:OriginRequestPolicy
aws:cloudfront/publicKey:PublicKey aws:cloudfront/keyGroup:KeyGroup
aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy aws:cloudfront/vpcOrigin:VpcOrigin
aws:cloudwatch/eventRule:EventRule aws:cloudwatch/eventTarget:EventTarget aws:cloudwatch/eventPermission:EventPermission
aws:cloudwatch/logResourcePolicy:LogResourcePolicy aws:cloudwatch/logStream:LogStream
aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter
aws:dynamodb/tableItem:TableItem
aws:ebs/encryptionByDefault:EncryptionByDefault aws:ec2/ami:Ami aws:ec2/dhcpOptions:DhcpOptions
aws:ec2/dhcpOptionsAssociation:DhcpOptionsAssociation aws:ec2/vpcDhcpOptionsAssociation:VpcDhcpOptionsAssociation
aws:ec2/vpcDhcpOptions:VpcDhcpOptions aws:ec2/customerGateway:CustomerGateway
aws:ec2/defaultNetworkAcl:DefaultNetworkAcl aws:ec2/defaultRouteTable:DefaultRouteTable
aws:ec2/defaultSecurityGroup:DefaultSecurityGroup aws:ec2/defaultSubnet:DefaultSubnet aws:ec2/defaultVpc:DefaultVpc
aws:ec2/defaultVpcDhcpOptions:DefaultVpcDhcpOptions
aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway aws:ec2/eipAssociation:EipAssociation
aws:ec2/internetGateway:InternetGateway aws:ec2/internetGatewayAttachment:InternetGatewayAttachment
aws:ec2/keyPair:KeyPair
aws:ec2/launchConfiguration:LaunchConfiguration aws:ec2/launchTemplate:LaunchTemplate
aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation aws:ec2/managedPrefixList:ManagedPrefixList
aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry aws:ec2/networkAcl:NetworkAcl
aws:ec2/networkAclAssociation:NetworkAclAssociation aws:ec2/networkAclRule:NetworkAclRule
aws:ec2/networkInterface:NetworkInterface aws:ec2/networkInterfaceAttachment:NetworkInterfaceAttachment
aws:ec2/networkInterfaceSecurityGroupAttachment:NetworkInterfaceSecurityGroupAttachment
aws:ec2/placementGroup:PlacementGroup aws:ec2/route:Route aws:ec2/routeTable:RouteTable
aws:ec2/routeTableAssociation:RouteTableAssociation aws:ec2/securityGroup:SecurityGroup
aws:ec2/securityGroupAssociation:SecurityGroupAssociation aws:ec2/securityGroupRule:SecurityGroupRule
aws:ec2/subnet:Subnet aws:ec2/subnetCidrReservation:SubnetCidrReservation aws:ec2/tag:Tag
aws:ec2/volumeAttachment:VolumeAttachment aws:ec2/vpc:Vpc aws:ec2/vpcEndpointPolicy:VpcEndpointPolicy
aws:ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation
aws:ec2/vpcEndpointSecurityGroupAssociation:VpcEndpointSecurityGroupAssociation
aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation aws:ec2/vpnGateway:VpnGateway
aws:ec2/vpnGatewayAttachment:VpnGatewayAttachment aws:ec2/vpnGatewayRoutePropagation:VpnGatewayRoutePropagation
aws:ec2transitgateway/routeTable:RouteTable aws:ec2transitgateway/transitGateway:TransitGateway
aws:ec2transitgateway/route:Route aws:ec2transitgateway/routeTableAssociation:RouteTableAssociation
aws:ec2transitgateway/routeTablePropagation:RouteTablePropagation
aws:ecr/lifecyclePolicy:LifecyclePolicy aws:ecr/registryPolicy:RegistryPolicy aws:ecr/repositoryPolicy:RepositoryPolicy
aws:ecs/capacityProvider:CapacityProvider aws:ecs/clusterCapacityProviders:ClusterCapacityProviders
aws:ecs/taskDefinition:TaskDefinition
aws:efs/accessPoint:AccessPoint aws:efs/backupPolicy:BackupPolicy aws:efs/fileSystemPolicy:FileSystemPolicy
aws:efs/mountTarget:MountTarget
aws:eks/accessEntry:AccessEntry aws:eks/accessPolicyAssociation:AccessPolicyAssociation aws:eks/addon:Addon
aws:eks/identityProviderConfig:IdentityProviderConfig aws:eks/podIdentityAssociation:PodIdentityAssociation
aws:elasticache/parameterGroup:ParameterGroup aws:elasticache/subnetGroup:SubnetGroup aws:elasticache/user:User
aws:elasticache/userGroup:UserGroup
aws:kms/alias:Alias aws:kms/grant:Grant aws:kms/keyPolicy:KeyPolicy
aws:lambda/alias:Alias aws:lambda/eventSourceMapping:EventSourceMapping
aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig aws:lambda/functionUrl:FunctionUrl
aws:lambda/invocation:Invocation
aws:lambda/layerVersion:LayerVersion aws:lambda/layerVersionPermission:LayerVersionPermission
aws:lambda/permission:Permission
aws:lb/listener:Listener aws:lb/listenerCertificate:ListenerCertificate aws:lb/listenerRule:ListenerRule
aws:lb/targetGroup:TargetGroup aws:lb/targetGroupAttachment:TargetGroupAttachment
aws:rds/clusterParameterGroup:ClusterParameterGroup aws:rds/optionGroup:OptionGroup
aws:rds/parameterGroup:ParameterGroup aws:rds/proxy:Proxy aws:rds/proxyDefaultTargetGroup:ProxyDefaultTargetGroup
aws:rds/subnetGroup:SubnetGroup
aws:resourcegroups/group:Group aws:route53/delegationSet:DelegationSet aws:route53/record:Record
aws:route53/zoneAssociation:ZoneAssociation
aws:s3/bucketAclV2:BucketAclV2 aws:s3/bucketAcl:BucketAcl aws:s3/bucketCorsConfiguration:BucketCorsConfiguration
aws:s3/bucketCorsConfigurationV2:BucketCorsConfigurationV2
aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration
aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2 aws:s3/bucketLogging:BucketLogging
aws:s3/bucketLoggingV2:BucketLoggingV2 aws:s3/bucketNotification:BucketNotification aws:s3/bucketObject:BucketObject
aws:s3/bucketObjectv2:BucketObjectv2 aws:s3/bucketOwnershipControls:BucketOwnershipControls
aws:s3/bucketPolicy:BucketPolicy aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock
aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration
aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2
aws:s3/bucketVersioning:BucketVersioning aws:s3/bucketVersioningV2:BucketVersioningV2
aws:s3/bucketWebsiteConfiguration:BucketWebsiteConfiguration
aws:s3/bucketWebsiteConfigurationV2:BucketWebsiteConfigurationV2
aws:scheduler/scheduleGroup:ScheduleGroup
aws:secretsmanager/secretPolicy:SecretPolicy aws:secretsmanager/secretRotation:SecretRotation
aws:secretsmanager/secretVersion:SecretVersion
aws:sns/topicPolicy:TopicPolicy aws:sns/topicSubscription:TopicSubscription
aws:sqs/queuePolicy:QueuePolicy aws:sqs/redrivePolicy:RedrivePolicy aws:sqs/redriveAllowPolicy:RedriveAllowPolicy
aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule
aws:vpc/securityGroupVpcAssociation:SecurityGroupVpcAssociation aws:wafv2/ipSet:IpSet
aws:wafv2/regexPatternSet:RegexPatternSet aws:wafv2/webAclAssociation:WebAclAssociation
aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration
eks:index:RandomSuffix eks:index:VpcCni
`)

// freeModules are whole modules and providers of which nothing costs anything by itself.
var freeModules = []string{
	"aws:iam/", "pulumi:", "pulumi-nodejs:", "pulumi-python:", "shoplab:", "kubernetes:",
	"random:", "tls:", "null:", "time:", "archive:", "local:", "command:", "std:", "docker:", "docker-build:",
	"synced-folder:",
}

func typeSet(words string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		set[word] = true
	}
	return set
}

func free(typ string) bool {
	if freeTypes[typ] {
		return true
	}
	for _, p := range freeModules {
		if strings.HasPrefix(typ, p) {
			return true
		}
	}
	return false
}
