package cost

import (
	"math"
	"os"
	"strings"
	"testing"
)

const usageYAML = `version: 1
stack:
  requests: 1000000
resource_type_default_usage:
  aws:lambda/function:Function: {monthly_requests: 2000000, request_duration_ms: 100}
resource_usage:
  aws:lambda/function:Function slow: {monthly_requests: 4000000, request_duration_ms: 500}
  aws:s3/bucket:Bucket pictures:
    storage_gb: 100
    monthly_tier_1_requests: 1000
    monthly_tier_2_requests: 10000
`

// TestTheDocumentedUsageFileIsOne: docs/cost.md shows a usage file that can be read, with each number of the stack.
func TestTheDocumentedUsageFileIsOne(t *testing.T) {
	page, err := os.ReadFile("../../docs/cost.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	file, _, _ := strings.Cut(rest, "```")
	u, err := ReadUsage(strings.NewReader(file), Usage{})
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range u.fields() {
		if *value == 0 {
			t.Errorf("docs/cost.md has no %s", name)
		}
	}
}

func TestAUsageFilePricesWhatDependsOnUse(t *testing.T) {
	u, err := ReadUsage(strings.NewReader("\ufeff"+usageYAML), DefaultUsage())
	if err != nil {
		t.Fatal(err)
	}
	if u.Requests != 1e6 || u.LogBytes != DefaultUsage().LogBytes {
		t.Errorf("usage of the stack: %+v", u)
	}
	g := graph(t, `[{"type":"aws:lambda/function:Function","name":"fast","inputs":{"memorySize":1024}},
	 {"type":"aws:lambda/function:Function","name":"slow","inputs":{"memorySize":2048,"architectures":["arm64"]}},
	 {"type":"aws:s3/bucket:Bucket","name":"pictures","inputs":{}}]`)
	u.Requests = 0
	e := prices(t).Of(g, u)
	if e.LowerBound() {
		t.Fatalf("unknown %q", e.Unknown)
	}
	near(t, "at list price", e.Gross().Dollars(), 6*.2+2e6*.1*.0000166667+4e6*.5*2*.0000133334+100*.023+.005+10*.0004)
	// A million requests and 400,000 GB-seconds are an account's for nothing, of each architecture here.
	near(t, "less the allowances", e.Total().Dollars(), 5*.2+0+3.6e6*.0000133334+100*.023+.005+10*.0004)
	if unused := u.Unused(g); len(unused) > 0 {
		t.Errorf("unused: %q", unused)
	}
	if unused := u.Unused(Graph{}); len(unused) != 2 {
		t.Errorf("of an empty graph %q are unused, want both", unused)
	}
}

func TestAUsageFileIsCheckedWhole(t *testing.T) {
	for file, want := range map[string]string{
		"version: 1\nresource_usage: {aws:s3/bucket:Bucket b: {storage: 1}}":  "there are: storage_gb",
		"version: 1\nresource_usage: {aws:s3/bucket:Bucket: {storage_gb: 1}}": "want the type and the name",
		"version: 1\nresource_usage: {aws:x/y:Z b: {storage_gb: 1}}": "no price depends on the " +
			"usage of this type",
		"version: 1\nresource_type_default_usage: {aws:s3/bucket:Bucket: {storage_gb: -1}}":   "storage_gb is -1",
		"version: 1\nresource_type_default_usage: {aws:s3/bucket:Bucket: {storage_gb: .nan}}": "is NaN",
		"version: 1\nstack: {requests: .inf}":                                                 "requests is +Inf",
		"version: 1\nstack: {request: 1}":                                                     "cpu_seconds_per_request",
		"version: 1\nresources: {}":                                                           "resources",
		"resource_usage: {}":                                                                  "version: 1",
		"version: 0.1\nresource_usage: {aws_s3_bucket.b: {storage_gb: 1}}":                    "want `version: 1`",
		"version: 1\nresource_usage: {aws:s3/bucket:Bucket b: {storage_gb: a lot}}":           "decode usage",
	} {
		if _, err := ReadUsage(strings.NewReader(file), DefaultUsage()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
	}
}

func TestUsageRefusesNonsense(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1), -1, 1e16} {
		u := DefaultUsage()
		u.LogBytes = v
		if err := u.Check(); err == nil || !strings.Contains(err.Error(), "log_bytes_per_request") {
			t.Errorf("%g bytes of log a request: %v", v, err)
		}
	}
	if err := DefaultUsage().Check(); err != nil {
		t.Error(err)
	}
}

func TestDiffIsItemByItem(t *testing.T) {
	before := prices(t).Of(graph(t, `[{"type":"aws:ec2/eip:Eip","name":"a"},{"type":"aws:ebs/volume:Volume","name":"v",
	 "inputs":{"type":"gp3","size":100}},
	 {"type":"aws:cloudwatch/metricAlarm:MetricAlarm","name":"m"}]`), Usage{})
	after := prices(t).Of(graph(t, `[{"type":"aws:ec2/eip:Eip","name":"a"},{"type":"aws:ebs/volume:Volume","name":"v",
	 "inputs":{"type":"gp3","size":20}},
	 {"type":"aws:ec2/eip:Eip","name":"b"}]`), Usage{})
	d := Compare(before, after)
	if d.Delta() != USD(-6.40+3.65) {
		t.Errorf("delta $%v", d.Delta())
	}
	want := []Change{
		{Resource: "v", Type: "aws:ebs/volume:Volume", Item: "ebs/gp3", Old: USD(8), New: USD(1.6)},
		{Resource: "b", Type: "aws:ec2/eip:Eip", Item: "ipv4/hour", New: USD(3.65)},
		{Resource: "free allowances", Item: "cloudwatch/alarm", Old: USD(-.1)},
		{Resource: "m", Type: "aws:cloudwatch/metricAlarm:MetricAlarm", Item: "cloudwatch/alarm", Old: USD(.1)},
	}
	if len(d.Changes) != len(want) {
		t.Fatalf("%+v", d.Changes)
	}
	for i := range want {
		if d.Changes[i] != want[i] {
			t.Errorf("change %d: %+v, want %+v", i, d.Changes[i], want[i])
		}
	}
}
