package platform

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// checkIP is AWS's service that answers with the address from which it is asked.
const checkIP = "https://checkip.amazonaws.com"

// operatorNetwork is the network that may reach the Kubernetes API: the one that the stack names, or the address
// from which this program runs, looked up at each preview and up, so that access follows the operator's address.
func operatorNetwork(ctx *pulumi.Context, c Config) (string, error) {
	if c.OperatorCIDR != "" {
		return c.OperatorCIDR, nil
	}
	address, err := ownAddress(ctx.Context(), checkIP)
	if err != nil {
		return "", fmt.Errorf("the Kubernetes API is to admit the address that this runs from, which is not known: %w; "+
			"name it: pulumi config set -s %s operatorCidr 203.0.113.7/32", err, c.Stack)
	}
	network := netip.PrefixFrom(address, address.BitLen()).String()
	return network, ctx.Log.Info(fmt.Sprintf("the Kubernetes API admits %s, from which this runs (%s); "+
		"shoplab:operatorCidr names another network", network, checkIP), nil)
}

// ownAddress asks a service for the address from which it is asked. It asks by IPv4, by which the server is
// reached, whatever else this machine has.
func ownAddress(ctx context.Context, service string) (netip.Addr, error) {
	none := netip.Addr{}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	transport.DialContext = func(ctx context.Context, _, address string) (net.Conn, error) {
		return dialer.DialContext(ctx, "tcp4", address)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, service, nil)
	if err != nil {
		return none, fmt.Errorf("ask %s: %w", service, err)
	}
	response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(request)
	if err != nil {
		return none, err // names the service
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1024))
	if err != nil {
		return none, fmt.Errorf("read the answer of %s: %w", service, err)
	}
	if response.StatusCode != http.StatusOK {
		return none, fmt.Errorf("%s answers %s", service, response.Status)
	}
	address, err := netip.ParseAddr(strings.TrimSpace(string(body)))
	if err != nil || !address.Is4() || !address.IsGlobalUnicast() || address.IsPrivate() {
		return none, fmt.Errorf("%s answers %q, not a public IPv4 address", service, strings.TrimSpace(string(body)))
	}
	return address, nil
}
