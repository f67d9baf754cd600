package cost

var bucketUsage = []string{"storage_gb", "monthly_tier_1_requests", "monthly_tier_2_requests"}

// bucket is billed for what is stored in it, all in the class Standard, and for requests: tier 1 writes and
// lists, tier 2 reads.
func bucket(b *bill, r Resource) {
	b.metered(r, "s3/gb", "storage_gb", 1)
	b.metered(r, "s3/put", "monthly_tier_1_requests", 1000)
	b.metered(r, "s3/get", "monthly_tier_2_requests", 1000)
}

func fileSystem(b *bill, r Resource) {
	class := "standard"
	if zone := r.at("availabilityZoneName"); !zone.absent() {
		class = "one-zone"
	}
	b.metered(r, "efs/"+class+"/gb", "storage_gb", 1)
	if policies, v := r.each("lifecyclePolicies"); len(policies) > 0 || v.hidden != "" {
		b.metered(r, "efs/"+class+"/ia/gb", "infrequent_access_storage_gb", 1)
		b.metered(r, "efs/ia/transfer", "monthly_infrequent_access_gb", 1)
	}
	mode, ok := b.text(r, "bursting", "throughputMode")
	if !ok {
		return
	}
	switch mode {
	case "provisioned":
		if speed, ok := b.required(r, asNumber, "provisionedThroughputInMibps"); ok {
			// Included is the throughput that bursting mode would give: 50 KiB/s a GB.
			stored, _ := b.usage.amount(r, "storage_gb")
			b.charge(r, "efs/throughput", max(0, speed-stored/20))
		}
	case "elastic":
		b.unpriced(r, "the reads and writes of elastic throughput are not priced")
	}
}

func key(b *bill, r Resource) {
	b.charge(r, "kms/key", 1)
	if spec, ok := b.text(r, "SYMMETRIC_DEFAULT", "customerMasterKeySpec"); ok && spec != "SYMMETRIC_DEFAULT" &&
		spec != "RSA_2048" {
		b.unpriced(r, "the requests of a %s key are not priced", spec)
		return
	}
	b.metered(r, "kms/10k", "monthly_requests", 1e4)
	if b.is(r, "enableKeyRotation") {
		b.unpriced(r, "its first two rotations add $1 a month each")
	}
}

func secret(b *bill, r Resource) {
	replicas, ok := b.count(r, "replicas")
	if !ok {
		return
	}
	b.charge(r, "secret/month", float64(1+replicas))
	b.metered(r, "secret/10k", "monthly_requests", 1e4)
}

func parameter(b *bill, r Resource) {
	tier, ok := b.text(r, "Standard", "tier")
	if !ok {
		return
	}
	switch tier {
	case "Standard":
	case "Advanced":
		b.charge(r, "ssm/advanced", 1)
	default:
		b.unpriced(r, "whether a parameter of tier %s is an advanced one is not known", tier)
	}
}

// dynamoTable is billed by its provisioned capacity, its indexes' too, or by the requests.
func dynamoTable(b *bill, r Resource) {
	mode, ok := b.text(r, "PROVISIONED", "billingMode")
	if class, known := b.text(r, "STANDARD", "tableClass"); !ok || !known || class != "STANDARD" {
		b.unpriced(r, "only the table class STANDARD is priced")
		return
	}
	replicas, ok := b.count(r, "replicas")
	if !ok {
		return
	}
	if replicas > 0 {
		b.unpriced(r, "its replicas in other regions are not priced")
	}
	b.metered(r, "dynamodb/gb", "storage_gb", 1)
	if mode == "PAY_PER_REQUEST" {
		b.metered(r, "dynamodb/write", "monthly_write_request_units", 1e6)
		b.metered(r, "dynamodb/read", "monthly_read_request_units", 1e6)
	} else {
		indexes, v := r.each("globalSecondaryIndexes")
		if v.hidden != "" {
			b.unpriced(r, "its indexes %s", v.hidden)
			return
		}
		for _, part := range append(indexes, r) {
			part = named(part, r)
			if n, ok := b.required(part, asNumber, "writeCapacity"); ok {
				b.hours(r, "dynamodb/wcu", n)
			}
			if n, ok := b.required(part, asNumber, "readCapacity"); ok {
				b.hours(r, "dynamodb/rcu", n)
			}
		}
	}
	if b.is(r, "pointInTimeRecovery", "enabled") {
		b.metered(r, "dynamodb/pitr", "pitr_backup_storage_gb", 1)
	}
	if b.is(r, "streamEnabled") {
		b.metered(r, "dynamodb/stream", "monthly_streams_read_request_units", 1e6)
	}
}
