package platform

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/urn"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

// kubernetesPlugin is the name by which Pulumi starts its Kubernetes provider.
const kubernetesPlugin = "pulumi-resource-kubernetes"

// TestMain is also the Kubernetes provider of the end-to-end test: the emulated account has no
// cluster, so the test's own program, started by the provider's name, says yes to every object.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == kubernetesPlugin {
		if err := serveKubernetes(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	for _, folder := range temporary {
		_ = os.RemoveAll(folder)
	}
	os.Exit(code)
}

func serveKubernetes() error {
	server, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{Init: func(s *grpc.Server) error {
		pulumirpc.RegisterResourceProviderServer(s, obliging{})
		return nil
	}})
	if err != nil {
		return err
	}
	fmt.Println(server.Port) // how Pulumi learns where its plugin listens
	return <-server.Done
}

// installKubernetes puts this program where Pulumi looks for the provider.
func (a *account) installKubernetes(t *testing.T) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(a.variable("PULUMI_HOME"), "plugins", "resource-kubernetes-v4.21.1")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(dir, kubernetesPlugin)); err != nil {
		t.Fatal(err)
	}
}

// obliging is a provider that remembers nothing and agrees to everything.
type obliging struct {
	pulumirpc.UnimplementedResourceProviderServer
}

func (obliging) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: "4.21.1"}, nil
}

func (obliging) CheckConfig(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: r.GetNews()}, nil
}

func (obliging) DiffConfig(_ context.Context, r *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return compare(r), nil
}

func (obliging) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return &pulumirpc.ConfigureResponse{AcceptSecrets: true, SupportsPreview: true, AcceptResources: true}, nil
}

func (obliging) Check(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: r.GetNews()}, nil
}

func (obliging) Diff(_ context.Context, r *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return compare(r), nil
}

// Read finds every object as it was left.
func (obliging) Read(_ context.Context, r *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	return &pulumirpc.ReadResponse{Id: r.GetId(), Properties: r.GetProperties(), Inputs: r.GetInputs()}, nil
}

func (obliging) Create(_ context.Context, r *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	return &pulumirpc.CreateResponse{Id: urn.URN(r.GetUrn()).Name(), Properties: r.GetProperties()}, nil
}

func (obliging) Update(_ context.Context, r *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	return &pulumirpc.UpdateResponse{Properties: r.GetNews()}, nil
}

// Delete is never called for what is deleted with the server: a call is a program that waits for a
// dead API.
func (obliging) Delete(_ context.Context, r *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	return nil, fmt.Errorf("asked to delete %s from a cluster that is gone", r.GetUrn())
}

func (obliging) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// compare sees a change of inputs; the state is the inputs.
func compare(r *pulumirpc.DiffRequest) *pulumirpc.DiffResponse {
	if proto.Equal(r.GetOldInputs(), r.GetNews()) {
		return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}
	}
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_SOME}
}
