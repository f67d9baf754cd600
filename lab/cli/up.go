package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"shoplab/lab/stage"
	"shoplab/lab/twin"
)

func newUpCommand() *cobra.Command {
	var u up
	var rateLimit string
	cmd := &cobra.Command{
		Use:   "up [STAGE]",
		Short: "Run a stage's topology on this machine and print the shop's URL",
		Long: `Up builds the shop, starts it the way the stage does (as many instances, the same
pool sizes and limits, behind a load balancer) with a PostgreSQL and a Redis of its own,
and prints the shop's URL. Ctrl-C stops everything and leaves nothing behind; a second
Ctrl-C does not wait.

Payments are simulated: no card, no money, no account at Stripe.`,
		Example: `  go run ./lab up                            one server, as stage1
  go run ./lab up stage3                     two Fargate tasks behind a balancer
  go run ./lab up --data ~/shop --port 8080  keep accounts and orders between runs
  go run ./lab up --rate-limit off           for load and tests`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if rateLimit != "on" && rateLimit != "off" {
				return fmt.Errorf("--rate-limit is %q, want on or off", rateLimit)
			}
			u.options.RateLimit = rateLimit == "on"
			u.stage = "stage1"
			if len(args) == 1 {
				u.stage = args[0]
			}
			u.stdout, u.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return u.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&u.options.Data, "data", "", "keep the database in this `folder` between runs")
	f.StringVar(&rateLimit, "rate-limit", "on", "the shop's rate limits: `on|off`")
	f.IntVar(&u.options.Port, "port", 0, "TCP `port` of the shop on 127.0.0.1 (default 8080, or any free one when that "+
		"is taken)")
	f.StringVar(&u.options.Binary, "binary", "", "run this built service `file` instead of building it")
	f.BoolVarP(&u.verbose, "verbose", "v", false, "show what the processes write")
	return cmd
}

// up is one run of the command.
type up struct {
	stage          string
	options        twin.Options
	verbose        bool
	stdout, stderr io.Writer
}

func (u *up) run(ctx context.Context) (err error) {
	if u.options.Root, err = findRoot(); err != nil {
		return err
	}
	if err := checkStage(u.options.Root, u.stage); err != nil {
		return err
	}
	if u.options.Stage, err = stage.Read(u.options.Root, u.stage); err != nil {
		return err
	}
	if u.options.Port, err = choosePort(u.options.Port); err != nil {
		return err
	}
	if u.verbose {
		u.options.Log = u.stderr
	}
	p := newProgress(u.stderr)
	defer p.done()
	u.options.Progress = p.step
	u.options.Abort = secondSignal(ctx)

	t, err := twin.Start(ctx, u.options)
	if err != nil {
		return err
	}
	p.done()
	describe(u.stdout, t)
	select {
	case <-ctx.Done(): // Ctrl-C is how this command ends
	case <-t.Done():
		err = t.Err()
	}
	p.step("stopping the shop")
	return errors.Join(err, t.Stop())
}

// describe prints what runs and where.
func describe(w io.Writer, t *twin.Twin) {
	s := t.Stage
	line := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(w, "  %-10s%s\n", name, fmt.Sprintf(format, args...))
	}
	line("Shop", "%s  started in %.1f s", t.URL, t.Started.Round(100*time.Millisecond).Seconds())
	line("Stage", "%s (%s), instances: %d, on this machine, not AWS", s.Name, s.Topology, s.Instances)
	line("Proxies", "%s", proxies(t))
	line("Database", "%s, max_connections for the shop: %d, pool per instance: %d", t.Postgres.Kind, s.DatabaseConnections,
		s.PoolPerInstance)
	redis := t.Redis.Kind
	if t.Redis.StandIn {
		redis += ", inside this process (redis-server is not installed)"
	}
	line("Redis", "%s", redis)
	line("Payments", "simulated")
	for _, l := range t.Limits {
		line("Limits", "%s", l)
	}
	if t.LogFile != "" {
		line("Logs", "%s", filepath.Join(filepath.Dir(t.LogFile), "*.log"))
	}
	_, _ = fmt.Fprintln(w, "\nPress Ctrl-C to stop.")
}

// proxies names what requests pass on their way to the shop.
func proxies(t *twin.Twin) string {
	if t.Function != nil {
		return fmt.Sprintf("an HTTP API inside this process, before at most %d execution environments", t.Stage.MaxInstances)
	}
	var hops []string
	for _, p := range t.Proxies {
		hops = append(hops, p.Name)
	}
	kind := t.Proxies[0].Kind
	if t.Proxies[0].StandIn {
		kind += ", a stand-in for Envoy"
	}
	return strings.Join(hops, ", ") + ": " + kind
}

// secondSignal returns a channel that is closed by the second Ctrl-C or SIGTERM; the first ends ctx.
func secondSignal(ctx context.Context) <-chan struct{} {
	abort := make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-ctx.Done()
		for range 2 {
			<-signals
		}
		close(abort)
	}()
	return abort
}

func checkStage(root, name string) error {
	names, err := stage.Names(root)
	if err != nil {
		return err
	}
	if slices.Contains(names, name) {
		return nil
	}
	return fmt.Errorf("no stage %q; there are %s", name, strings.Join(names, ", "))
}

// choosePort checks that the port is free; 0 means 8080 or any other.
func choosePort(port int) (int, error) {
	const usual = 8080
	want := port
	if want == 0 {
		want = usual
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(want)))
	switch {
	case err == nil:
		return want, l.Close()
	case port == 0:
		return 0, nil // the twin takes a free one
	}
	return 0, fmt.Errorf("port %d cannot be used (%w); choose another with --port", port, err)
}
