package main

import "github.com/spf13/cobra"

func newUpCommand() *cobra.Command {
	return &cobra.Command{Use: "up [stage]", Short: "Run a stage's topology on this machine"}
}
