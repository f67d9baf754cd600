package experiment

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"shoplab/lab/result"
	"shoplab/lab/sweep"
	"shoplab/lab/twin"
)

// onAWS brings stages up with Pulumi.
type onAWS struct {
	root     string
	automate string // the program
	say      func(string)
	// region is that of the stages that were up, for the sweep at the end.
	region string
}

// AWS runs the plan on AWS, and ends with the sweep. The stages cost money while they are up.
func AWS(ctx context.Context, p Plan) (result.Result, error) {
	p.Say("building the Pulumi driver (the first time takes minutes)")
	binary, err := buildAutomate(ctx, p.Root)
	if err != nil {
		return result.Result{}, err
	}
	return run(ctx, p, &onAWS{root: p.Root, automate: binary, say: p.Say})
}

func (a *onAWS) target() result.Target { return result.TargetAWS }

// labels marks results of an emulated account.
func (a *onAWS) labels() []string {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err == nil && cfg.BaseEndpoint != nil {
		return []string{result.LabelTwinBed}
	}
	return nil
}

// upTimeout is how long a stage may take from a finished `pulumi up` to its first answer: instances
// boot, pull an image and pass their health checks.
const upTimeout = 15 * time.Minute

func (a *onAWS) up(ctx context.Context, stage string, _ func(*twin.Options)) (*site, error) {
	began := time.Now()
	declared, err := twin.ReadStage(a.root, stage)
	if err != nil {
		return nil, err
	}
	a.region = declared.Region
	s := &stack{binary: a.automate, root: a.root, name: stage, say: a.say}
	// One address sends all the load, which the shop's rate limits are there to refuse.
	err = s.up(ctx, "shoplab:rateLimit=off", "shoplab:payments=simulated")
	if errors.Is(err, errInUse) {
		return nil, err
	}
	if err == nil {
		a.say("waiting for the first answer")
		err = firstAnswer(ctx, s.output("url"))
	}
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), downTimeout)
		defer cancel()
		return nil, errors.Join(err, s.down(ctx))
	}
	return &site{
		url: s.output("url"), stage: declared, seconds: time.Since(began).Seconds(), probes: []probe{machineProbe()},
		describe: func(st *result.Stage) { describeStack(s, declared, st) },
		audit: func(context.Context) ([]result.Invariant, error) {
			return notAudited("the database is in a private subnet"), nil
		},
		down: s.down,
	}, nil
}

// describeStack writes what the stack says of itself over what its file declares.
func describeStack(s *stack, declared twin.Stage, st *result.Stage) {
	st.Topology, st.URL = s.output("topology"), s.output("url")
	st.Config = configOf(declared)
	for name, field := range map[string]**int{
		"instances": &st.Config.Instances, "maxInstances": &st.Config.MaxInstances,
		"poolPerInstance": &st.Config.PoolPerInstance, "databaseConnections": &st.Config.DatabaseConnections,
	} {
		if n, ok := s.capacity(name); ok {
			*field = result.Ptr(n)
		}
	}
	st.Notes = append(st.Notes, "the stage's own resources were not watched: only what the shoppers saw, and the generator")
}

// firstAnswer waits until the shop is ready.
func firstAnswer(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	client := &http.Client{Timeout: 10 * time.Second}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/info", nil)
		if err != nil {
			return fmt.Errorf("stack output url: %w", err)
		}
		resp, err := client.Do(req)
		if err == nil {
			err = resp.Body.Close()
			if err == nil && resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		if !until(ctx, time.Now().Add(2*time.Second)) {
			return fmt.Errorf("no answer from %s within %s: %w", url, upTimeout, errors.Join(ctx.Err(), err))
		}
	}
}

// finish sweeps the account, and puts the receipt into the result.
func (a *onAWS) finish(ctx context.Context, res *result.Result) error {
	a.say("sweeping the account")
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(a.region))
	if err != nil {
		return fmt.Errorf("read AWS settings: %w", err)
	}
	receipt, err := sweep.Sweep(ctx, cfg, sweep.Filter{}, a.say)
	if err != nil {
		return err
	}
	res.Sweep = &result.Sweep{CheckedAt: receipt.CheckedAt, Clean: receipt.Clean(), Receipt: receipt.String()}
	for _, r := range receipt.Found {
		res.Sweep.Left = append(res.Sweep.Left, r.ID)
	}
	if !receipt.Clean() {
		return fmt.Errorf("teardown left %d resources: see the receipt, and lab sweep", len(receipt.Found))
	}
	return nil
}
