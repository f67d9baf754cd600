package platform

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// runProgram runs a program as the engine would, with mocks for the providers. pulumi.WithMocks does not do:
// its monitor panics when a program registers a hook (pulumi/pulumi#24161, mended in SDK 3.256).
func runProgram(
	t *testing.T, stack string, mocks pulumi.MockResourceMonitor, body pulumi.RunFunc, opts ...pulumi.RunOption,
) error {
	t.Helper()
	_, err := runLogged(t, stack, mocks, body, opts...)
	return err
}

// runLogged is runProgram, with what the program logged.
func runLogged(
	t *testing.T, stack string, mocks pulumi.MockResourceMonitor, body pulumi.RunFunc, opts ...pulumi.RunOption,
) (*engine, error) {
	t.Helper()
	e, stop := &engine{stack: stack, mocks: mocks}, make(chan bool)
	server, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{Cancel: stop, Init: func(s *grpc.Server) error {
		pulumirpc.RegisterResourceMonitorServer(s, e)
		pulumirpc.RegisterEngineServer(s, &e.log)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		close(stop)
		if err := <-server.Done; err != nil {
			t.Error(err)
		}
	}()
	address := fmt.Sprintf("127.0.0.1:%d", server.Port)
	options := []pulumi.RunOption{func(info *pulumi.RunInfo) {
		info.Project, info.Stack, info.MonitorAddr, info.EngineAddr = "shoplab", stack, address, address
	}}
	return e, pulumi.RunErr(body, append(options, opts...)...)
}

// engine is as much of Pulumi's engine as a program needs to register everything it has.
type engine struct {
	pulumirpc.UnimplementedResourceMonitorServer
	stack string
	mocks pulumi.MockResourceMonitor
	log   engineLog
}

// engineLog keeps what a program logs.
type engineLog struct {
	pulumirpc.UnimplementedEngineServer
	mu    sync.Mutex
	lines []string
}

func (l *engineLog) Log(_ context.Context, r *pulumirpc.LogRequest) (*emptypb.Empty, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, r.GetSeverity().String()+": "+r.GetMessage())
	return &emptypb.Empty{}, nil
}

func (l *engineLog) RequirePulumiVersion(
	context.Context, *pulumirpc.RequirePulumiVersionRequest,
) (*pulumirpc.RequirePulumiVersionResponse, error) {
	return &pulumirpc.RequirePulumiVersionResponse{}, nil
}

// Without output values, as pulumi's own mocks: inputs are then plain.
func (e *engine) SupportsFeature(
	_ context.Context, r *pulumirpc.SupportsFeatureRequest,
) (*pulumirpc.SupportsFeatureResponse, error) {
	return &pulumirpc.SupportsFeatureResponse{HasSupport: r.GetId() != "outputValues"}, nil
}

func (e *engine) Invoke(_ context.Context, r *pulumirpc.ResourceInvokeRequest) (*pulumirpc.InvokeResponse, error) {
	options := plugin.MarshalOptions{KeepSecrets: true, KeepResources: true}
	args, err := plugin.UnmarshalProperties(r.GetArgs(), options)
	if err != nil {
		return nil, err
	}
	result, err := e.mocks.Call(pulumi.MockCallArgs{Token: r.GetTok(), Args: args, Provider: r.GetProvider()})
	if err != nil {
		return nil, err
	}
	out, err := plugin.MarshalProperties(result, options)
	return &pulumirpc.InvokeResponse{Return: out}, err
}

func (e *engine) RegisterResource(
	_ context.Context, r *pulumirpc.RegisterResourceRequest,
) (*pulumirpc.RegisterResourceResponse, error) {
	parent := tokens.Type("")
	if urn := resource.URN(r.GetParent()); urn != "" && urn.QualifiedType() != resource.RootStackType {
		parent = urn.QualifiedType()
	}
	urn := string(resource.NewURN(tokens.QName(e.stack), "shoplab", parent, tokens.Type(r.GetType()), r.GetName()))
	if r.GetType() == string(resource.RootStackType) {
		return &pulumirpc.RegisterResourceResponse{Urn: urn}, nil
	}
	options := plugin.MarshalOptions{KeepSecrets: true, KeepResources: true}
	inputs, err := plugin.UnmarshalProperties(r.GetObject(), options)
	if err != nil {
		return nil, err
	}
	id, state, err := e.mocks.NewResource(pulumi.MockResourceArgs{
		TypeToken: r.GetType(), Name: r.GetName(), Inputs: inputs, Provider: r.GetProvider(), ID: r.GetImportId(),
		Custom: r.GetCustom(), RegisterRPC: r,
	})
	if err != nil {
		return nil, err
	}
	out, err := plugin.MarshalProperties(state, options)
	return &pulumirpc.RegisterResourceResponse{Urn: urn, Id: id, Object: out}, err
}

func (e *engine) RegisterResourceOutputs(
	context.Context, *pulumirpc.RegisterResourceOutputsRequest,
) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (e *engine) RegisterResourceHook(context.Context, *pulumirpc.RegisterResourceHookRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (e *engine) RegisterErrorHook(context.Context, *pulumirpc.RegisterErrorHookRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (e *engine) SignalAndWaitForShutdown(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}
