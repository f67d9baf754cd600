package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"shoplab/lab/load"
	"shoplab/lab/load/shard"
	"shoplab/lab/program"
	"shoplab/lab/target"
)

// Generator sends load from tasks on Fargate, in the region of what is loaded: a Pulumi stack of its own, which
// comes up with the first load and goes with Down.
type Generator struct {
	root, region string
	shards       int
	config       []string
	say          func(string)

	generator string // the program
	account   account
	stack     stack
	up        bool
	came      Shards
}

// Shards are load generators that wait for orders, as the program lab/generator finds them.
type Shards struct {
	Shards []Shard       `json:"shards"`
	Ahead  time.Duration `json:"ahead_ns"` // of AWS's clock before this machine's
}

// Shard is one of them.
type Shard struct {
	Name string `json:"name"`
	Task string `json:"task,omitempty"` // ARN
}

// GeneratorStack is the name of the stack, of the project in the folder of that name.
const GeneratorStack = "generator"

// A shard is a task of one vCPU. A request costs the generator 0.12 to 0.2 ms of CPU over HTTP (measured on this
// project's machine, two shared cores at 2.5 GHz); TLS comes on top, and half of the vCPU is left.
const (
	ratePerShard  = 2000 // requests a second
	usersPerShard = 1000
	// RunShards are those of a whole run, whose highest rate is not known before.
	RunShards = 2
)

// ShardsFor is how many tasks a load asks for.
func ShardsFor(l load.Load) int {
	need := max(l.Rate/ratePerShard, float64(l.Users)/usersPerShard)
	n := int(need)
	if float64(n) < need {
		n++
	}
	return max(1, n)
}

// ForgottenAfter is how long a generator's stack may be there before lab sweep --expired lists it.
const ForgottenAfter = 12 * time.Hour

// lead is time enough for an order to lie in the bucket and to be found there.
const lead = 4 * time.Second

// NewGenerator builds the programs that it takes. settings are KEY=VALUE pairs of the generator's stack. Nothing is
// up before the first load.
func NewGenerator(
	ctx context.Context, root, region string, shards int, settings []string, say func(string),
) (*Generator, error) {
	g := &Generator{root: root, region: region, shards: shards, config: settings, say: say, account: account{say: say}}
	var err error
	if g.account.path, err = program.Find(ctx, root, "account"); err != nil {
		return nil, err
	}
	if g.generator, err = program.Find(ctx, root, "generator"); err != nil {
		return nil, err
	}
	g.stack = stack{root: filepath.Join(root, GeneratorStack), name: GeneratorStack, say: say}
	g.stack.binary, err = program.Find(ctx, root, "automate")
	return g, err
}

// Gather implements load.Gatherer.
func (g *Generator) Gather(ctx context.Context, o load.Options) (load.Generator, load.Info, error) {
	if err := g.bringUp(ctx); err != nil {
		return nil, load.Info{}, fmt.Errorf("bring the load generator up: %w", err)
	}
	emulated, err := g.account.emulated(ctx)
	if err != nil {
		return nil, load.Info{}, err
	}
	var conns []shard.Conn
	for _, s := range g.came.Shards {
		args := []string{"relay", g.region, g.stack.output("bucket"), g.stack.output("cluster"), s.Name, s.Task}
		c, err := shard.Start(g.generator, args, nil)
		if err != nil {
			shard.Close(conns)
			return nil, load.Info{}, err
		}
		conns = append(conns, c)
	}
	sender := fmt.Sprintf("%d Fargate task(s) in %s", g.shards, g.region)
	if emulated {
		sender = fmt.Sprintf("%d processes here, as tasks of an emulated account", g.shards)
	}
	f, info, err := shard.NewFleet(ctx, o, conns, shard.Place{Lead: lead, Ahead: g.came.Ahead, Sender: sender})
	if err != nil {
		return nil, info, err
	}
	return f, info, nil
}

// bringUp has the tasks wait for orders.
func (g *Generator) bringUp(ctx context.Context) error {
	if g.came.Shards != nil {
		return nil
	}
	g.say(fmt.Sprintf("bringing %d load generator(s) up in %s", g.shards, g.region))
	err := g.stack.up(ctx, append([]string{
		"aws:region=" + g.region, "shoplab-generator:shards=" + strconv.Itoa(g.shards),
		"shoplab-generator:expires=" + time.Now().Add(ForgottenAfter).UTC().Format(time.RFC3339),
	}, g.config...)...)
	if errors.Is(err, errInUse) {
		return fmt.Errorf("another run uses it, or left it: `pulumi destroy -C generator -s %s`: %w", GeneratorStack, err)
	}
	g.up = true
	if err != nil {
		return err
	}
	g.say("waiting for the load generators")
	out, err := program.Output(ctx, g.say, strings.NewReader(""), g.generator, "await", g.region, g.stack.output("bucket"),
		strconv.Itoa(g.shards))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, &g.came); err != nil {
		return fmt.Errorf("read who waits: %w", err)
	}
	return nil
}

// Down takes the stack down, also when ctx has ended, and deletes what Pulumi left of it.
func (g *Generator) Down(ctx context.Context) error {
	if !g.up {
		return nil
	}
	look := g.account.receipt
	if ctx.Err() != nil {
		look = g.account.remove // what an interrupted update had begun, Pulumi does not know
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), downTimeout)
	defer cancel()
	g.say("taking the load generator down")
	if err := g.stack.down(ctx); err != nil {
		return err
	}
	g.up, g.came = false, Shards{}
	r := Request{Region: g.region, Root: g.root, Stages: []string{GeneratorStack}}
	receipt, err := look(ctx, r)
	if err == nil && !receipt.Clean && len(receipt.Removed) == 0 {
		g.say(fmt.Sprintf("pulumi destroy left %d resources of the load generator: deleting them", len(receipt.Left)))
		receipt, err = g.account.remove(ctx, r)
	}
	if err != nil {
		return err
	}
	if !receipt.Clean {
		left := strings.Join(receipt.Left, ", ")
		return fmt.Errorf("%w: of the load generator %s: lab sweep --remove %s", target.ErrLeft, left, GeneratorStack)
	}
	return nil
}
