package platform

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/platform/boot"
)

// k3sVersion is pinned; Istio 1.31 wants Kubernetes 1.32 to 1.37.
const k3sVersion = "v1.35.8+k3s1"

// kubernetesPort is where the API server listens.
const kubernetesPort = 6443

// Certificates last ten years and are not renewed: a stage that is kept for longer has to be replaced.
const authorityHours, adminHours = 87600, 8760

// Cluster is k3s on one server. Nobody logs in to fetch its kubeconfig: the program makes the
// cluster's certificate authorities, and with them an administrator's certificate.
type Cluster struct {
	pulumi.ResourceState
	Server *Server
	// Kubeconfig is an administrator's, a secret. In an update it is known only once the API
	// answers, because a provider that finds no API gives up.
	Kubeconfig pulumi.StringOutput
}

// ClusterArgs are the arguments of NewCluster.
type ClusterArgs struct {
	Config  Config
	Network *Network
	// Registry is the host name of the registry that pods pull from.
	Registry pulumi.StringOutput
}

// bootMinutes is how long a server may take from its start to an answering API.
const bootMinutes = 15

// NewCluster makes the certificate authorities, the server, and the way to its API for the operator.
func NewCluster(ctx *pulumi.Context, name string, args ClusterArgs, opts ...pulumi.ResourceOption) (*Cluster, error) {
	cluster := &Cluster{}
	if err := ctx.RegisterComponentResource("shoplab:platform:Cluster", name, cluster, opts...); err != nil {
		return nil, err
	}
	authorities, err := newAuthorities(ctx, name, cluster)
	if err != nil {
		return nil, err
	}
	folder := "/shoplab/" + args.Config.Stack + "/k3s"
	parameters, folderARN, err := storeAuthorities(ctx, name, folder, authorities, cluster)
	if err != nil {
		return nil, err
	}
	if err := openToNetwork(ctx, name+"-api", args.Network.Compute, args.Config.OperatorCIDR, kubernetesPort,
		cluster); err != nil {
		return nil, err
	}
	cluster.Server, err = NewServer(ctx, name+"-server", ServerArgs{
		Config: args.Config, Network: args.Network, Paths: []pulumi.StringInput{folderARN}, Needs: parameters,
		HopLimit: 1, // the kubelet asks for the role's credentials; pods must not
		UserData: func(address pulumi.StringOutput) pulumi.StringOutput {
			return pulumi.All(address, args.Registry).ApplyT(func(all []any) (string, error) {
				return boot.K3s(boot.K3sArgs{
					Region: args.Config.Region, Parameters: folder, CAFiles: names(authorities.files),
					LogGroup: args.Config.logGroup(),
					Version:  k3sVersion, Address: all[0].(string), Registry: all[1].(string),
				})
			}).(pulumi.StringOutput)
		},
	}, child(cluster)...)
	if err != nil {
		return nil, err
	}
	certificate, key, err := authorities.admin(ctx, name, cluster)
	if err != nil {
		return nil, err
	}
	cluster.Kubeconfig = pulumi.ToSecret(pulumi.All(cluster.Server.Address, authorities.files["server-ca.crt"],
		certificate, key,
		cluster.Server.Instance.ID()).ApplyT(func(all []any) (string, error) {
		admin := access{
			server:    fmt.Sprintf("https://%s:%d", all[0], kubernetesPort),
			authority: all[1].(string), certificate: all[2].(string), key: all[3].(string),
		}
		if args.Config.Wait && !ctx.DryRun() {
			if err := ctx.Log.Info("waiting for the Kubernetes API at "+admin.server, &pulumi.LogArgs{
				Resource: cluster,
			}); err != nil {
				return "", err
			}
			if err := admin.await(ctx.Context(), bootMinutes*time.Minute); err != nil {
				return "", err
			}
		}
		return admin.kubeconfig()
	})).(pulumi.StringOutput)
	return cluster, ctx.RegisterResourceOutputs(cluster, pulumi.Map{"kubeconfig": cluster.Kubeconfig})
}

// authorities are the files that k3s takes instead of making its own, all of them or none:
// docs.k3s.io/cli/certificate#using-custom-ca-certificates. The names are relative to its folder
// server/tls.
type authorities struct {
	files map[string]pulumi.StringOutput
}

func newAuthorities(ctx *pulumi.Context, name string, parent pulumi.Resource) (*authorities, error) {
	a := &authorities{files: map[string]pulumi.StringOutput{}}
	for _, file := range []string{"server-ca", "client-ca", "request-header-ca", "etcd/server-ca", "etcd/peer-ca"} {
		resource := name + "-" + strings.ReplaceAll(file, "/", "-")
		key, err := ecKey(ctx, resource+"-key", parent)
		if err != nil {
			return nil, err
		}
		certificate, err := tls.NewSelfSignedCert(ctx, resource, &tls.SelfSignedCertArgs{
			PrivateKeyPem: key.PrivateKeyPem, IsCaCertificate: pulumi.Bool(true), SetSubjectKeyId: pulumi.Bool(true),
			AllowedUses: pulumi.ToStringArray([]string{"cert_signing", "digital_signature", "key_encipherment"}),
			Subject: tls.SelfSignedCertSubjectArgs{
				CommonName: pulumi.String("k3s-" + strings.ReplaceAll(file, "/", "-")),
			},
			ValidityPeriodHours: pulumi.Int(authorityHours),
		}, child(parent)...)
		if err != nil {
			return nil, err
		}
		a.files[file+".crt"], a.files[file+".key"] = certificate.CertPem, key.PrivateKeyPem
	}
	service, err := tls.NewPrivateKey(ctx, name+"-service-key", &tls.PrivateKeyArgs{
		Algorithm: pulumi.String("RSA"), RsaBits: pulumi.Int(2048),
	}, child(parent)...)
	if err != nil {
		return nil, err
	}
	a.files["service.key"] = service.PrivateKeyPem
	return a, nil
}

func ecKey(ctx *pulumi.Context, name string, parent pulumi.Resource) (*tls.PrivateKey, error) {
	return tls.NewPrivateKey(ctx, name, &tls.PrivateKeyArgs{
		Algorithm: pulumi.String("ECDSA"), EcdsaCurve: pulumi.String("P256"),
	}, child(parent)...)
}

// admin makes a certificate of the group system:masters, which Kubernetes lets do everything.
func (a *authorities) admin(
	ctx *pulumi.Context, name string, parent pulumi.Resource,
) (certificate, key pulumi.StringOutput, err error) {
	private, err := ecKey(ctx, name+"-admin-key", parent)
	if err != nil {
		return certificate, key, err
	}
	request, err := tls.NewCertRequest(ctx, name+"-admin-request", &tls.CertRequestArgs{
		PrivateKeyPem: private.PrivateKeyPem,
		Subject: tls.CertRequestSubjectArgs{
			CommonName: pulumi.String("system:admin"), Organization: pulumi.String("system:masters"),
		},
	}, child(parent)...)
	if err != nil {
		return certificate, key, err
	}
	signed, err := tls.NewLocallySignedCert(ctx, name+"-admin", &tls.LocallySignedCertArgs{
		CertRequestPem: request.CertRequestPem, CaCertPem: a.files["client-ca.crt"],
		CaPrivateKeyPem:     a.files["client-ca.key"],
		AllowedUses:         pulumi.ToStringArray([]string{"client_auth", "digital_signature", "key_encipherment"}),
		ValidityPeriodHours: pulumi.Int(adminHours),
		EarlyRenewalHours:   pulumi.Int(adminHours / 4),
	}, child(parent)...)
	if err != nil {
		return certificate, key, err
	}
	return signed.CertPem, private.PrivateKeyPem, nil
}

// storeAuthorities puts the files where the server fetches them before k3s first starts.
func storeAuthorities(
	ctx *pulumi.Context, name, folder string, a *authorities, parent pulumi.Resource,
) ([]pulumi.Resource, pulumi.StringOutput, error) {
	var all []pulumi.Resource
	var folderARN pulumi.StringOutput
	for _, file := range names(a.files) {
		parameter, err := ssm.NewParameter(ctx, name+"-"+strings.NewReplacer("/", "-", ".", "-").Replace(file)+"-file",
			&ssm.ParameterArgs{
				Name: pulumi.String(path.Join(folder, file)), Type: pulumi.String("SecureString"), Value: a.files[file],
			}, child(parent)...)
		if err != nil {
			return nil, folderARN, err
		}
		all = append(all, parameter)
		folderARN = parameter.Arn.ApplyT(func(arn string) string {
			return strings.TrimSuffix(arn, "/"+file)
		}).(pulumi.StringOutput)
	}
	return all, folderARN, nil
}
