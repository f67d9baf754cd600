package platform

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/yaml"
)

// retiredCharts are addresses whose charts are frozen, gone or about to go, and where that is said.
var retiredCharts = map[string]string{
	"istio-release.storage.googleapis.com": "istio.io/latest/blog/2026/retirement-of-gcp: nothing from 1.31 on, " +
		"removed in December 2026",
	"storage.googleapis.com/istio-release":     "istio.io/latest/blog/2026/retirement-of-gcp: the same bucket",
	"gcr.io/istio-release":                     "istio.io/latest/blog/2026/retirement-of-gcp: removed in December 2026",
	"grafana.github.io/helm-charts":            "grafana/helm-charts#4087: frozen since January 2026",
	"kubernetes-charts.storage.googleapis.com": "helm/charts: removed in November 2020",
}

// TestChartsComeFromLivingRepositories looks at the Helm releases of the graph, so that it also sees one that is
// not in the table.
func TestChartsComeFromLivingRepositories(t *testing.T) {
	graph, _ := deploy(t, "stage4", map[string]string{"shoplab:meshery": "true"})
	var found []string
	for _, r := range graph.resources {
		if r.Type != "kubernetes:helm.sh/v3:Release" {
			continue
		}
		got := source{r.text("chart"), r.text("repositoryOpts.repo"), r.text("version")}
		if want := sources[r.text("name")]; got != want {
			t.Errorf("%s is %+v, in the table %+v", r.Name, got, want)
		}
		for retired, why := range retiredCharts {
			if strings.Contains(got.repository, retired) {
				t.Errorf("%s comes from %s: %s", r.Name, got.repository, why)
			}
		}
		found = append(found, r.text("name"))
	}
	for name := range sources {
		if !slices.Contains(found, name) {
			t.Errorf("%s is in the table and in no graph", name)
		}
	}
}

// TestChartsArePublished asks each repository for the version that the program wants.
func TestChartsArePublished(t *testing.T) {
	for release, s := range sources {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			missing, err := s.missing(t, s.repository)
			if err != nil {
				t.Skipf("needs the network: %v", err)
			}
			if missing != "" {
				t.Error(missing)
			}
		})
	}
}

func TestMissingChartIsNoticed(t *testing.T) {
	repository := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/charts/index.yaml" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, "apiVersion: v1\nentries:\n  base:\n  - version: 1.30.4\n  - version: 1.30.3\n")
	}))
	defer repository.Close()
	for _, test := range []struct {
		path  string
		chart source
		want  string
	}{
		{"/charts", source{name: "base", version: "1.30.4"}, ""},
		{"/charts", source{name: "base"}, ""},
		{"/charts", source{name: "base", version: "1.31.1"}, "base 1.31.1 is not in"},
		{"/charts", source{name: "istiod", version: "1.30.4"}, "istiod 1.30.4 is not in"},
		{"/gone", source{name: "base", version: "1.30.4"}, "404"},
	} {
		missing, err := test.chart.missing(t, repository.URL+test.path)
		if err != nil || !strings.Contains(missing, test.want) || (missing == "") != (test.want == "") {
			t.Errorf("%+v at %s: %q, %v; want %q", test.chart, test.path, missing, err, test.want)
		}
	}
}

// missing says what a repository lacks: itself, the chart or its version. The error is of one that cannot be asked.
func (s source) missing(t *testing.T, repository string) (string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, repository+"/index.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := (&http.Client{Timeout: time.Minute}).Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusGone:
		return repository + "/index.yaml answers " + answer.Status, nil
	default: // a proxy's refusal, or a bad day
		return "", fmt.Errorf("%s answers %s", repository, answer.Status)
	}
	var index struct {
		Entries map[string][]struct{ Version string }
	}
	if err := yaml.NewYAMLOrJSONDecoder(answer.Body, 4096).Decode(&index); err != nil {
		return fmt.Sprintf("%s/index.yaml is no index: %v", repository, err), nil
	}
	for _, published := range index.Entries[s.name] {
		if s.version == "" || published.Version == s.version {
			return "", nil
		}
	}
	return fmt.Sprintf("%s %s is not in %s", s.name, s.version, repository), nil
}
