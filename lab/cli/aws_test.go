package cli

import (
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"shoplab/lab/result"
	"shoplab/platform/awstest"
)

// TestRunOnAWS types what a user types, against an emulated account: Pulumi, the stack's resources, the
// teardown and the sweep are real, and nothing runs in it. So the shop is a local one, and the stack's URL leads
// to it through an HTTP proxy, as it might in a company.
func TestRunOnAWS(t *testing.T) {
	awstest.TakesMinutes(t)
	account := awstest.Emulate(t, "../..")
	shop := startLab(t, "up", "stage1", "--rate-limit", "off")
	address, err := url.Parse(shop.url())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(address) }})
	t.Cleanup(proxy.Close)
	account.Setenv(t)
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("NO_PROXY", "127.0.0.1") // the emulator's own tools ask it there
	t.Chdir(copyOfRepository(t))

	// In each case nothing is left.
	t.Run("measured", func(t *testing.T) {
		out := t.TempDir()
		lab := startLab(t, onAWS("--out", out)...)
		if err := lab.wait(); err != nil {
			t.Fatalf("%v\n%s", err, lab.stderr.String())
		}
		res, err := result.ReadFile(filepath.Join(out, "result.json"))
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case len(res.Stages) != 1 || res.Stages[0].BreakingPoint == nil || len(res.Stages[0].Levels) != 1:
			t.Errorf("stages: %+v", res.Stages)
		case res.Sweep == nil || !res.Sweep.Clean:
			t.Errorf("sweep: %+v", res.Sweep)
		case *res.Stages[0].Config.MaxInstances != *res.Stages[0].Config.Instances:
			t.Errorf("scaling was not held still: at most %d instances", *res.Stages[0].Config.MaxInstances)
		case res.Stages[0].BringUpSeconds == nil || res.Stages[0].TearDownSeconds == nil:
			t.Error("up and down were not timed")
		}
		account.Leftovers(t)
	})
	t.Run("broken", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "faults.json")
		account.Reset(t)
		lab := startLab(t, "faults", "stage3", "--target", "aws", "--repeats", "1", "--rate", "20",
			"--fault", "rolling deploy", "--fault", "database restarted", "--config", "shoplab:https=off",
			"--config", "aws:maxRetries=3", "--config", "shoplab:image="+imageOf("a"), "--new-image", imageOf("b"),
			"--out", out)
		if err := lab.wait(); err != nil {
			t.Fatalf("%v\n%s", err, lab.stderr.String())
		}
		res, err := result.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if res.Target != result.TargetAWS || res.Sweep == nil || !res.Sweep.Clean || len(res.Faults.Stages) != 1 {
			t.Fatalf("target %s, sweep %+v, %d stages", res.Target, res.Sweep, len(res.Faults.Stages))
		}
		t.Log(strings.Join(res.Faults.Stages[0].Notes, "\n"))
		if text := lab.stderr.String(); !strings.Contains(text, "deployed "+imageOf("b")) {
			t.Errorf("the other image was not deployed:\n%s", text)
		}
		for _, f := range res.Faults.Stages[0].Faults {
			if len(f.Runs) != 1 || len(f.Assumed) > 0 {
				t.Errorf("%s: %d runs, assumed %v", f.Name, len(f.Runs), f.Assumed)
			}
		}
		done := map[string]int{}
		for _, call := range account.Calls(t) {
			if call.Status < 300 {
				done[call.Action]++
			}
		}
		// Brought up once, which it would be again after an update that failed, and a task definition for each image.
		if done["CreateCluster"] != 1 || done["RegisterTaskDefinition"] != 2 || done["RebootDBInstance"] != 1 {
			t.Errorf("asked of AWS: %v", done)
		}
		account.Leftovers(t)
	})
	for when, line := range map[string]string{
		"while Pulumi deploys": "aws:ec2:Vpc network-vpc", "under load": "warm-up: ",
	} {
		t.Run("interrupted "+when, func(t *testing.T) {
			out := t.TempDir()
			lab := startLab(t, onAWS("--out", out)...)
			lab.said(line)
			orphan := orphanedAddress(t, "stage3")
			lab.signal(os.Interrupt)
			if err := lab.wait(); err == nil || lab.cmd.ProcessState.ExitCode() != 130 {
				t.Errorf("ended with %v, want exit status 130\n%s", err, lab.stderr.String())
			}
			if text := lab.stderr.String(); !strings.Contains(text, "deleted") ||
				!strings.Contains(text, "sweeping the account") {
				t.Errorf("nothing destroyed, or no sweep:\n%s", text)
			}
			res, err := result.ReadFile(filepath.Join(out, "result.json"))
			if err != nil {
				t.Fatal(err)
			}
			removed := func(arn string) bool { return strings.HasSuffix(arn, "/"+orphan) }
			if s := res.Sweep; res.Incomplete == "" || s == nil || !s.Clean || !slices.ContainsFunc(s.Removed, removed) ||
				s.Receipt == "" {
				t.Errorf("incomplete %q, sweep %+v; want a receipt of what it deleted, %s too", res.Incomplete, s, orphan)
			}
			account.Leftovers(t)
		})
	}
}

// imageOf is an image by digest. No registry answers in the account, so it is one that exists.
func imageOf(letter string) string {
	return "registry.example/shop@sha256:" + strings.Repeat(letter, 64)
}

// orphanedAddress is an Elastic IP address of a stack that Pulumi's state does not know, as an interrupted update may
// leave it.
func orphanedAddress(t *testing.T, stack string) string {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"))
	if err != nil {
		t.Fatal(err)
	}
	made, err := ec2.NewFromConfig(cfg).AllocateAddress(t.Context(), &ec2.AllocateAddressInput{
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeElasticIp, Tags: []types.Tag{
			{Key: aws.String("project"), Value: aws.String("shoplab")}, {Key: aws.String("stage"), Value: &stack},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return *made.AllocationId
}

// onAWS is a short run of one stage.
func onAWS(more ...string) []string {
	return append([]string{
		"run", "stage3", "--target", "aws", "--generator", "here", "--quick", "--users", "20",
		"--config", "shoplab:https=off", "--config", "aws:maxRetries=3",
		"--config", "shoplab:image=" + imageOf("a"),
	}, more...)
}

// said waits until the lab has said something.
func (l *lab) said(text string) {
	l.t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !strings.Contains(l.stderr.String(), text) {
		select {
		case <-look.C:
		case _, running := <-l.lines:
			if !running {
				l.t.Fatalf("the lab ended and did not say %q:\n%s", text, l.stderr.String())
			}
		}
	}
}

// copyOfRepository copies what git knows or could know: Pulumi writes into the stacks' files.
func copyOfRepository(t *testing.T) string {
	t.Helper()
	to := t.TempDir()
	const script = `git -C ../.. ls-files -co --exclude-standard -z |
		tar -C ../.. --null --ignore-failed-read -T - -c | tar -C "$0" -x`
	if out, err := exec.CommandContext(t.Context(), "bash", "-c", script, to).CombinedOutput(); err != nil {
		t.Skipf("copy the repository: %v\n%s", err, out)
	}
	return to
}
