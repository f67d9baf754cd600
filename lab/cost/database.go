package cost

import (
	"slices"
	"strings"
)

// engines are RDS's engines without a licence, by the name of their prices.
var engines = map[string]string{"postgres": "postgres", "mysql": "mysql", "mariadb": "mariadb"}

// extendedSupport are versions that RDS bills by the vCPU beside the instance, unless the instance opts out.
// Source: Amazon RDS User Guide, the release calendars of PostgreSQL (13 left standard support on
// 2026-02-28) and MySQL (8.0 on 2026-07-31).
var extendedSupport = map[string][]string{
	"postgres": {"9", "10", "11", "12", "13"}, "mysql": {"5.6", "5.7", "8.0"},
}

func database(b *bill, r Resource) {
	source := r
	if !r.at("replicateSourceDb").absent() {
		var ok bool
		if source, ok = b.graph.referred(r, dbInstance, "replicateSourceDb"); !ok {
			b.unpriced(r, "the instance that it replicates is not in the graph")
			return
		}
	}
	class, ok1 := b.given(r, "instanceClass")
	engine, ok2 := b.given(named(source, r), "engine")
	twice, ok3 := b.truth(r, false, "multiAz")
	if !ok1 || !ok2 || !ok3 {
		return
	}
	if engines[engine] == "" {
		b.unpriced(r, "the engine %s is not priced, its licence among it", engine)
		return
	}
	copies := 1.0
	if twice {
		copies = 2 // the standby has the same storage
		b.multiAZ(r, engines[engine], class)
	} else {
		b.hours(r, "rds/"+engines[engine]+"/"+class, 1)
	}
	b.storage(r, source, copies)
	credits(b, r, "rds", class, copies, b.usage.DatabaseCPUSeconds/b.sharing(dbInstance)) // RDS has no other mode
	if b.is(r, "publiclyAccessible") {
		b.hours(r, "ipv4/hour", 1)
	}
	b.databaseExtras(r, engine)
}

// named is other under r's name, so that what is not known of it is noted of r.
func named(other, r Resource) Resource {
	other.Type, other.Name, other.Region = r.Type, r.Name, r.Region
	return other
}

// multiAZ charges a Multi-AZ instance; where only the Single-AZ price is known it is doubled and marked:
// published prices are within 2% of that.
func (b *bill) multiAZ(r Resource, engine, class string) {
	table, _ := b.table.in(r.Region)
	if _, ok := table.price("rds/multi-az/" + engine + "/" + class); ok {
		b.hours(r, "rds/multi-az/"+engine+"/"+class, 1)
		return
	}
	before := len(b.lines)
	b.hours(r, "rds/"+engine+"/"+class, 2)
	for i := before; i < len(b.lines); i++ {
		b.lines[i].Unverified = true
	}
}

// storage charges a database's volume, a replica's after its source.
func (b *bill) storage(r, source Resource, copies float64) {
	pick := func(key string) Resource {
		if r.at(key).absent() {
			return named(source, r)
		}
		return r
	}
	size, ok := b.required(pick("allocatedStorage"), asNumber, "allocatedStorage")
	if !ok {
		return
	}
	fallback := "gp2"
	if !pick("iops").at("iops").absent() {
		fallback = "io1"
	}
	kind, ok := b.text(pick("storageType"), fallback, "storageType")
	if !ok {
		return
	}
	b.charge(r, "rds/"+kind, copies*size)
	switch kind {
	case "gp3":
		// Included from 400 GB on: 12,000 IOPS and 500 MiB/s. Source: Amazon RDS User Guide, "gp3 storage".
		included, fast := 3000.0, 125.0
		if size >= 400 {
			included, fast = 12_000, 500
		}
		if iops, ok := b.number(pick("iops"), included, "iops"); ok && iops > included {
			b.charge(r, "rds/iops/gp3", copies*(iops-included))
		}
		if speed, ok := b.number(pick("storageThroughput"), fast, "storageThroughput"); ok && speed > fast {
			b.charge(r, "rds/throughput/gp3", copies*(speed-fast))
		}
	case "io1":
		if iops, ok := b.required(pick("iops"), asNumber, "iops"); ok {
			b.charge(r, "rds/iops/io1", copies*iops)
		}
	}
}

// leastProxy is how many vCPUs of an instance RDS Proxy bills at least. Source: Amazon RDS Proxy pricing.
const leastProxy = 2

// proxyTarget is an instance behind RDS Proxy, which is billed by the vCPUs of what is behind it.
func proxyTarget(b *bill, r Resource) {
	if !r.at("dbClusterIdentifier").absent() {
		b.unpriced(r, "RDS Proxy before a cluster is not priced")
		return
	}
	behind, ok := b.graph.referred(r, dbInstance, "dbInstanceIdentifier")
	if !ok {
		b.unpriced(r, "the instance behind the proxy is not in the graph")
		return
	}
	class, ok := b.given(named(behind, r), "instanceClass")
	if !ok {
		return
	}
	vcpus, ok := vcpusOf(class)
	if !ok {
		b.unpriced(r, "how many vCPUs %s has is not known", class)
		return
	}
	b.hours(r, "rds/proxy", max(vcpus, leastProxy))
}

// vcpusOf is how many vCPUs a database's class has: large has 2, xlarge 4, 8xlarge 32, whatever the family; only those
// of burstable ones have sizes of their own. Source: Amazon RDS User Guide, "Hardware specifications for DB instance
// classes".
func vcpusOf(class string) (float64, bool) {
	family, size, _ := strings.Cut(strings.TrimPrefix(class, "db."), ".")
	switch family {
	case "t2":
		return baselinesT2[size].vcpus, baselinesT2[size].vcpus > 0
	case "t3", "t3a", "t4g":
		return baselines[size].vcpus, baselines[size].vcpus > 0
	}
	switch times, isXlarge := strings.CutSuffix(size, "xlarge"); {
	case size == "large":
		return 2, true
	case isXlarge && times == "":
		return 4, true
	case isXlarge:
		n, ok := decimal(times)
		return 4 * n, ok && n > 0
	}
	return 0, false
}

// databaseExtras notes what is billed beside instance and storage.
func (b *bill) databaseExtras(r Resource, engine string) {
	b.optional(r, "rds/backup", "additional_backup_storage_gb", 1)
	if b.is(r, "performanceInsightsEnabled") {
		if days, ok := b.number(r, 7, "performanceInsightsRetentionPeriod"); ok && days > 7 {
			b.unpriced(r, "Performance Insights beyond 7 days is not priced")
		}
	}
	if seconds, ok := b.number(r, 0, "monitoringInterval"); ok && seconds > 0 {
		b.unpriced(r, "its Enhanced Monitoring is billed by the logs that it writes")
	}
	if b.is(r, "dedicatedLogVolume") {
		b.unpriced(r, "a dedicated log volume is not priced")
	}
	version, ok := b.text(r, "", "engineVersion")
	lifecycle, _ := r.at("engineLifecycleSupport").raw.(string)
	old := func(v string) bool { return version == v || strings.HasPrefix(version, v+".") }
	if ok && !strings.HasSuffix(lifecycle, "disabled") && slices.ContainsFunc(extendedSupport[engine], old) {
		b.unpriced(r, "%s %s is in Extended Support, which is billed by the vCPU", engine, version)
	}
}

// aurora is a cluster's storage; its instances are resources of their own.
func aurora(b *bill, r Resource) {
	engine, ok := b.given(r, "engine")
	if !ok {
		return
	}
	if !strings.HasPrefix(engine, "aurora") {
		b.unpriced(r, "Multi-AZ clusters of %s are not priced", engine)
		return
	}
	if kind, ok := b.text(r, "aurora", "storageType"); !ok || kind != "aurora" {
		b.unpriced(r, "only Aurora's standard storage is priced")
		return
	}
	if mode, ok := b.text(r, "provisioned", "engineMode"); !ok || mode != "provisioned" {
		b.unpriced(r, "engine mode %s is not priced", mode)
		return
	}
	b.metered(r, "aurora/gb", "storage_gb", 1)
	b.metered(r, "aurora/io", "monthly_io_requests", 1e6)
}

func auroraMember(b *bill, r Resource) {
	class, ok := b.given(r, "instanceClass")
	if !ok {
		return
	}
	if class != "db.serverless" {
		b.hours(r, "aurora/instance/"+class, 1)
		if strings.HasPrefix(class, "db.t") {
			b.unpriced(r, "CPU credits of Aurora are not priced")
		}
		return
	}
	if units, ok := b.usage.amount(r, "capacity_units_per_hr"); ok {
		b.used(r, "aurora/acu", units*HoursPerMonth)
		return
	}
	if c, ok := b.graph.referred(r, dbCluster, "clusterIdentifier"); ok {
		if least, ok := b.required(named(c, r), asNumber, "serverlessv2ScalingConfiguration", "minCapacity"); ok {
			b.hours(r, "aurora/acu", least)
		}
	}
	b.unpriced(r, "capacity_units_per_hr is not given in a usage file: only its least capacity is priced, if any")
}
