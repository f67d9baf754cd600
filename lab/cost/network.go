package cost

// lcuPerRequestRate is how many requests a second one load-balancer capacity unit carries, by its
// tightest dimension for small requests: 25 new connections a second, with keep-alive off; for large ones
// it is a gigabyte an hour. Source: Elastic Load Balancing pricing, "LCU details".
const lcuPerRequestRate = 25

// nlcuPerRequestRate is the same of a network load balancer: 800 new TCP connections a second.
const nlcuPerRequestRate = 800

func loadBalancer(b *bill, r Resource) {
	kind, ok := b.text(r, "application", "loadBalancerType")
	if !ok {
		return
	}
	item, rate := "alb", float64(lcuPerRequestRate)
	switch kind {
	case "application":
	case "network":
		item, rate = "nlb", nlcuPerRequestRate
	default:
		b.unpriced(r, "load balancers of type %s are not priced", kind)
		return
	}
	b.hours(r, item+"/hour", 1)
	requests := b.usage.Requests / b.sharing(balancerType, "aws:alb/loadBalancer:LoadBalancer")
	perSecond, gigabytes := requests/(HoursPerMonth*3600), requests*b.usage.BytesPerRequest/1e9
	b.used(r, item+"/lcu", max(perSecond/rate*HoursPerMonth, gigabytes))
	b.balancerAddresses(r)
}

// balancerAddresses charges the public IPv4 addresses of a load balancer: one a zone.
func (b *bill) balancerAddresses(r Resource) {
	internal, ok1 := b.truth(r, false, "internal")
	family, ok2 := b.text(r, "ipv4", "ipAddressType")
	if !ok1 || !ok2 || internal || family == "dualstack-without-public-ipv4" {
		return
	}
	subnets, ok1 := b.count(r, "subnets")
	mappings, v := r.each("subnetMappings")
	if v.hidden != "" {
		b.unpriced(r, "its subnet mappings %s", v.hidden)
		return
	}
	zones := subnets
	for _, m := range mappings {
		if m.at("allocationId").absent() { // an Elastic IP is billed by itself
			zones++
		}
	}
	switch {
	case !ok1:
	case subnets+len(mappings) == 0:
		b.unpriced(r, "how many zones it has, and addresses with them, is not given")
	default:
		b.hours(r, "ipv4/hour", float64(zones))
	}
}

func classicBalancer(b *bill, r Resource) {
	b.hours(r, "clb/hour", 1)
	b.metered(r, "clb/gb", "monthly_data_processed_gb", 1)
	internal, ok1 := b.truth(r, false, "internal")
	zones, ok2 := b.count(r, "subnets")
	if zones == 0 && ok2 {
		zones, ok2 = b.count(r, "availabilityZones")
	}
	if ok1 && ok2 && !internal {
		b.hours(r, "ipv4/hour", float64(zones))
	}
}

// natGateway is billed by the hour and by what passes through it; its Elastic IP by itself.
func natGateway(b *bill, r Resource) {
	b.hours(r, "nat/hour", 1)
	b.metered(r, "nat/gb", "monthly_data_processed_gb", 1)
}

// endpoint is a VPC endpoint: to S3 or DynamoDB by the gateway kind it is free, an interface is billed in
// each subnet.
func endpoint(b *bill, r Resource) {
	kind, ok := b.text(r, "Gateway", "vpcEndpointType")
	if !ok || kind == "Gateway" {
		return
	}
	item := map[string]string{"Interface": "endpoint/gb", "GatewayLoadBalancer": "endpoint/gwlb/gb"}[kind]
	if item == "" {
		b.unpriced(r, "endpoints of type %s are not priced", kind)
		return
	}
	subnets, ok := b.count(r, "subnetIds")
	if !ok {
		return
	}
	if subnets == 0 {
		b.unpriced(r, "in how many subnets it has interfaces is not given")
		return
	}
	b.hours(r, "endpoint/hour", float64(subnets))
	b.metered(r, item, "monthly_data_processed_gb", 1)
}

func accelerator(b *bill, r Resource) {
	if on, ok := b.truth(r, true, "enabled"); ok && on {
		b.hours(r, "accelerator/hour", 1)
		b.unpriced(r, "its premium on traffic is not priced")
	}
}

// distribution has its requests and bytes priced as the stack's traffic; here is what costs extra.
func distribution(b *bill, r Resource) {
	if method, ok := b.text(r, "sni-only", "viewerCertificate", "sslSupportMethod"); ok && method == "vip" {
		b.charge(r, "cloudfront/ssl-vip", 1)
	}
	origins, v := r.each("origins")
	if v.hidden != "" {
		b.unpriced(r, "its origins %s", v.hidden)
	}
	for _, o := range origins {
		if b.is(named(o, r), "originShield", "enabled") {
			b.unpriced(r, "the requests through Origin Shield are not priced")
		}
	}
	behaviours, _ := r.each("orderedCacheBehaviors")
	first, _ := r.each("defaultCacheBehavior")
	for _, c := range append(behaviours, first...) {
		if arn := c.at("realtimeLogConfigArn"); !arn.absent() && arn.raw != "" {
			b.unpriced(r, "real-time logs are not priced")
		}
		if edge, _ := c.each("lambdaFunctionAssociations"); len(edge) > 0 {
			b.unpriced(r, "Lambda@Edge is not priced")
		}
	}
}

func zone(b *bill, r Resource) {
	b.charge(r, "route53/zone", 1)
	if vpcs, _ := r.each("vpcs"); len(vpcs) > 0 {
		return // a private zone's queries are free
	}
	b.metered(r, "route53/query", "monthly_standard_queries", 1e6)
}

func healthCheck(b *bill, r Resource) {
	b.charge(r, "route53/health", 1)
	kind, ok := b.given(r, "type")
	if !ok {
		return
	}
	features := 0.0
	for _, on := range []bool{
		kind == "HTTPS" || kind == "HTTPS_STR_MATCH", kind == "HTTP_STR_MATCH" || kind == "HTTPS_STR_MATCH",
		b.is(r, "measureLatency"),
	} {
		if on {
			features++
		}
	}
	if every, ok := b.number(r, 30, "requestInterval"); ok && every == 10 {
		features++
	}
	if features > 0 {
		b.charge(r, "route53/health/feature", features)
	}
	b.unpriced(r, "a check of something outside AWS costs 1.5 times as much and twice for features")
}

func webACL(b *bill, r Resource) {
	b.charge(r, "waf/acl", 1)
	rules, ok := b.count(r, "rules")
	if ok && rules > 0 {
		b.charge(r, "waf/rule", float64(rules))
	}
	b.metered(r, "waf/requests", "monthly_requests", 1e6)
	each, _ := r.each("rules")
	for _, one := range each {
		if !one.at("statement", "managedRuleGroupStatement").absent() {
			b.unpriced(r, "what its managed rule groups charge on top is not priced")
		}
	}
}

// certificate is free, unless its private key may leave AWS.
func certificate(b *bill, r Resource) {
	if export, ok := b.text(r, "DISABLED", "options", "export"); ok && export == "ENABLED" {
		b.unpriced(r, "exportable certificates are not priced")
	}
	if authority := r.at("certificateAuthorityArn"); !authority.absent() {
		b.unpriced(r, "certificates of a private authority are not priced")
	}
}
