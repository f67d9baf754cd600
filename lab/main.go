// Command lab is the shop's laboratory: it runs the stages on this machine, loads them, prices them
// and reports what was measured. Package cli has its commands.
package main

import (
	"context"
	"os"

	"shoplab/lab/cli"
)

func main() {
	os.Exit(cli.Run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}
