package cli

import (
	_ "embed"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release is the version that CHANGELOG.md describes.
const release = "0.1.0"

// licenses are those of the modules in lab and in its programs.
//
//go:embed licenses.txt
var licenses string

func newVersionCommand() *cobra.Command {
	var long bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version, and the licences of what is compiled in",
		Example: "  go run ./lab version\n  go run ./lab version --licenses",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "lab %s%s, %s %s/%s\n", release, commit(), runtime.Version(), runtime.GOOS,
				runtime.GOARCH)
			if err == nil && long {
				_, err = fmt.Fprint(cmd.OutOrStdout(), "\n"+licenses)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&long, "licenses", false, "print the licences too")
	return cmd
}

// commit is the one that was built, where the build has noted it; `go run` does not.
func commit() string {
	info, _ := debug.ReadBuildInfo()
	revision, changed := "", ""
	for i := 0; info != nil && i < len(info.Settings); i++ {
		switch s := info.Settings[i]; {
		case s.Key == "vcs.revision":
			revision = " (" + s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = ", changed"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + changed + ")"
}
