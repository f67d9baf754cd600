package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"shoplab/lab/chart/svg"
	"shoplab/lab/cost"
	"shoplab/lab/result"
)

// charts is how many the sample has: latency, breaking point, distribution, forecast, cost, at failure, seconds.
const charts = 7

var update = flag.Bool("update", false, "rewrite the golden files")

// sample is an invented result with every kind of cell: measured, not measured, INVALID, and text
// that would break a page if it were not escaped.
func sample() result.Result {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	step := func(users int, p95 float64) result.Step {
		rate := min(800, 40*float64(users)) // requests a second, at half a millisecond of CPU each
		return result.Step{
			Purpose: result.PurposeLevel, Loop: result.LoopClosed, Users: users, StartedAt: at, Seconds: 10, Throughput: rate,
			Requests: int(10 * rate),
			Latency:  &result.Latency{MeanMS: p95 / 2, P50MS: p95 / 3, P90MS: p95, P95MS: p95, P99MS: p95 * 1.5, MaxMS: p95 * 2},
			Operations: []result.Operation{
				{Name: "list", Requests: int(9 * rate), Latency: &result.Latency{MeanMS: p95 / 3, P95MS: p95 / 2}},
				{Name: "login", Requests: int(rate), Failed: 3, Latency: &result.Latency{MeanMS: p95, P95MS: 2 * p95}},
			},
			Usage: []result.Usage{
				{
					Resource: result.ResourceInstanceCPU, Of: "shop-1", Unit: "cores", Mean: .01 + rate*.0005, Max: 1,
					Limit: result.Ptr(2.0),
				},
				{Resource: result.ResourceDBCPU, Of: "postgres", Unit: "cores", Mean: .01 + rate*.0002, Max: 1},
			},
		}
	}
	failing := step(160, 612)
	failing.Usage = []result.Usage{
		{Resource: result.ResourceInstanceCPU, Of: "shop-1", Unit: "cores", Mean: 0.4, Max: 0.9, Limit: result.Ptr(2.0)},
		{Resource: result.ResourcePoolInUse, Of: "shop-1", Unit: "connections", Mean: 24, Max: 25, Limit: result.Ptr(25.0)},
	}
	line := func(r result.Resource, of string, values ...float64) result.Line {
		l := result.Line{Resource: r, Of: of, Values: []*float64{nil}} // a second in which nothing was read
		for _, v := range values {
			l.Values = append(l.Values, &v)
		}
		return l
	}
	failing.Series = &result.Series{StartedAt: at, IntervalSeconds: 1, Lines: []result.Line{
		line(result.SeriesP95, "", 420, 500, 610, 640, 600), line(result.ResourcePoolInUse, "shop-1", 22, 24, 25, 25, 24),
		line(result.ResourceInstanceCPU, "shop-1", .4, .3, .5, .4, .4), // not half of its limit: not drawn
	}}
	estimate := cost.Estimate{
		PriceDate: "2026-01-01", Region: "us-east-1", Usage: cost.DefaultUsage(),
		Lines: []cost.Line{
			{Resource: "server", Item: "ec2/t4g.small", Count: 730, Unit: "hour", USD: cost.USD(12.264)},
			{Resource: "traffic", Item: "logs/gb", Count: 0.2, Unit: "GB", USD: 0},
		},
	}
	curve := func(name string, base, per float64) (out []cost.Point) {
		for _, v := range cost.Volumes() {
			m := base + v*per
			out = append(out, cost.Point{
				Option: name, Requests: v, Monthly: m, PerRequest: m / v, Carried: name != "stage1" || v < 1e8,
			})
		}
		return out
	}
	one := result.Stage{
		Name: "stage1", Topology: "single",
		Config: result.Config{
			InstanceType: "t4g.small", Instances: result.Ptr(1), CPUUnits: result.Ptr(2048), PoolPerInstance: result.Ptr(25),
			StageCPUs: result.Ptr(2.0), GivenCPUs: result.Ptr(4.0 / 3),
		},
		Cost: &estimate, CostCurve: curve("stage1", 12, 1e-7), BringUpSeconds: result.Ptr(4.25),
		TearDownSeconds: result.Ptr(0.0),
		Complexity:      &result.Complexity{Resources: result.Ptr(31), Commands: result.Ptr(1), ConfigLines: result.Ptr(10)},
		Levels: []result.Level{
			{Users: 50, Median: step(50, 42), AllP95MS: []float64{42}},
			{Users: 200, Median: step(200, 712), AllP95MS: []float64{712}},
		},
		Steps: []result.Step{
			step(1, 4), step(2, 5), step(4, 6), step(8, 9), step(50, 42), step(100, 180), failing, step(200, 712),
		}, AtFailure: &failing,
		Failures: []result.Failure{
			{Of: "a process", Count: 1, Loss: "down", Why: "there is no other"},
			{Of: "a server", Count: 1, Loss: "down until a person", Why: "there is no other"},
			{Of: "the cache", Count: 1, Survived: true, Loss: "goes on without it", Why: "the shop asks its database instead"},
			{Of: "a zone", Count: 1, Loss: "down until a person", Why: "one"},
		},
		Twins: []result.Twin{{
			Knob: "pool per instance", From: "25", To: "50",
			Config: result.Config{
				Instances: result.Ptr(1), CPUUnits: result.Ptr(2048), PoolPerInstance: result.Ptr(50),
				GivenCPUs: result.Ptr(4.0 / 3),
			},
			Step: result.Step{Users: 160, Throughput: 1900},
		}},
		BreakingPoint: &result.BreakingPoint{
			MedianUsers: result.Ptr(155.0), LowUsers: result.Ptr(150), HighUsers: result.Ptr(160),
		},
		OpenLoop: &result.OpenLoop{RatePerSecond: result.Ptr(800.0)},
		Verdict: &result.Verdict{
			Cause: result.CausePool, Summary: "the connection pool gave out",
			Evidence: []result.Fact{{Text: "24 of 25 connections in use on average"}},
			Proof: &result.Proof{
				Knob: "pool per instance", From: "25", To: "50", Users: 160, Conclusion: "p95 fell to 0.6 of before.",
				Confirmed: true,
			},
		},
		Validity: &result.Validity{
			Valid: true, Gates: []result.Gate{
				{Name: "generator CPU", Value: result.Ptr(0.4), Limit: 0.8, Unit: "cores", Passed: true},
			},
		},
		Invariants: []result.Invariant{
			{Name: "stock", Rule: "stock + sold + held = put in", Status: result.InvariantHeld, Detail: "50 products"},
		},
		USL: &result.USL{
			Sigma:     result.Interval{Value: 0.02, Low: 0.01, High: 0.03},
			Kappa:     result.Interval{Value: 0.0001, Low: 0, High: 0.0002},
			KneeUsers: result.Ptr(99.0), HeldOut: &result.HeldOut{Users: 100, Measured: 900, Predicted: 855, ErrorRatio: -0.05},
		},
	}
	unknown := estimate
	unknown.Unknown = []string{"aws:x/y:Z <b>bold</b>: no rule for this type"}
	two := result.Stage{
		Name: "stage2", Topology: "balanced", Cost: &unknown, CostCurve: curve("stage2", 80, 1e-8),
		StandIns:      []string{"envoy"},
		Levels:        []result.Level{{Users: 50, Median: step(50, 40)}},
		BreakingPoint: &result.BreakingPoint{NotReachedUpTo: result.Ptr(400)},
		Validity:      &result.Validity{Reasons: []string{"the generator used 1.9 of 2 cores"}},
		Error:         "the proxy did not start",
	}
	return result.Result{
		Target: result.TargetLocal, Labels: []string{result.LabelThisMachine}, Command: "lab run --stages <all>",
		StartedAt: at, FinishedAt: at.Add(time.Minute),
		Environment: result.Environment{
			OS: "linux", Arch: "amd64", Cores: 2, Versions: map[string]string{"postgres": "17", "go": "1.26"},
		},
		Settings: &result.Settings{
			Objective: result.Objective{P95MS: 500, MaxErrorRatio: 0.01}, Users: []int{50, 200}, StepSeconds: 10, Repeats: 3,
			PrecisionRatio: 0.1,
			Mix: []result.Weight{
				{Flow: "browse", ShareRatio: 0.6, Operations: []string{"list", "product"}, Reason: "most visitors only look"},
			},
		},
		Stages: []result.Stage{two, one, {Name: "stage3", Topology: "fargate"}},
		Findings: []result.Finding{{
			Name: "index", Claim: "150 ms to 12 ms", Status: result.FindingReproduced, Conclusion: "The index is what counts.",
			Comparisons: []result.Comparison{
				{
					Unit: "ms", Before: result.Case{Label: "without", Median: result.Ptr(90.0)},
					After: result.Case{Label: "with", Median: result.Ptr(0.3)}, Ratio: result.Ptr(0.0033),
					ClaimedRatio: result.Ptr(0.08),
				},
			},
		}, {
			Name: "pooler", Claim: "3x", Status: result.FindingSkipped, Skipped: "pgbouncer is not installed: apt-get install " +
				"pgbouncer",
		}},
		Sweep: &result.Sweep{CheckedAt: at, Clean: true, Receipt: "0 resources in 14 services."},
	}
}

func TestGolden(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, svg.Draw, sample()); err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	if err := Table(&table, sample()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "table.md"), table.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{HTMLFile, MarkdownFile, "table.md"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from %s; look at it, then run go test ./lab/report -update", name, golden)
		}
	}
}

// Each image of the Markdown is a file beside it that a browser can show by itself.
func TestMarkdownHasItsCharts(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, svg.Draw, sample()); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, MarkdownFile))
	if err != nil {
		t.Fatal(err)
	}
	images := regexp.MustCompile(`!\[[^\]]+\]\(([^)]+)\)`).FindAllSubmatch(page, -1)
	if len(images) != charts {
		t.Errorf("%d images, want %d", len(images), charts)
	}
	for _, image := range images {
		svg, err := os.ReadFile(filepath.Join(dir, string(image[1])))
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Contains(svg, []byte("<svg")) || !bytes.Contains(svg, []byte("width=")) ||
			bytes.Contains(svg, []byte("var(")) {
			t.Errorf("%s is no image of its own: %.200s", image[1], svg)
		}
	}
}

// No item of the price list is shown as its key.
func TestEveryItemHasPlainWords(t *testing.T) {
	table, err := cost.Prices()
	if err != nil {
		t.Fatal(err)
	}
	for item, p := range table.Prices {
		if words := plainItem(item, p.Unit); words == item {
			t.Errorf("%s has no words", item)
		}
	}
	for prefix, f := range table.Families {
		for kind := range f.USD {
			size := strings.TrimPrefix(strings.TrimPrefix(kind, "db."), "cache.")
			if words := plainItem(prefix+kind, f.Unit); strings.Contains(words, "/") || !strings.Contains(words, size) {
				t.Errorf("%s%s is %q", prefix, kind, words)
			}
		}
	}
}

func TestWhatWasNotMeasuredSaysSo(t *testing.T) {
	var b bytes.Buffer
	if err := Markdown(&b, sample()); err != nil {
		t.Fatal(err)
	}
	row := func(caption, stage string) string {
		_, after, ok := strings.Cut(b.String(), caption)
		_, line, ok2 := strings.Cut(after, "| "+stage)
		if !ok || !ok2 {
			t.Fatalf("no row of %s under %s in:\n%s", stage, caption, b.String())
		}
		return strings.SplitN(line, "\n", 2)[0]
	}
	if got := row("Measured on", "stage3"); strings.Count(got, notMeasured) != 7 {
		t.Errorf("stage3 was not measured at all: %s", got)
	}
	if got := row("Measured on", "stage2"); strings.Count(got, invalid) != 2 || strings.Contains(got, "40 ms p95") {
		t.Errorf("an invalid stage shows numbers: %s", got)
	}
	if got := row("as processes", "stage1"); !strings.Contains(got, "| 0.0 s |") {
		t.Errorf("a measured zero is not shown as one: %s", got)
	}
	if got := row("Estimated", "stage2"); !strings.Contains(got, "at least $12.26") {
		t.Errorf("an estimate with unknown parts is not marked: %s", got)
	}
}

func TestPageIsSelfContainedAndEscaped(t *testing.T) {
	var b bytes.Buffer
	if err := HTML(&b, svg.Draw, sample()); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, not := range []string{"<b>bold", "<script", "src=", "@import", "url(", "<link"} {
		if strings.Contains(page, not) {
			t.Errorf("the page contains %q", not)
		}
	}
	if n := strings.Count(page, "<svg"); n != charts {
		t.Errorf("%d charts, want %d", n, charts)
	}
}

func TestAdvise(t *testing.T) {
	stages := sample().Stages
	for name, c := range map[string]struct {
		need Need
		want string
	}{
		"nothing asked":     {Need{}, "Take stage1"},
		"fewer CPUs":        {Need{}, "they had here: stage1 1.33 of 2."},
		"few users":         {Need{Users: 100}, "Take stage1"},
		"too many users":    {Need{Users: 155}, "No stage is known"},
		"budget":            {Need{Budget: 5}, "No stage is known"},
		"traffic":           {Need{Requests: 1e10}, "No stage is known"},
		"invalid is named":  {Need{}, "stage2 is left out: its measurement is INVALID."},
		"unmeasured, named": {Need{}, "stage3 is left out: its breaking point was not measured."},
	} {
		if got := strings.Join(Advise(stages, c.need), "\n"); !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q in it", name, got, c.want)
		}
	}
}

// A stage of whose cost only a part is known may be the dearest.
func TestAdviseTakesNoStageThatIsPricedInPart(t *testing.T) {
	stages := slices.DeleteFunc(sample().Stages, func(s result.Stage) bool { return s.Name != "stage1" })
	part := *stages[0].Cost
	part.Unknown = []string{"aws:s3/bucket:Bucket b: storage_gb is not given"}
	stages[0].Cost = &part
	got := strings.Join(Advise(stages, Need{}), "\n")
	if want := "stage1 is left out: its cost is known in part only."; !strings.Contains(got, want) ||
		strings.Contains(got, "Take") {
		t.Errorf("got %q, want %q", got, want)
	}
	if f := crossoverChart(measured{stages: stages}); f != nil {
		t.Errorf("its curve is drawn: %+v", f)
	}
}

func TestColumnsAreTheDeclaredUsers(t *testing.T) {
	r := sample()
	r.Settings.Users = []int{20}
	r.Stages[1].Levels[0].Users = 20
	var b bytes.Buffer
	if err := Summary(&b, r); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.Contains(got, "AT 20 IN FLIGHT") || !strings.Contains(got, "42 ms p95") ||
		strings.Contains(got, "AT 50") {
		t.Errorf("want a column of 20 users alone:\n%s", got)
	}
}

func TestAnEmptyResultStillRenders(t *testing.T) {
	if err := Write(t.TempDir(), svg.Draw, result.Result{}); err != nil {
		t.Error(err)
	}
}

func TestAdviceByForecastAndAvailability(t *testing.T) {
	one := result.Stage{
		Name: "stage1", Topology: "single", BreakingPoint: &result.BreakingPoint{MedianUsers: result.Ptr(600.0)},
		Cost: &cost.Estimate{},
	}
	two := one
	two.Name, two.Topology = "stage2", "balanced"
	stages := []result.Stage{one, two}
	if got := Advise(stages, Need{Users: 100, SurvivesServer: true}); !strings.HasPrefix(got[0], "Take stage2") ||
		!strings.Contains(got[1], "one server") {
		t.Errorf("who asks for no single server is advised %q", got)
	}
	forecasts := map[string]Forecast{"stage1": {Users: 90, Rate: 50, Text: "forecast to carry 50 requests a second"}}
	if got := Advise(stages, Need{Users: 80, Forecasts: forecasts}); !strings.HasPrefix(got[0], "Take stage1") ||
		!strings.Contains(strings.Join(got, " "), "stage2 is left out: it has no forecast") {
		t.Errorf("what was forecast for AWS is compared with what was measured elsewhere: %q", got)
	}
	forecasts["stage2"] = Forecast{Users: 900, Rate: 500, Text: "forecast to carry 500 requests a second"}
	if got := Advise(stages, Need{Users: 100, Forecasts: forecasts}); !strings.HasPrefix(got[0], "Take stage2") ||
		!strings.Contains(strings.Join(got, " "), "forecast to carry 50 requests a second is not above 100 users") {
		t.Errorf("the forecast does not decide: %q", got)
	}
	forecasts["stage1"] = Forecast{Users: 900, Rate: 50, Text: "forecast to carry 50 requests a second"}
	got := Advise(stages, Need{Requests: 1e9, Forecasts: forecasts})
	if !strings.Contains(strings.Join(got, " "), "more than it is forecast to carry") {
		t.Errorf("a month's requests beyond the forecast: %q", got)
	}
}
