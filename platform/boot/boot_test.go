package boot_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"shoplab/platform/boot"
	"shoplab/platform/boot/boottest"
)

// standInK3s is started as k3s would be. It is ready only if everything is in place that k3s looks
// for before its first start; it makes no cluster.
const standInK3s = `#!/bin/sh
set -eu
test "$1" = server
cd /var/lib/rancher/k3s/server/tls
for file in server-ca.crt server-ca.key etcd/peer-ca.crt; do test "$(cat $file)" = "content of $file"; done
test "$(stat -c '%U %a' server-ca.key)" = "root 600"
test -x /var/lib/rancher/credentialprovider/bin/ecr-login
test -s /var/lib/rancher/credentialprovider/config.yaml
grep -q 'tls-san: \["203.0.113.9"\]' /etc/rancher/k3s/config.yaml
systemd-notify --ready
exec sleep infinity
`

// TestBootK3s boots stage 4's user data with a stand-in for the k3s binary, which comes from GitHub.
// It proves the order: authorities first, then a checked binary, then the first start.
func TestBootK3s(t *testing.T) {
	kit := boottest.Kit(t)
	args := k3s()
	document, err := boot.K3s(args)
	if err != nil {
		t.Fatal(err)
	}
	release := "github.com/k3s-io/k3s/releases/download/" + args.Version + "/"
	aws := &boottest.AWS{Region: args.Region, Parameters: map[string]string{}, Files: map[string][]byte{
		release + "k3s":                 []byte(standInK3s),
		release + "sha256sum-amd64.txt": fmt.Appendf(nil, "%x  k3s\n", sha256.Sum256([]byte(standInK3s))),
	}}
	for _, file := range args.CAFiles {
		aws.Parameters[args.Parameters+"/"+file] = "content of " + file
	}
	machine := boottest.Boot(t, kit, boottest.Options{Name: "boot-k3s", UserData: document, AWS: aws})
	if got := machine.Run("systemctl", "is-active", "k3s"); got != "active" {
		t.Errorf("k3s is %s", got)
	}
	// What the kubelet does for an image of the registry.
	answer := machine.Run("sh", "-c",
		`echo '{"kind":"CredentialProviderRequest"}' | /var/lib/rancher/credentialprovider/bin/ecr-login`)
	var response struct {
		Kind, APIVersion, CacheKeyType string
		Auth                           map[string]struct{ Username, Password string }
	}
	decoder := json.NewDecoder(strings.NewReader(answer))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&response); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	if got := response.Auth[args.Registry]; got.Username != "AWS" || got.Password != boottest.RegistryPassword ||
		response.Kind != "CredentialProviderResponse" {
		t.Errorf("the credential provider says %+v", response)
	}
	machine.Reboot()
	if got := machine.Run("systemctl", "is-active", "k3s"); got != "active" {
		t.Errorf("after a reboot k3s is %s", got)
	}
}
