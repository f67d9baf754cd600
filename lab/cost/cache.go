package cost

import "strings"

func cache(b *bill, r Resource) {
	engine, ok1 := b.text(r, "redis", "engine")
	kind, ok2 := b.given(r, "nodeType")
	nodes, ok3 := b.nodes(r)
	if !ok1 || !ok2 || !ok3 {
		return
	}
	b.hours(r, "elasticache/"+engine+"/"+kind, nodes)
	b.cacheExtras(r, engine)
}

// nodes is how many nodes a replication group has: of one shard, or of several with replicas each.
func (b *bill) nodes(r Resource) (float64, bool) {
	if shards := r.at("numNodeGroups"); !shards.absent() {
		groups, ok1 := b.required(r, asNumber, "numNodeGroups")
		replicas, ok2 := b.number(r, 0, "replicasPerNodeGroup")
		return groups * (1 + replicas), ok1 && ok2
	}
	if !r.at("clusterMode", "numNodeGroups").absent() { // of pulumi-aws before 6
		groups, ok1 := b.required(r, asNumber, "clusterMode", "numNodeGroups")
		replicas, ok2 := b.number(r, 0, "clusterMode", "replicasPerNodeGroup")
		return groups * (1 + replicas), ok1 && ok2
	}
	for _, key := range []string{"numCacheClusters", "numberCacheClusters"} {
		if !r.at(key).absent() {
			return b.required(r, asNumber, key)
		}
	}
	if replicas := r.at("replicasPerNodeGroup"); !replicas.absent() {
		n, ok := b.required(r, asNumber, "replicasPerNodeGroup")
		return 1 + n, ok
	}
	return 1, true // AWS's default
}

func cacheCluster(b *bill, r Resource) {
	if !r.at("replicationGroupId").absent() {
		b.unpriced(r, "a replica that is added to a replication group is not priced")
		return
	}
	engine, ok1 := b.given(r, "engine")
	kind, ok2 := b.given(r, "nodeType")
	nodes, ok3 := b.number(r, 1, "numCacheNodes")
	if !ok1 || !ok2 || !ok3 {
		return
	}
	b.hours(r, "elasticache/"+engine+"/"+kind, nodes)
	b.cacheExtras(r, engine)
}

// cacheExtras are backups beyond the one that is free, and old versions.
func (b *bill) cacheExtras(r Resource, engine string) {
	if kept, ok := b.number(r, 0, "snapshotRetentionLimit"); ok && kept > 1 {
		b.metered(r, "elasticache/backup", "snapshot_storage_size_gb", 1)
	} else {
		b.optional(r, "elasticache/backup", "snapshot_storage_size_gb", 1)
	}
	version, ok := b.text(r, "", "engineVersion")
	if ok && engine == "redis" && (strings.HasPrefix(version, "4.") || strings.HasPrefix(version, "5.")) {
		b.unpriced(r, "Redis %s is in Extended Support, which costs more", version)
	}
}

// serverlessMinimum is what each serverless cache is billed for at least, in GB. Source: Amazon ElastiCache
// pricing, "minimum metered data storage".
var serverlessMinimum = map[string]float64{"valkey": 0.1, "redis": 1, "memcached": 1}

// serverlessCache is billed for the data that it holds, at least its minimum, and for what requests take.
func serverlessCache(b *bill, r Resource) {
	engine, ok := b.given(r, "engine")
	if !ok {
		return
	}
	minimum, known := serverlessMinimum[engine]
	if !known {
		b.unpriced(r, "the engine %s is not known", engine)
		return
	}
	least, ok := b.number(r, 0, "cacheUsageLimits", "dataStorage", "minimum") // in GB, the only unit there is
	if !ok {
		return
	}
	item := "elasticache/serverless/" + engine + "/"
	minimum = max(minimum, least)
	b.hours(r, item+"gb", minimum)
	if stored, ok := b.usage.amount(r, "storage_gb"); ok && stored > minimum {
		b.used(r, item+"gb", (stored-minimum)*HoursPerMonth)
	}
	// A minimum of ECPUs a second is billed whether it is used or not.
	reserved, ok := b.number(r, 0, "cacheUsageLimits", "ecpuPerSeconds", "minimum")
	if !ok {
		return
	}
	units, given := b.usage.amount(r, "monthly_ecpus")
	if !given {
		units = b.usage.Requests * b.usage.CacheECPUs / b.sharing(r.Type)
	}
	floor := reserved * HoursPerMonth * 3600
	b.charge(r, item+"ecpu", floor/1e6)
	b.used(r, item+"ecpu", max(0, units-floor)/1e6)
	if kept, ok := b.number(r, 0, "snapshotRetentionLimit"); ok && kept > 0 {
		b.metered(r, "elasticache/backup", "snapshot_storage_size_gb", 1)
	}
}
