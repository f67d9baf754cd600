// Package aws is AWS as a target: stages are Pulumi stacks, watched by CloudWatch, and a sweep of the account
// ends a run. What talks to AWS are two programs: lab/automate drives Pulumi, lab/account has the AWS clients.
package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"shoplab/contract"
	"shoplab/lab/program"
	"shoplab/lab/result"
	"shoplab/lab/stage"
	"shoplab/lab/target"
	"shoplab/lab/watch"
)

// AWS brings stages up with Pulumi.
type AWS struct {
	root     string
	automate string // the program
	account  account
	emulated bool // the account is an emulated one
	config   []string
	say      func(string)
	// region and stages are those that this run deployed, for the sweep at the end.
	region string
	stages []string
}

// New builds the programs that drive Pulumi and talk to AWS. settings are KEY=VALUE pairs over the stacks' own
// configuration. The stages cost money while they are up.
func New(ctx context.Context, root string, settings []string, say func(string)) (*AWS, error) {
	a := &AWS{root: root, config: settings, say: say, account: account{say: say}}
	var err error
	if a.account.path, err = program.Find(ctx, root, "account"); err != nil {
		return nil, err
	}
	if a.automate, err = program.Find(ctx, root, "automate"); err != nil {
		return nil, err
	}
	a.emulated, err = a.account.emulated(ctx)
	return a, err
}

// Kind implements target.Target.
func (a *AWS) Kind() result.Target { return result.TargetAWS }

// Labels implements target.Target: results of an emulated account are marked.
func (a *AWS) Labels() []string {
	if a.emulated {
		return []string{result.LabelTwinBed}
	}
	return nil
}

// upTimeout is how long a stage may take from a finished `pulumi up` to its first answer: instances
// boot, pull an image and pass their health checks.
const upTimeout = 15 * time.Minute

// downTimeout bounds the teardown of a stage that did not come up: an RDS instance takes 5 to 10 minutes, and Lambda's
// interfaces in a subnet take up to 45 (documentation of the provider's aws.ec2.Subnet).
const downTimeout = 75 * time.Minute

// Up implements target.Target.
func (a *AWS) Up(ctx context.Context, name string) (target.Site, error) {
	began := time.Now()
	declared, err := stage.Read(a.root, name)
	if err != nil {
		return nil, err
	}
	s := &stack{binary: a.automate, root: a.root, name: name, say: a.say}
	settings := a.settings(declared)
	err = s.up(ctx, settings...)
	if errors.Is(err, errInUse) {
		return nil, err
	}
	a.region, a.stages = declared.Region, append(a.stages, name)
	if err == nil {
		a.say("waiting for the first answer")
		err = firstAnswer(ctx, s.output(contract.OutputURL))
	}
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), downTimeout)
		defer cancel()
		return nil, errors.Join(err, s.down(ctx))
	}
	return &site{stack: s, account: a.account, declared: declared, config: settings, started: time.Since(began)}, nil
}

// site is a stack as a target.Site; CloudWatch measures it.
type site struct {
	stack    *stack
	account  account
	declared stage.Stage
	config   []string // of this run, KEY=VALUE
	started  time.Duration
}

// URL implements target.Site.
func (s *site) URL() string { return s.stack.output(contract.OutputURL) }

// Stage implements target.Site.
func (s *site) Stage() stage.Stage { return s.declared }

// Started implements target.Site.
func (s *site) Started() time.Duration { return s.started }

// Probes implements target.Site: of this machine, which sends the load.
func (s *site) Probes() []watch.Probe { return []watch.Probe{watch.Machine()} }

// Down implements target.Site.
func (s *site) Down(ctx context.Context) error { return s.stack.down(ctx) }

// Usage implements target.Meter.
func (s *site) Usage(ctx context.Context, from time.Time, length time.Duration) ([]result.Usage, error) {
	r := Request{
		Region: s.declared.Region, Root: s.stack.root, Stages: []string{s.declared.Name}, From: from, Length: length,
	}
	return s.account.usage(ctx, r)
}

// Describe implements target.Site: it writes what the stack says of itself over what its file declares.
func (s *site) Describe(st *result.Stage) {
	st.Topology, st.URL = s.stack.output(contract.OutputTopology), s.stack.output(contract.OutputURL)
	st.Config = s.declared.Config()
	for name, field := range map[string]**int{
		contract.CapacityInstances: &st.Config.Instances, contract.CapacityMaxInstances: &st.Config.MaxInstances,
		contract.CapacityPoolPerInstance:     &st.Config.PoolPerInstance,
		contract.CapacityDatabaseConnections: &st.Config.DatabaseConnections,
	} {
		if n, ok := s.stack.capacity(name); ok {
			*field = result.Ptr(n)
		}
	}
	if most := *st.Config.MaxInstances; most == *st.Config.Instances && most < s.declared.MaxInstances {
		st.Notes = append(st.Notes, fmt.Sprintf("scaling was held still at %d instances; the stage may have %d", most,
			s.declared.MaxInstances))
	}
	st.Notes = append(st.Notes, "the stage's own resources are watched by CloudWatch, by the minute, and only at its "+
		"breaking point")
}

// settings are the configuration of a stack for this run; where two set a key, the later counts.
func (a *AWS) settings(declared stage.Stage) []string {
	instances := strconv.Itoa(declared.Instances)
	for _, setting := range a.config {
		if value, ok := strings.CutPrefix(setting, "shoplab:instances="); ok {
			instances = value
		}
	}
	settings := []string{
		"shoplab:rateLimit=off", // one address sends all the load, which the limits are there to refuse
		"shoplab:payments=simulated",
	}
	if declared.Topology != stage.Lambda { // there it is how many requests are handled at once
		settings = append(settings, "shoplab:maxInstances="+instances) // scaling would move what is being measured (0087)
	}
	return append(settings, a.config...)
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
		if !watch.Until(ctx, time.Now().Add(2*time.Second)) {
			return fmt.Errorf("no answer from %s within %s: %w", url, upTimeout, errors.Join(ctx.Err(), err))
		}
	}
}

// Finish implements target.Target: it sweeps the account for what this run's stages left, deletes that, and puts the
// receipt into the result.
func (a *AWS) Finish(ctx context.Context, res *result.Result) error {
	if len(a.stages) == 0 {
		return nil
	}
	a.say("sweeping the account")
	r := Request{Region: a.region, Root: a.root, Stages: a.stages}
	look := a.account.receipt
	if res.Incomplete != "" {
		look = a.account.remove // what an interrupted update had begun, Pulumi does not know
	}
	receipt, err := look(ctx, r)
	if err == nil && !receipt.Clean && len(receipt.Removed) == 0 {
		a.say(fmt.Sprintf("pulumi destroy left %d resources: deleting them", len(receipt.Left)))
		receipt, err = a.account.remove(ctx, r)
	}
	if err != nil {
		return err
	}
	res.Sweep = &receipt
	if !receipt.Clean {
		return fmt.Errorf("teardown left %d resources: see the receipt, and lab sweep --remove", len(receipt.Left))
	}
	return nil
}
