package platform

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestExpiry: a stage that expires has a schedule from that time on, another a day before if somebody is to be told,
// and both in UTC; what has less than a day left is not announced.
func TestExpiry(t *testing.T) {
	for name, test := range map[string]struct {
		clock, email string
		warned       bool
	}{
		"long before":         {"2026-12-01T00:00:00Z", "a@example.com", true},
		"nobody to tell":      {"2026-12-01T00:00:00Z", "", false},
		"less than a day":     {"2026-12-31T00:00:00Z", "a@example.com", false},
		"a day and no second": {"2026-12-30T16:00:00Z", "a@example.com", false},
	} {
		t.Run(name, func(t *testing.T) {
			setClock(t, test.clock)
			change := map[string]string{"shoplab:expires": "2026-12-31T18:00:00+02:00"}
			if test.email != "" {
				change["shoplab:alertEmail"] = test.email
			}
			r, _ := deploy(t, "stage3", change)
			got := map[string]string{}
			for _, res := range r.resources {
				if res.Type == "aws:scheduler/schedule:Schedule" {
					got[res.Name] = res.text("scheduleExpression") + " " + res.text("startDate")
				}
			}
			want := map[string]string{"expires-end-schedule": "rate(20 minutes) 2026-12-31T16:00:00Z"}
			if test.warned {
				want["expires-warning-schedule"] = "at(2026-12-30T16:00:00) "
			}
			if len(got) != len(want) {
				t.Errorf("schedules %q, want %q", got, want)
			}
			for name, text := range want {
				if got[name] != text {
					t.Errorf("%s is %q, want %q", name, got[name], text)
				}
			}
		})
	}
}

// TestExpiryPolicies: what ends a stage stays below what AWS lets the inline policies of a role be.
// Source: IAM User Guide, "IAM and AWS STS quotas": 10,240 characters in all, without white space.
func TestExpiryPolicies(t *testing.T) {
	r, _ := deploy(t, "stage3", map[string]string{"shoplab:expires": "2099-12-31T18:00:00Z"})
	size := 0
	for _, res := range r.resources {
		if res.Type == "aws:iam/rolePolicy:RolePolicy" && res.Parent == "expires" && res.Name != "expires-end-right" {
			size += len(res.text("policy"))
		}
	}
	t.Logf("%d characters", size)
	if size < 4000 || size > 10_240 {
		t.Errorf("the function's policies have %d characters", size)
	}
}

func TestBootstrap(t *testing.T) {
	var archives [][]byte
	for range 2 {
		archive, err := bootstrap([]byte("program"))
		if err != nil {
			t.Fatal(err)
		}
		archives = append(archives, archive)
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("the same program gives two archives")
	}
	r, err := zip.NewReader(bytes.NewReader(archives[0]), int64(len(archives[0])))
	if err != nil || len(r.File) != 1 {
		t.Fatalf("read the archive: %v", err)
	}
	f, err := r.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(f)
	if err != nil || string(content) != "program" || r.File[0].Name != "bootstrap" || r.File[0].Mode().Perm() != 0o755 {
		t.Errorf("%s, %s: %q, %v", r.File[0].Name, r.File[0].Mode(), content, err)
	}
}

// setClock stops the program's clock.
func setClock(t *testing.T, at string) {
	t.Helper()
	stopped, err := time.Parse(time.RFC3339, at)
	if err != nil {
		t.Fatal(err)
	}
	now = func() time.Time { return stopped }
	t.Cleanup(func() { now = time.Now })
}

// mayDo are the actions that the policies of a component's function allow.
func mayDo(t *testing.T, policies []string) (actions []string) {
	t.Helper()
	for _, text := range policies {
		var policy struct{ Statement []statement }
		if err := json.Unmarshal([]byte(text), &policy); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for _, s := range policy.Statement {
			actions = append(actions, texts(s.Action)...)
		}
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// iamAction is the IAM action of a call, as the emulator's log names services.
func iamAction(service, action string) string {
	prefix := map[string]string{
		"elbv2": "elasticloadbalancing", "resourcegroupstaggingapi": "tag", "monitoring": "cloudwatch",
	}[service]
	if prefix == "" {
		prefix = service
	}
	if prefix == "apigatewayv2" { // whose IAM actions are methods
		return "apigateway:" + map[bool]string{true: "DELETE", false: "GET"}[strings.HasPrefix(action, "Delete")]
	}
	switch prefix + ":" + action {
	case "budgets:DescribeBudgets", "budgets:DescribeBudget":
		return "budgets:ViewBudget"
	case "budgets:DeleteBudget":
		return "budgets:ModifyBudget"
	}
	// REST actions carry the date of their API in CloudFront's names.
	return prefix + ":" + strings.TrimSuffix(action, "2020_05_31")
}
