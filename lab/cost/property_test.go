package cost

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// stack draws the parts of a stack: each of the small graphs may be in it, under names of its own.
func stack(t *rapid.T) []Graph {
	picks := rapid.SliceOfN(rapid.IntRange(0, len(small)-1), 1, 30).Draw(t, "parts")
	var parts []Graph
	for i, pick := range picks {
		g, err := ReadGraph(strings.NewReader(small[pick].graph))
		if err != nil {
			t.Fatal(err)
		}
		for j := range g.Resources {
			r := &g.Resources[j]
			r.Name = fmt.Sprintf("%s-%d", r.Name, i)
			r.ID = rename(r.ID, i)
			r.Inputs = references(r.Inputs, i)
		}
		parts = append(parts, g)
	}
	return parts
}

// referring are the inputs of the small graphs that name another resource of the same part by its id.
var referring = []string{
	"subnetId", "id", "launchTemplateId", "allocationId", "networkInterfaceId", "instance", "taskDefinition",
	"replicateSourceDb", "functionName",
	"cluster", "clusterName", "integrationUri",
}

func rename(id string, part int) string {
	if id == "" {
		return id
	}
	return fmt.Sprintf("%s-%d", id, part)
}

func references(in map[string]any, part int) map[string]any {
	out := map[string]any{}
	for k, v := range in {
		switch v := v.(type) {
		case string:
			out[k] = v
			if slices.Contains(referring, k) && !strings.HasPrefix(v, "arn:") {
				out[k] = rename(v, part)
			}
		case map[string]any:
			out[k] = references(v, part)
		case []any:
			list := slices.Clone(v)
			for i := range list {
				if m, ok := list[i].(map[string]any); ok {
					list[i] = references(m, part)
				}
			}
			out[k] = list
		default:
			out[k] = v
		}
	}
	return out
}

func join(parts []Graph) (g Graph) {
	for _, p := range parts {
		g.Resources = append(g.Resources, p.Resources...)
	}
	return g
}

// Two halves of a stack have, to the last millionth, the lines and the unknowns of the whole: what one
// resource costs depends on what it refers to and on nothing else. Traffic and an account's allowances are
// of the whole, and left out here.
func TestSplittingAGraphPricesTheSame(t *testing.T) {
	table := prices(t)
	rapid.Check(t, func(t *rapid.T) {
		parts := stack(t)
		at := rapid.IntRange(0, len(parts)).Draw(t, "split")
		whole, one, two := table.Of(join(parts), Usage{}), table.Of(join(parts[:at]), Usage{}),
			table.Of(join(parts[at:]), Usage{})
		if whole.Gross() != one.Gross()+two.Gross() {
			t.Fatalf("whole $%v, halves $%v + $%v:\n%+v\n%+v\n%+v", whole.Gross().Dollars(), one.Gross().Dollars(),
				two.Gross().Dollars(), whole.Lines, one.Lines, two.Lines)
		}
		if got := slices.Sorted(slices.Values(slices.Concat(one.Unknown, two.Unknown))); !slices.Equal(got, whole.Unknown) {
			t.Fatalf("whole does not know %q, halves %q", whole.Unknown, got)
		}
		if whole.TakenOff() > one.TakenOff()+two.TakenOff() {
			t.Fatalf("the allowances of one account grew by joining: %v > %v + %v", whole.TakenOff(), one.TakenOff(),
				two.TakenOff())
		}
	})
}

// The order of a graph's resources does not matter.
func TestOrderDoesNotMatter(t *testing.T) {
	table := prices(t)
	rapid.Check(t, func(t *rapid.T) {
		g := join(stack(t))
		mixed := Graph{Resources: rapid.Permutation(g.Resources).Draw(t, "order")}
		a, b := table.Of(g, DefaultUsage()), table.Of(mixed, DefaultUsage())
		if a.Total() != b.Total() || !slices.Equal(a.Unknown, b.Unknown) {
			t.Fatalf("$%v and $%v; %q and %q", a.Total().Dollars(), b.Total().Dollars(), a.Unknown, b.Unknown)
		}
	})
}

func TestTiersAndFreeUnits(t *testing.T) {
	p := Price{USD: 3, Free: 10, Tiers: [][2]float64{{100, 2}, {200, 1}}}
	for amount, want := range map[float64]float64{0: 0, 10: 0, 11: 3, 100: 270, 150: 370, 200: 470, 300: 570} {
		if got := p.of(amount); got != want {
			t.Errorf("%g units cost %g, want %g", amount, got, want)
		}
	}
}

func TestMoney(t *testing.T) {
	for usd, want := range map[float64]string{
		0: "0", 1.5: "1.5", 0.0000005: "0.000001", -2.25: "-2.25", 1234567.000001: "1234567.000001",
	} {
		b, err := json.Marshal(USD(usd))
		if err != nil || string(b) != want {
			t.Errorf("%g is written %s, want %s (%v)", usd, b, want, err)
		}
		var back Money
		if err := json.Unmarshal(b, &back); err != nil || back != USD(usd) {
			t.Errorf("%s is read back as %d (%v)", b, back, err)
		}
	}
	for _, usd := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e10} {
		if _, ok := Dollars(usd); ok {
			t.Errorf("%g is taken for an amount of money", usd)
		}
	}
	if err := new(Money).UnmarshalJSON([]byte("1e30")); err == nil {
		t.Error("1e30 dollars are read")
	}
}

// FuzzReadGraph: whatever is read is priced without a panic, at no negative price, and never silently: a
// resource that may cost something is a line, an unknown, or free.
func FuzzReadGraph(f *testing.F) {
	for _, s := range small {
		f.Add([]byte(s.graph))
	}
	for _, d := range documents {
		f.Add([]byte(d.doc))
	}
	for _, stage := range []string{"stage1", "stage3"} {
		b, err := os.ReadFile("../../platform/graphs/" + stage + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	table, err := Prices()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		g, err := ReadGraph(bytes.NewReader(doc))
		if err != nil {
			return
		}
		e := table.Of(g, DefaultUsage())
		for _, l := range e.Lines {
			if l.USD < 0 || math.IsNaN(l.Count) || l.Count < 0 {
				t.Errorf("line %+v", l)
			}
		}
		if e.Total() < 0 || e.TakenOff() < 0 {
			t.Errorf("$%v a month, $%v taken off", e.Total().Dollars(), e.TakenOff().Dollars())
		}
		for _, r := range g.Resources {
			if _, ruled := rules[r.Type]; !ruled && !free(r.Type) && !slices.ContainsFunc(e.Unknown, func(u string) bool {
				return strings.HasPrefix(u, r.Type+" "+r.Name+": ")
			}) {
				t.Errorf("%s %s is neither priced nor unknown", r.Type, r.Name)
			}
		}
	})
}
