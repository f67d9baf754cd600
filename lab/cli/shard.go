package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"shoplab/lab/load"
	"shoplab/lab/load/shard"
	"shoplab/lab/result"
)

// maxShards bounds the processes that share a load.
const maxShards = 64

// processes sends a load from this process, or from some of its kind.
func processes(shards int) load.Gatherer {
	if shards > 1 {
		return shard.Processes{N: shards}
	}
	return load.Here{}
}

// newShardCommand is what a shard runs. Ctrl-C reaches all processes of a terminal; a shard leaves it to the
// one that orders it about, and ends with its orders.
func newShardCommand() *cobra.Command {
	return &cobra.Command{
		Use:    shard.Command,
		Short:  "Be one of the processes of --shards: orders come on standard input",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			signal.Ignore(os.Interrupt, syscall.SIGHUP)
			signal.Reset(syscall.SIGTERM)
			err := shard.ServePipe(context.WithoutCancel(cmd.Context()), cmd.InOrStdin(), cmd.OutOrStdout())
			if errors.Is(err, syscall.EPIPE) {
				return nil // whoever gave the orders is gone
			}
			return err
		},
	}
}

// shardLine is how a shard did.
func shardLine(g result.Generator) string {
	if g.Error != "" {
		return g.Error
	}
	words := []string{fmt.Sprintf("%d requests", g.Requests)}
	if g.CPU != nil && g.Allowance != nil {
		words = append(words, fmt.Sprintf("%.2f of %.3g cores", *g.CPU, *g.Allowance))
	}
	if g.TimerLateMS != nil {
		words = append(words, fmt.Sprintf("timers %.1f ms late (p99)", *g.TimerLateMS))
	}
	return strings.Join(words, ", ")
}
