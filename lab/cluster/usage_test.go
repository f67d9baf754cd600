package cluster

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// summary is what the kubelet tells of a pod of the shop and of another's, shortened.
const summary = `{"node": {"nodeName": "n", "cpu": {"time": "2026-11-27T10:00:09Z", "usageCoreNanoSeconds": 9}},
	"pods": [
	{"podRef": {"name": "shop-1", "namespace": "shop-stage4", "uid": "u"}, "cpu": {"usageCoreNanoSeconds": 7},
		"containers": [
			{"name": "shop", "startTime": "2026-11-27T09:00:00Z", "cpu": {"time": "2026-11-27T10:00:01Z",
				"usageNanoCores": 5, "usageCoreNanoSeconds": 12345678901}},
			{"name": "istio-proxy", "cpu": {"time": "2026-11-27T10:00:05Z", "usageCoreNanoSeconds": 2000000000}},
			{"name": "new", "cpu": {"time": "2026-11-27T10:00:05Z"}}]},
	{"podRef": {"name": "other", "namespace": "default"}, "containers": [
		{"name": "other", "cpu": {"time": "2026-11-27T10:00:05Z", "usageCoreNanoSeconds": 1}}]}]}`

var shop1, proxy1 = Container{"shop-stage4", "shop-1", "shop"}, Container{"shop-stage4", "shop-1", Sidecar}

func usage(t *testing.T, text string) Usage {
	t.Helper()
	u, err := parseUsage([]byte(text), func(c Container) bool { return c.Namespace == "shop-stage4" })
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestUsageOfTheSummary(t *testing.T) {
	u := usage(t, summary)
	if len(u) != 2 || math.Abs(u[shop1].CPU-12.345678901) > 1e-9 || u[proxy1].CPU != 2 || u[proxy1].At.Second() != 5 {
		t.Errorf("%+v", u)
	}
	if _, err := parseUsage([]byte("Forbidden"), nil); err == nil {
		t.Error("no summary, and no error")
	}
}

// A load counts between two readings of each container of its own, less what the container uses without load.
func TestUsageOfALoad(t *testing.T) {
	then := usage(t, summary)
	if late := then.late(then); len(late) != 2 {
		t.Errorf("read again of the same: %v", late)
	}
	once := strings.Replace(summary, "10:00:01Z", "10:00:21Z", 1)
	once = strings.Replace(once, "12345678901", "16345678901", 1)
	if late := usage(t, once).late(then); !slices.Equal(late, []string{"shop-stage4/shop-1/istio-proxy"}) {
		t.Errorf("not read again: %v", late)
	}
	now := usage(t, strings.Replace(strings.Replace(once, "10:00:05Z", "10:00:15Z", 1), "2000000000", "2500000000", 1))
	if late := now.late(then); len(late) != 0 {
		t.Errorf("not read again: %v", late)
	}
	used, err := now.Since(then, map[Container]float64{shop1: .05, proxy1: .2})
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(used[shop1]-(4-.05*20)) > 1e-9 || used[proxy1] != 0 { // 0.5 s in 10 s are less than it uses without load
		t.Errorf("used %v", used)
	}
	if rates := now.Rates(then); math.Abs(rates[shop1]-.2) > 1e-9 || math.Abs(rates[proxy1]-.05) > 1e-9 {
		t.Errorf("rates %v", rates)
	}
}

func TestAReplacedPodIsNoticed(t *testing.T) {
	then := usage(t, summary)
	again := usage(t, strings.Replace(summary, "12345678901", "1", 1))
	if _, err := again.Since(then, nil); err == nil || !strings.Contains(err.Error(), "shop-1/shop was started") {
		t.Errorf("a container that began anew: %v", err)
	}
	other := usage(t, strings.Replace(summary, "shop-1", "shop-2", 1))
	if _, err := other.Since(then, nil); err == nil {
		t.Error("a pod that came, and no error")
	}
	if late := other.late(then); len(late) != 2 {
		t.Errorf("of a pod that is gone %v was not read", late)
	}
}
