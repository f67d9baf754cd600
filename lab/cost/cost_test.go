package cost

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 0.005 {
		t.Errorf("%s = %.4f, want %.4f", what, got, want)
	}
}

func prices(t *testing.T) Table {
	t.Helper()
	table, err := Prices()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func graph(t *testing.T, s string) Graph {
	t.Helper()
	g, err := ReadGraph(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// The original's Fargate stage, by list price with public IPv4: facts.md recomputes it to about $74.
const originalFargate = `{"resources":[
 {"type":"aws:lb/loadBalancer:LoadBalancer","name":"alb","inputs":{"subnets":["a","b"]}},
 {"type":"aws:ecs/taskDefinition:TaskDefinition","name":"task","id":"task-1","inputs":{"cpu":"256","memory":"512"}},
 {"type":"aws:ecs/service:Service","name":"shop","inputs":{"launchType":"FARGATE","desiredCount":2,
 "taskDefinition":"task-1","networkConfiguration":{"assignPublicIp":true}}},
 {"type":"aws:rds/instance:Instance","name":"db","inputs":{"engine":"postgres","instanceClass":"db.t3.micro",
 "storageType":"gp3","allocatedStorage":20}},
 {"type":"aws:elasticache/replicationGroup:ReplicationGroup","name":"cache","inputs":{"nodeType":"cache.t3.micro",
 "engine":"redis","numCacheClusters":1}}]}`

func TestEstimateOfTheOriginalFargateStage(t *testing.T) {
	e := prices(t).Of(graph(t, originalFargate), Usage{})
	// 16.425 ALB + 2*3.65 its addresses + 2*(.25*.04048+.5*.004445)*730 tasks + 7.30 their addresses
	// + 13.14 + 2.30 RDS + 12.41 cache
	near(t, "monthly", e.Monthly(), 16.425+7.3+18.0200+7.3+13.14+2.3+12.41)
	near(t, "daily", e.Daily(), e.Monthly()*24/730)
	if len(e.Unknown) != 0 {
		t.Errorf("unknown: %v", e.Unknown)
	}
}

func TestUnknownIsNeverZero(t *testing.T) {
	g := graph(t, `[{"type":"aws:redshift/cluster:Cluster","name":"dw","inputs":{}},
	 {"type":"aws:ec2/instance:Instance","name":"big","inputs":{"instanceType":"m9.mega","associatePublicIpAddress":false,
	 "rootBlockDevice":{"volumeType":"gp3","volumeSize":20}}},
	 {"type":"aws:ec2/vpc:Vpc","name":"net","inputs":{}}]`)
	e := prices(t).Of(g, Usage{})
	want := []string{
		"aws:ec2/instance:Instance big: no price for ec2/m9.mega in us-east-1",
		"aws:redshift/cluster:Cluster dw: no rule for this type",
	}
	if fmt.Sprint(e.Unknown) != fmt.Sprint(want) {
		t.Errorf("unknown = %q, want %q", e.Unknown, want)
	}
	near(t, "monthly of what is known", e.Monthly(), 1.6)
}

func TestGroupIsBilledByItsTemplate(t *testing.T) {
	g := graph(t, `[{"type":"aws:ec2/launchTemplate:LaunchTemplate","name":"lt","id":"lt-1",
	 "inputs":{"instanceType":"t4g.small",
	 "blockDeviceMappings":[{"ebs":{"volumeSize":10,"volumeType":"gp3"}}],
	 "networkInterfaces":[{"associatePublicIpAddress":"true"}]}},
	 {"type":"aws:autoscaling/group:Group","name":"fleet","inputs":{"desiredCapacity":2,"maxSize":4,
	 "launchTemplate":{"id":"lt-1"}}}]`)
	near(t, "monthly", prices(t).Of(g, Usage{}).Monthly(), 2*(0.0168*730+0.8+3.65))
}

func TestAllowancesAndTraffic(t *testing.T) {
	g := graph(t, `[{"type":"aws:cloudwatch/logGroup:LogGroup","name":"a","inputs":{}},
	 {"type":"aws:cloudwatch/logGroup:LogGroup","name":"b","inputs":{}}]`)
	u := Usage{Requests: 100e6, BytesPerRequest: 2000, LogBytes: 100}
	// 200 GB out, 100 of them free; 10 GB of logs, 5 free, counted once for both groups.
	near(t, "monthly", prices(t).Of(g, u).Monthly(), 100*0.09+5*0.5)
}

func TestCreditsAreBilledBeyondTheBaseline(t *testing.T) {
	g := graph(t, `[{"type":"aws:ec2/launchTemplate:LaunchTemplate","name":"lt","id":"lt-1",
	 "inputs":{"instanceType":"t4g.small",
	 "creditSpecification":{"cpuCredits":"unlimited"},"blockDeviceMappings":[{"ebs":{"volumeSize":10,"volumeType":"gp3"}}],
	 "networkInterfaces":[{"associatePublicIpAddress":"false"}]}},
	 {"type":"aws:autoscaling/group:Group","name":"fleet","inputs":{"desiredCapacity":2,"launchTemplate":{"id":"lt-1"}}},
	 {"type":"aws:rds/instance:Instance","name":"db","inputs":{"engine":"postgres","instanceClass":"db.t4g.micro",
	 "storageType":"gp3","allocatedStorage":20}}]`)
	idle := prices(t).Of(g, Usage{CPUSeconds: 0.001, DatabaseCPUSeconds: 0.0003})
	near(t, "monthly without traffic", idle.Monthly(), 2*(0.0168*730+0.8)+0.016*730+2.3)
	busy := prices(t).Of(g, Usage{Requests: 3.6e9, CPUSeconds: 0.001, DatabaseCPUSeconds: 0.0003})
	// 1,000 vCPU-hours of the servers, 2*2*20% of 730 hours free; 300 of the database, 2*10% free.
	near(t, "monthly of credits", busy.Monthly()-idle.Monthly(), (1000-584)*0.04+(300-146)*0.075)
}

func TestCreditsWithoutAPriceAreUnknown(t *testing.T) {
	for kind, unknown := range map[string]int{"m7g.large": 0, "t2.small": 1, "t4g.mega": 1} {
		r := Resource{Type: "aws:rds/instance:Instance", Name: "db"}
		b := bill{table: prices(t), reasons: map[string][]string{}, totals: map[string]total{}}
		credits(&b, r, "rds", "db."+kind, 1, 0.001)
		if len(b.unknown()) != unknown || len(b.lines) != 0 {
			t.Errorf("%s: unknown %q, lines %v", kind, b.unknown(), b.lines)
		}
	}
}

func TestReadGraphForms(t *testing.T) {
	const urn = "urn:pulumi:stage1::shoplab::shoplab:x:Y$aws:ec2/eip:Eip::address"
	for name, doc := range map[string]string{
		"preview": `{"steps":[{"op":"create","newState":{"urn":"` + urn + `","type":"aws:ec2/eip:Eip","inputs":{}}},
		 {"op":"delete","oldState":{}}],"changeSummary":{"create":1,"delete":1}}`,
		"export": `{"version":3,"deployment":{"resources":[{"urn":"` + urn + `","type":"aws:ec2/eip:Eip","id":"eip-1"}]}}`,
		"golden": `[{"type":"aws:ec2/eip:Eip","name":"address","inputs":{}}]`,
	} {
		g := graph(t, doc)
		if len(g.Resources) != 1 || g.Resources[0].Name != "address" || len(g.Incomplete) > 0 {
			t.Errorf("%s: %+v", name, g)
		}
		near(t, name, prices(t).Of(g, Usage{}).Monthly(), 3.65)
	}
	for _, bad := range []string{"", "{", `{"version":3}`, `[1]`} {
		if _, err := ReadGraph(strings.NewReader(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestCheapestFollowsCapacity(t *testing.T) {
	small := Option{Name: "small", MaxRate: 10, Graph: graph(t, `[{"type":"aws:ec2/eip:Eip","name":"x","inputs":{}}]`)}
	large := Option{Name: "large", Graph: graph(t, `[{"type":"aws:ec2/eip:Eip","name":"x","inputs":{}},
	 {"type":"aws:ec2/eip:Eip","name":"y","inputs":{}}]`)}
	volumes := []float64{1e6, 100e6}
	curve := prices(t).Curve(small, Usage{}, volumes)
	got := Cheapest(curve, prices(t).Curve(large, Usage{}, volumes))
	if len(got) != 2 || got[0].Option != "small" || got[1].Option != "large" {
		t.Errorf("cheapest = %+v", got)
	}
	if got := Cheapest(curve); len(got) != 1 {
		t.Errorf("nobody carries the second volume, got %+v", got)
	}
}

func offer(w http.ResponseWriter, r *http.Request) {
	_, _ = fmt.Fprint(w, `{"formatVersion":"v1.0","products":{
	 "A":{"sku":"A","productFamily":"Load Balancer-Application","attributes":{"usagetype":"USE1-LoadBalancerUsage"}},
	 "B":{"sku":"B","productFamily":"Load Balancer-Network","attributes":{"usagetype":"LoadBalancerUsage"}}},
	 "terms":{"Reserved":{"A":{"x":{"priceDimensions":{}}}},
	 "OnDemand":{"A":{"A.1":{"priceDimensions":{"d":{"beginRange":"0","pricePerUnit":{"USD":"0.03"}}}}},
	             "B":{"B.1":{"priceDimensions":{"d":{"beginRange":"0","pricePerUnit":{"USD":"9"}}}}}}}}`)
}

func TestRefresh(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(offer))
	defer srv.Close()
	all := prices(t)
	table := Table{
		Region: "us-east-1", Currency: "USD",
		Prices: map[string]Price{
			"alb/hour": all.Prices["alb/hour"], "kms/10k": all.Prices["kms/10k"], "alb/lcu": all.Prices["alb/lcu"],
		},
	}
	now := time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC)
	got, left, err := table.Refresh(t.Context(), srv.URL, "us-east-1", now, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "alb/hour", got.Prices["alb/hour"].USD, 0.03)
	near(t, "kms/10k stays", got.Prices["kms/10k"].USD, 0.03)
	near(t, "the old table stays", table.Prices["alb/hour"].USD, 0.0225)
	if got.Date != "2027-01-02" || got.Prices["kms/10k"].Unverified {
		t.Errorf("date %s, %+v", got.Date, got.Prices["kms/10k"])
	}
	if fmt.Sprint(left) != "[alb/lcu]" || !got.Prices["alb/lcu"].Unverified {
		t.Errorf("what the list has not got: %v, %+v", left, got.Prices["alb/lcu"])
	}
	if err := got.check(); err != nil {
		t.Errorf("the new table: %v", err)
	}
	other, left, err := table.Refresh(t.Context(), srv.URL, "eu-central-1", now, func(string) {})
	if err != nil || other.Region != "eu-central-1" || fmt.Sprint(left) != "[alb/lcu kms/10k]" || len(other.Prices) != 1 {
		t.Errorf("another region: %v, left %v, %+v", err, left, other)
	}
	table.Prices = map[string]Price{"alb/lcu": all.Prices["alb/lcu"]}
	table.Families = nil
	if _, _, err := table.Refresh(t.Context(), srv.URL, "us-east-1", now, func(string) {}); err == nil {
		t.Error("a list without any of the prices is no error")
	}
}

// A family takes every type that the list has; tiers are read in order, without what is free.
func TestRefreshReadsFamiliesAndTiers(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"products":{
		 "A":{"sku":"A","attributes":{"instanceType":"m1.new","tenancy":"Shared"}},
		 "D":{"sku":"D","attributes":{"instanceType":"m1.new","tenancy":"Dedicated"}},
		 "T":{"sku":"T","attributes":{"usagetype":"EUC1-Bytes"}}},
		 "terms":{"OnDemand":{
		  "A":{"x":{"priceDimensions":{"d":{"beginRange":"0","pricePerUnit":{"USD":"0.5"}}}}},
		  "D":{"x":{"priceDimensions":{"d":{"beginRange":"0","pricePerUnit":{"USD":"9"}}}}},
		  "T":{"x":{"priceDimensions":{"b":{"beginRange":"10240","pricePerUnit":{"USD":"0.07"}},
		        "a":{"beginRange":"100","pricePerUnit":{"USD":"0.09"}},"f":{"beginRange":"0",
		 "pricePerUnit":{"USD":"0"}}}}}}}}`)
	}))
	defer srv.Close()
	table := Table{
		Region: "us-east-1", Currency: "USD",
		Prices: map[string]Price{"out": {USD: 1, Unit: "GB", Service: "S", Match: map[string]string{"usagetype": "Bytes"}}},
		Families: map[string]Family{
			"ec2/": {Unit: "hour", Service: "S", Match: map[string]string{"instanceType": "*", "tenancy": "Shared"}},
		},
	}
	got, left, err := table.Refresh(t.Context(), srv.URL, "eu-central-1", time.Now(), func(string) {})
	if err != nil || len(left) > 0 {
		t.Fatal(err, left)
	}
	if p, ok := got.price("ec2/m1.new"); !ok || p.USD != 0.5 {
		t.Errorf("family: %+v %v", p, ok)
	}
	if p := got.Prices["out"]; p.USD != 0.09 || fmt.Sprint(p.Tiers) != "[[10240 0.07]]" {
		t.Errorf("tiers: %+v", p)
	}
}

// One product of the list may be the price of two keys: both get it.
func TestRefreshGivesEveryKeyItsPrice(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"products":{"A":{"sku":"A","attributes":{"usagetype":"Hours"}}},"terms":{"OnDemand":{
		 "A":{"x":{"priceDimensions":{"d":{"beginRange":"0","pricePerUnit":{"USD":"0.5"}}}}}}}}`)
	}))
	defer srv.Close()
	table := Table{Region: "us-east-1", Currency: "USD", Prices: map[string]Price{}}
	for _, key := range []string{"one", "two"} {
		table.Prices[key] = Price{USD: 1, Unit: "hour", Service: "S", Match: map[string]string{"usagetype": "Hours"}}
	}
	got, left, err := table.Refresh(t.Context(), srv.URL, "us-east-1", time.Now(), func(string) {})
	if err != nil || len(left) > 0 || got.Prices["one"].USD != 0.5 || got.Prices["two"].USD != 0.5 {
		t.Errorf("%v, left %v, %+v", err, left, got.Prices)
	}
}

// Every resource of the stages has a price or is known to cost nothing by itself.
func TestTheStagesArePricedWhole(t *testing.T) {
	files, err := filepath.Glob("../../platform/graphs/stage*.json")
	if err != nil || len(files) != 5 {
		t.Fatalf("graphs: %v, %v", files, err)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		g, err := ReadGraph(f)
		_ = f.Close()
		if err != nil {
			t.Fatal(err)
		}
		e := prices(t).Of(g, DefaultUsage())
		if e.LowerBound() || e.Monthly() < 10 {
			t.Errorf("%s: $%.2f a month, unknown: %v; a type without a rule needs one in rules.go, or a word in free.go", name,
				e.Monthly(), e.Unknown)
		}
	}
}
