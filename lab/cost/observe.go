package cost

import "strings"

// logs is a log group. Without an amount of its own its volume is in the stack's.
func logs(b *bill, r Resource) {
	class, ok := b.text(r, "STANDARD", "logGroupClass")
	if !ok {
		return
	}
	item := "logs/gb"
	switch class {
	case "STANDARD":
	case "INFREQUENT_ACCESS":
		item = "logs/infrequent/gb"
	default:
		b.unpriced(r, "log groups of class %s are not priced", class)
		return
	}
	b.optional(r, item, "monthly_data_ingested_gb", 1)
	if _, given := b.usage.amount(r, "storage_gb"); given {
		b.optional(r, "logs/stored", "storage_gb", 1)
		return
	}
	days, ok := b.number(r, 0, "retentionInDays")
	switch ingested, given := b.usage.amount(r, "monthly_data_ingested_gb"); {
	case !ok:
	case days == 0:
		b.unpriced(r, "it keeps its logs for ever: storage_gb is not given in a usage file")
	case given: // what is kept is compressed, by how much is not known: this is the most
		b.used(r, "logs/stored", ingested*days/DaysPerMonth)
	default:
		// Its share of the stack's logs, as traffic takes them to be divided.
		b.used(r, "logs/stored", b.usage.Requests*b.usage.LogBytes/1e9/b.sharing(logGroup)*days/DaysPerMonth)
	}
}

// alarm is billed for each metric that it looks at, three for an anomaly detection.
func alarm(b *bill, r Resource) {
	item := "cloudwatch/alarm"
	if period, ok := b.number(r, 60, "period"); ok && period < 60 {
		item = "cloudwatch/alarm/high"
	}
	metrics := 1.0
	queries, v := r.each("metricQueries")
	if v.hidden != "" {
		b.unpriced(r, "its metrics %s", v.hidden)
		return
	}
	if len(queries) > 0 {
		metrics = 0
		for _, q := range queries {
			if !q.at("metric").absent() {
				metrics++
			}
			if expression, _ := q.at("expression").raw.(string); strings.Contains(expression, "ANOMALY_DETECTION_BAND") {
				metrics += 2
			}
		}
	}
	b.charge(r, item, metrics)
}

func kubernetesService(b *bill, r Resource) {
	if kind, ok := b.text(r, "ClusterIP", "spec", "type"); ok && kind == "LoadBalancer" {
		b.unpriced(r, "a Service of type LoadBalancer creates one")
	}
}

func claim(b *bill, r Resource) { b.unpriced(r, "its volume depends on the storage class") }

func statefulSet(b *bill, r Resource) {
	if claims, v := r.each("spec", "volumeClaimTemplates"); len(claims) > 0 || v.hidden != "" {
		claim(b, r)
	}
}

func ingress(b *bill, r Resource) {
	if class, ok := b.text(r, "", "spec", "ingressClassName"); ok && class == "alb" {
		b.unpriced(r, "an Ingress of class alb creates a load balancer")
	}
}

// release is a Helm release, whose objects are not in the graph; what its values say of them is looked at.
func release(b *bill, r Resource) {
	if holds(r.at("values").raw, "LoadBalancer") {
		b.unpriced(r, "its values ask for a Service of type LoadBalancer")
	}
}

// holds tells whether a text is somewhere in a nested value.
func holds(v any, text string) bool {
	switch v := v.(type) {
	case string:
		return v == text
	case []any:
		for _, one := range v {
			if holds(one, text) {
				return true
			}
		}
	case map[string]any:
		for _, one := range v {
			if holds(one, text) {
				return true
			}
		}
	}
	return false
}
