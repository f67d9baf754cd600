package platform

import (
	"strconv"
	"testing"

	"shoplab/contract"
	"shoplab/platform/boot/boottest"
)

// metadataAddresses are both of the instance metadata service's, as a URL has them.
var metadataAddresses = []string{boottest.MetadataAddress, "[" + boottest.MetadataAddress6 + "]"}

// reachesMetadata says whether a user gets a token of the instance metadata service in the network of a process.
func reachesMetadata(machine *boottest.Machine, user, process, address string) bool {
	return machine.Succeeds("nsenter", "--net", "--target", process, "setpriv", "--reuid", user, "--regid", user,
		"--clear-groups",
		"curl", "-sS", "--globoff", "--max-time", "2", "-o", "/dev/null", "-X", "PUT",
		"-H", "X-aws-ec2-metadata-token-ttl-seconds: 60", "http://"+address+"/latest/api/token")
}

// guardsMetadata: root reaches the instance metadata, and with it the role's credentials, and the shop's container does
// not, though it shares the server's network.
func guardsMetadata(t *testing.T, machine *boottest.Machine) {
	t.Helper()
	process := machine.Run("sh", "-ec", "podman inspect --format '{{.State.Pid}}' $(podman ps --quiet)")
	user := machine.Run("stat", "-c", "%u", "/proc/"+process)
	if user != strconv.Itoa(contract.UID) {
		t.Fatalf("the shop runs as user %s, want %d", user, contract.UID)
	}
	for _, address := range metadataAddresses {
		if !reachesMetadata(machine, "0", process, address) {
			t.Errorf("root does not reach %s", address)
		}
		if reachesMetadata(machine, user, process, address) {
			t.Errorf("the shop's container reaches %s", address)
		}
	}
}

// failsClosed: without its rules the shop does not run.
func failsClosed(t *testing.T, machine *boottest.Machine) {
	t.Helper()
	machine.Run("systemctl", "stop", "nftables")
	if machine.Succeeds("systemctl", "is-active", "shop") {
		t.Error("the shop runs on without the rules that keep it from the instance metadata")
	}
	for _, address := range metadataAddresses { // or something else kept the shop away
		if !reachesMetadata(machine, strconv.Itoa(contract.UID), "1", address) {
			t.Errorf("without the rules its user does not reach %s either", address)
		}
	}
	machine.Run("sh", "-ec", "cp /etc/nftables.conf /root; echo nonsense >>/etc/nftables.conf")
	if machine.Succeeds("systemctl", "start", "shop") {
		t.Error("the shop starts though its rules cannot be loaded")
	}
	machine.Run("sh", "-ec", "mv /root/nftables.conf /etc; systemctl reset-failed; systemctl start shop")
}
