// Package cli has the laboratory's commands, one a file.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"shoplab/lab/program"
)

// errThreshold is wrapped when what was to be found out is found out, and is beyond a threshold that the user
// set: --fail-if, --fail-above.
var errThreshold = errors.New("threshold missed")

// exitThreshold is the exit status of errThreshold.
const exitThreshold = 3

// Run runs a command line and returns the exit status: 0, 1 after an error, 3 where a threshold was missed,
// 130 after Ctrl-C; and that of a program that did what was asked, such as lab sweep's.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		if err.Error() != ctx.Err().Error() { // more than that it was interrupted
			fmt.Fprintln(stderr, "Error:", err)
		}
		return 130
	}
	var exit program.Exit
	if errors.As(err, &exit) {
		return int(exit)
	}
	fmt.Fprintln(stderr, "Error:", err)
	if errors.Is(err, errThreshold) {
		return exitThreshold
	}
	return 1
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "lab",
		Short:         "Run one shop on five infrastructures and measure what each can do",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(
		newUpCommand(),
		newRunCommand(),
		newLoadCommand(),
		newShardCommand(),
		newReportCommand(),
		newForecastCommand(),
		newAdviseCommand(),
		newFindingsCommand(),
		newFaultsCommand(),
		newCostCommand(),
		newSweepCommand(),
		newVersionCommand(),
	)
	return root
}
