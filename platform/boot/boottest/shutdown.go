package boottest

// network and resolver stand in for the units that a server on EC2 has its network and its names from, where the
// order of the shutdown decides when both go: systemd-networkd, and a resolver such as systemd-resolved or dnsmasq.
const network = `[Unit]
DefaultDependencies=no
Conflicts=shutdown.target
Wants=network.target
Before=network.target shutdown.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=ip link set veth-outside up
ExecStart=ip route replace ` + MetadataAddress + `/32 dev veth-outside
ExecStop=ip link set veth-outside down
[Install]
WantedBy=multi-user.target
`

const resolver = `[Unit]
Wants=nss-lookup.target
Before=nss-lookup.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=cp /etc/hosts.bed /etc/hosts
ExecStop=cp /etc/hosts /etc/hosts.bed
ExecStop=sed -i /amazonaws/d /etc/hosts
[Install]
WantedBy=multi-user.target
`

// TakesNetworkDown makes the machine lose its names and its network when it shuts down, as a server does. The network
// of the bed's own machines would outlive them.
func (m *Machine) TakesNetworkDown() {
	m.t.Helper()
	for unit, text := range map[string]string{"bed-network": network, "bed-resolver": resolver} {
		if out, err := m.try(m.t.Context(), text, "sh", "-ec", "cat >/etc/systemd/system/"+unit+".service"); err != nil {
			m.t.Fatalf("write %s: %v\n%s", unit, err, out)
		}
	}
	m.Run("sh", "-ec", "cp /etc/hosts /etc/hosts.bed; systemctl enable --now bed-network bed-resolver")
}
