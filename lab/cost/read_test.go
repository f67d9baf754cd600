package cost

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

const (
	volumeURN = "urn:pulumi:prod::app::my:Data$aws:ebs/volume:Volume::disk"
	oneVolume = `"urn":"` + volumeURN + `","type":"aws:ebs/volume:Volume","custom":true,"inputs":{"type":"gp3","size":100}`
)

// Every document prices one volume of $8 once, or says that it is a part of a stack only.
var documents = []struct {
	why, doc string
	volumes  int
	partial  string // "" for a whole stack
}{
	{"an export", `{"version":3,"deployment":{"resources":[{` + oneVolume + `}]}}`, 1, ""},
	{
		"a resource that is being deleted is not priced beside its replacement", `{"deployment":{"resources":[{` + oneVolume +
			`},{` + oneVolume + `,"delete":true}]}}`, 1, "",
	},
	{"nor one that is going away", `{"deployment":{"resources":[{` + oneVolume + `,"delete":true}]}}`, 0, ""},
	{"one that was read belongs to somebody else", `{"deployment":{"resources":[{` + oneVolume + `,
	 "external":true}]}}`, 0, ""},
	{"a component only groups others", `{"deployment":{"resources":[{"urn":"urn:pulumi:prod::app::awsx:ec2:Vpc::net",
	 "type":"awsx:ec2:Vpc","custom":false},{` + oneVolume + `}]}}`, 1, ""},
	{"an update under way", `{"deployment":{"resources":[{` + oneVolume + `}],"pending_operations":[{"type":"creating",
	 "resource":{"urn":"urn:pulumi:prod::app::aws:s3/bucket:Bucket::b"}}]}}`, 1, "bucket:Bucket::b is creating"},
	{"an empty stack costs nothing", `{"deployment":{"resources":[]}}`, 0, ""},
	{"an export of no deployment", `{"version":3,"deployment":{"manifest":{}}}`, 0, ""},
	{"a first preview", `{"steps":[{"op":"create","newState":{` + oneVolume + `}}],"changeSummary":{"create":1}}`, 1, ""},
	{"--show-replacement-steps lists a resource three times", `{"steps":[
	 {"op":"create-replacement","newState":{` + oneVolume + `}},{"op":"replace","newState":{` + oneVolume + `}},
	 {"op":"delete-replaced","oldState":{}}],"changeSummary":{"replace":1}}`, 1, ""},
	{"a step that deletes has no new state", `{"steps":[{"op":"delete","oldState":{"urn":"x"}},{"op":"create",
	 "newState":{` + oneVolume + `}}],"changeSummary":{"create":1,"delete":1}}`, 1, ""},
	{"a step that creates has none either, if the preview failed there", `{"steps":[{"op":"create"}],
	 "changeSummary":{"create":1}}`, 0, ""},
	{"what is read is somebody else's", `{"steps":[{"op":"read","newState":{` + oneVolume + `}}],
	 "changeSummary":{"read":1}}`, 0, ""},
	{"resources that do not change are hidden", `{"steps":[{"op":"update","newState":{` + oneVolume + `}}],
	 "changeSummary":{"same":41,"update":1}}`, 1, "hides 41 resources that do not change: ask for them with `pulumi " +
		"preview --json --show-sames`"},
	{"--show-sames lists them", `{"steps":[{"op":"same","newState":{` + oneVolume + `}}],
	 "changeSummary":{"same":1}}`, 1, ""},
	{"nothing changes, and nothing is shown", `{"steps":[],"changeSummary":{"same":40}}`, 0, "hides 40"},
	{
		"a preview that failed", `{"steps":[{"op":"create","newState":{` + oneVolume + `}}],
	 "diagnostics":[{"severity":"error","message":"boom\nat line 3"}],"changeSummary":{"create":1}}`, 1,
		"the preview failed: boom",
	},
	{"a warning is no failure", `{"steps":[{"op":"create","newState":{` + oneVolume + `}}],
	 "diagnostics":[{"severity":"warning","message":"old"}],"changeSummary":{"create":1}}`, 1, ""},
	{
		"a preview without its end", `{"steps":[{"op":"create","newState":{` + oneVolume + `}}]}`, 1,
		"did not come to its end",
	},
	{"a preview that lists less than it counts", `{"steps":[{"op":"create","newState":{` + oneVolume + `}}],
	 "changeSummary":{"create":3}}`, 1, "counts 2 more resources to create"},
	{"a golden graph", `[{"type":"aws:ebs/volume:Volume","name":"disk","inputs":{"type":"gp3","size":100}}]`, 1, ""},
}

func TestAResourceIsPricedOnceAndAPartIsCalledOne(t *testing.T) {
	for _, d := range documents {
		g := graph(t, d.doc)
		e := prices(t).Of(g, Usage{})
		if got := e.Gross(); got != Money(d.volumes)*USD(8) || len(e.Unknown) > 0 {
			t.Errorf("%s: $%s, want %d volumes of $8; unknown %q", d.why, got, d.volumes, e.Unknown)
		}
		partial := strings.Join(e.Incomplete, "\n")
		if d.partial == "" && partial != "" || !strings.Contains(partial, d.partial) {
			t.Errorf("%s: incomplete %q, want %q", d.why, partial, d.partial)
		}
		if e.LowerBound() != (d.partial != "") {
			t.Errorf("%s: a lower bound is %v", d.why, e.LowerBound())
		}
	}
}

func TestReadGraphRefusesWhatIsNone(t *testing.T) {
	for doc, want := range map[string]string{
		"":                    "it is empty",
		"{":                   "decode resource graph",
		`{"version":3}`:       "no resources in it",
		"[1]":                 "decode resource graph",
		"Previewing update":   `no JSON, it begins with "Previewing update"`,
		`{"steps":"none"}`:    "decode resource graph",
		`{"deployment":[]}`:   "decode resource graph",
		"error: no stack yet": "no JSON",
	} {
		if _, err := ReadGraph(strings.NewReader(doc)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", doc, err, want)
		}
	}
}

// PowerShell writes UTF-16 with a byte-order mark, Notepad UTF-8 with one.
func TestReadGraphTakesWhatWindowsWrites(t *testing.T) {
	const doc = `[{"type":"aws:ebs/volume:Volume","name":"größe","inputs":{"type":"gp3","size":100}}]`
	wide := func(order binary.AppendByteOrder) []byte {
		var out []byte
		for _, unit := range utf16.Encode([]rune("\ufeff" + doc)) {
			out = order.AppendUint16(out, unit)
		}
		return out
	}
	for name, b := range map[string][]byte{
		"UTF-8": []byte(doc), "UTF-8 with a mark": []byte("\ufeff" + doc),
		"UTF-16LE": wide(binary.LittleEndian), "UTF-16BE": wide(binary.BigEndian),
	} {
		g, err := ReadGraph(bytes.NewReader(b))
		if err != nil || len(g.Resources) != 1 || g.Resources[0].Name != "größe" {
			t.Errorf("%s: %+v, %v", name, g, err)
		}
	}
}

func TestRegions(t *testing.T) {
	const stack = `{"deployment":{"resources":[
	 {"urn":"urn:pulumi:p::a::pulumi:providers:aws::default","type":"pulumi:providers:aws","custom":true,"id":"1",
	 "inputs":{"region":"eu-central-1"}},
	 {"urn":"urn:pulumi:p::a::pulumi:providers:aws::east","type":"pulumi:providers:aws","custom":true,"id":"2",
	 "inputs":{"region":"us-east-1"}},
	 {"urn":"urn:pulumi:p::a::aws:ec2/eip:Eip::here","type":"aws:ec2/eip:Eip","custom":true,
	 "provider":"urn:pulumi:p::a::pulumi:providers:aws::east::2"},
	 {"urn":"urn:pulumi:p::a::aws:ec2/eip:Eip::there","type":"aws:ec2/eip:Eip","custom":true,
	 "provider":"urn:pulumi:p::a::pulumi:providers:aws::default::1"},
	 {"urn":"urn:pulumi:p::a::aws:ec2/vpc:Vpc::net","type":"aws:ec2/vpc:Vpc","custom":true,
	 "provider":"urn:pulumi:p::a::pulumi:providers:aws::default::1"},
	 {"urn":"urn:pulumi:p::a::aws:route53/zone:Zone::dns","type":"aws:route53/zone:Zone","custom":true,
	 "inputs":{"vpcs":[{}]},"provider":"urn:pulumi:p::a::pulumi:providers:aws::default::1"}]}}`
	table := prices(t)
	e := table.Of(graph(t, stack), Usage{})
	near(t, "what is in us-east-1 or global", e.Gross().Dollars(), 3.65+.5)
	if want := "aws:ec2/eip:Eip there: it is in eu-central-1, and the prices are those of " +
		"us-east-1"; !slices.Contains(e.Unknown, want) {
		t.Errorf("unknown %q, want %q", e.Unknown, want)
	}
	if len(e.Incomplete) != 1 || !strings.Contains(e.Incomplete[0], "1 resources are in eu-central-1 and not priced") ||
		!strings.Contains(e.Incomplete[0], "--refresh --region eu-central-1") {
		t.Errorf("incomplete: %q", e.Incomplete)
	}
	frankfurt := Table{Region: "eu-central-1", Prices: map[string]Price{"ipv4/hour": {USD: .01, Unit: "hour"}}}
	both, err := table.Beside(frankfurt)
	if err != nil {
		t.Fatal(err)
	}
	e = both.Of(graph(t, stack), Usage{})
	near(t, "each at its region's price", e.Gross().Dollars(), 3.65+7.3+.5)
	if e.LowerBound() {
		t.Errorf("unknown %q, incomplete %q", e.Unknown, e.Incomplete)
	}
	if _, err := both.Beside(frankfurt); err == nil {
		t.Error("two tables of one region are taken")
	}
}

func TestWhereAResourceIs(t *testing.T) {
	for inputs, want := range map[string]string{
		`"inputs":{"region":"eu-west-3"}`:                                       "eu-west-3",
		`"inputs":{"availabilityZone":"ap-southeast-2b"}`:                       "ap-southeast-2",
		`"outputs":{"arn":"arn:aws:ec2:us-gov-west-1:123456789012:volume/v-1"}`: "us-gov-west-1",
		`"id":"arn:aws:sns:sa-east-1:123456789012:topic"`:                       "sa-east-1",
		`"inputs":{"region":"04da6b54-80e4-46f7-96ec-b56ff0331ba9"}`:            "",
		`"id":"vol-1"`: "",
	} {
		g := graph(t, `[{"type":"aws:ebs/volume:Volume","name":"v",`+inputs+`}]`)
		if got := g.Resources[0].Region; got != want {
			t.Errorf("%s: %q, want %q", inputs, got, want)
		}
	}
}

// A provider that takes its region from the environment has none in the graph: its other resources tell.
func TestAProviderWithoutARegionIsWhereItsResourcesAre(t *testing.T) {
	g := graph(t, `{"deployment":{"resources":[
	 {"urn":"urn:pulumi:p::a::pulumi:providers:aws::default","type":"pulumi:providers:aws","custom":true,"id":"1"},
	 {"urn":"urn:pulumi:p::a::aws:ec2/vpc:Vpc::net","type":"aws:ec2/vpc:Vpc","custom":true,
	 "provider":"urn:pulumi:p::a::pulumi:providers:aws::default::1",
	  "outputs":{"arn":"arn:aws:ec2:us-west-2:123456789012:vpc/vpc-1"}},
	 {"urn":"urn:pulumi:p::a::aws:ec2/natGateway:NatGateway::nat","type":"aws:ec2/natGateway:NatGateway","custom":true,
	 "provider":"urn:pulumi:p::a::pulumi:providers:aws::default::1"},
	 {"urn":"urn:pulumi:p::a::aws:ecs/cluster:Cluster::c","type":"aws:ecs/cluster:Cluster","custom":true,
	 "provider":"urn:pulumi:p::a::pulumi:providers:aws::default::1"},
	 {"urn":"urn:pulumi:p::a::aws:ec2/launchTemplate:LaunchTemplate::t","type":"aws:ec2/launchTemplate:LaunchTemplate",
	 "custom":true,"provider":"urn:pulumi:p::a::pulumi:providers:aws::default::1"}]}}`)
	e := prices(t).Of(g, Usage{})
	// what is free is free there too
	want := []string{"aws:ec2/natGateway:NatGateway nat: it is in us-west-2, and the prices are those of us-east-1"}
	if !slices.Equal(e.Unknown, want) || len(e.Incomplete) != 1 || e.Gross() != 0 {
		t.Errorf("unknown %q, incomplete %q, $%v", e.Unknown, e.Incomplete, e.Gross())
	}
}

// Previews leave out the default provider, and have its region in the configuration.
func TestAPreviewIsWhereItsConfigurationSays(t *testing.T) {
	g := graph(t, `{"config":{"aws:region":"eu-west-1"},"steps":[{"op":"create","newState":{`+oneVolume+`,
	 "provider":"urn:pulumi:prod::app::pulumi:providers:aws::default::04da6b54-80e4-46f7-96ec-b56ff0331ba9"}}],
	 "changeSummary":{"create":1}}`)
	if got := g.Resources[0].Region; got != "eu-west-1" {
		t.Errorf("region %q", got)
	}
}

// While ids are unknown a reference is followed by what it was computed from.
func TestAReferenceIsFollowedInAFirstPreview(t *testing.T) {
	const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
	step := func(typ, name, inputs, more string) string {
		return fmt.Sprintf(`{"op":"create","newState":{"urn":"urn:pulumi:p::a::%s::%s","type":"%s","custom":true,
		 "inputs":%s%s}}`, typ, name, typ, inputs, more)
	}
	g := graph(t, `{"changeSummary":{"create":3},"steps":[`+strings.Join([]string{
		step(taskDefinition, "small", `{"cpu":"256","memory":"512"}`, ""),
		step(taskDefinition, "big", `{"cpu":"1024","memory":"2048"}`, ""),
		step("aws:ecs/service:Service", "s", `{"launchType":"FARGATE","desiredCount":1,"taskDefinition":"`+unknown+`"}`,
			`,"propertyDependencies":{"taskDefinition":["urn:pulumi:p::a::`+taskDefinition+`::big"]}`),
	}, ",")+`]}`)
	near(t, "by the big definition", prices(t).Of(g, Usage{}).Gross().Dollars(), (.04048+2*.004445)*HoursPerMonth)
}
