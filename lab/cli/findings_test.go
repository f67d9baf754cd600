package cli

import (
	"bytes"
	"strings"
	"testing"
)

// What cannot be measured in a cluster is refused before the cluster is asked.
func TestFindingsInAClusterAreChecked(t *testing.T) {
	for args, want := range map[string]string{
		"findings --kubeconfig k":            "lab findings mesh --kubeconfig FILE",
		"findings mesh pool --kubeconfig k":  "only the findings mesh and bypass",
		"findings mesh --stack stage4":       "--stack belongs to --kubeconfig",
		"findings mesh --kubeconfig /no/one": "--kubeconfig: stat /no/one",
	} {
		var stdout, stderr bytes.Buffer
		code := Run(t.Context(), strings.Fields(args), &stdout, &stderr)
		if code != 1 || !strings.Contains(stderr.String(), want) {
			t.Errorf("lab %s: exit status %d, %q; want 1 and %q", args, code, stderr.String(), want)
		}
	}
}
