package cli

import (
	"bytes"
	"strings"
	"testing"
)

// What cannot be meant is refused before anything is started, and says what to do.
func TestFaultsAreChecked(t *testing.T) {
	for args, want := range map[string]string{
		"faults --config shoplab:https=off":                                            "change stacks on AWS",
		"faults --new-image a@sha256:b":                                                "change stacks on AWS",
		"faults --target aws --new-image a@sha256:b":                                   "--config shoplab:image=IMAGE",
		"faults --target aws --config shoplab:image=a@sha256:b":                        "has to be named: --new-image",
		"faults --target aws --config image":                                           "want KEY=VALUE",
		"faults --target aws --config shoplab:image=a@sha256:b --new-image a@sha256:b": "follows another image",
		"faults --target moon":                                                         "want local",
		"faults stage9":                                                                `stage "stage9"`,
		"faults --fault sunshine":                                                      "want one of instance killed",
		"faults --repeats 0":                                                           "want 1 to 20",
		"faults --longest-wait -1s":                                                    "0s, which keeps all in full",
		"faults --rate -5":                                                             "-5 requests a second",
		"faults stage1 --stages stage2":                                                "without --stages",
	} {
		var stdout, stderr bytes.Buffer
		code := Run(t.Context(), strings.Fields(args), &stdout, &stderr)
		if code != 1 || !strings.Contains(stderr.String(), want) {
			t.Errorf("lab %s: exit status %d, %q; want 1 and %q", args, code, stderr.String(), want)
		}
	}
}
