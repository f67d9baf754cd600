package platform

import (
	"slices"
	"strings"
	"testing"
)

// TestSessionKeyRotates: each version has a key of its own, which signs, beside the key of the version before.
func TestSessionKeyRotates(t *testing.T) {
	for version, want := range map[string][]string{
		"1": {"secrets-session-key"},
		"2": {"secrets-session-key-2", "secrets-session-key"},
		"3": {"secrets-session-key-3", "secrets-session-key-2"},
	} {
		r, _ := deploy(t, "stage3", map[string]string{"shoplab:sessionKeyVersion": version})
		var keys []string
		for _, res := range r.resources {
			if res.Type != "aws:ssm/parameter:Parameter" || !strings.HasSuffix(res.Name, "SESSION_KEY") {
				continue
			}
			value := res.Inputs["value"]
			if !value.IsSecret() {
				t.Error("the keys are no secret")
			}
			for key := range strings.SplitSeq(value.SecretValue().Element.StringValue(), ",") {
				keys = append(keys, strings.TrimRight(strings.TrimPrefix(key, mockSecret), "x"))
			}
		}
		if !slices.Equal(keys, want) {
			t.Errorf("version %s: keys %q, want %q", version, keys, want)
		}
	}
}
