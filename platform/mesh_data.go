package platform

import (
	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Images of the data on a cluster that is not ours, which reaches neither RDS nor ElastiCache.
const (
	postgresImage = "docker.io/library/postgres:17"
	valkeyImage   = "docker.io/valkey/valkey:8.0"
)

// store is a server of data inside the cluster: one pod, gone with its data.
type store struct {
	name, image string
	port        int
	env, args   []string // env: name, value, name, value
}

// data makes PostgreSQL and Valkey in the shop's namespace. They have no passwords: strict mTLS lets
// in nobody but pods of the mesh.
func (m *ServiceMesh) data(ctx *pulumi.Context, namespace *corev1.Namespace, needs ...pulumi.Resource) ([]pulumi.Resource, error) {
	var all []pulumi.Resource
	for _, s := range []store{
		{
			name: "database", image: postgresImage, port: postgresPort,
			env: []string{"POSTGRES_USER", "shop", "POSTGRES_DB", "shop", "POSTGRES_HOST_AUTH_METHOD", "trust"},
		},
		{
			name: "cache", image: valkeyImage, port: redisPort,
			args: []string{"--save", "", "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru", "--protected-mode", "no"},
		},
	} {
		deployment, err := appsv1.NewDeployment(ctx, m.name+"-"+s.name, s.deployment(), m.in(needs...)...)
		if err != nil {
			return nil, err
		}
		service, err := corev1.NewService(ctx, m.name+"-"+s.name+"-service", &corev1.ServiceArgs{
			Metadata: s.metadata(),
			Spec: corev1.ServiceSpecArgs{
				Selector: s.labels(),
				Ports: corev1.ServicePortArray{corev1.ServicePortArgs{
					Name: pulumi.String("tcp"), Port: pulumi.Int(s.port), TargetPort: pulumi.Int(s.port),
				}},
			},
		}, m.in(namespace)...)
		if err != nil {
			return nil, err
		}
		all = append(all, deployment, service)
	}
	return all, nil
}

func (s store) labels() pulumi.StringMap { return pulumi.StringMap{"app": pulumi.String(s.name)} }

func (s store) metadata() metav1.ObjectMetaArgs {
	return metav1.ObjectMetaArgs{Name: pulumi.String(s.name), Namespace: pulumi.String(shopName), Labels: s.labels()}
}

func (s store) deployment() *appsv1.DeploymentArgs {
	var env corev1.EnvVarArray
	for i := 0; i < len(s.env); i += 2 {
		env = append(env, corev1.EnvVarArgs{Name: pulumi.String(s.env[i]), Value: pulumi.String(s.env[i+1])})
	}
	return &appsv1.DeploymentArgs{
		Metadata: s.metadata(),
		Spec: appsv1.DeploymentSpecArgs{
			Replicas: pulumi.Int(1), Selector: metav1.LabelSelectorArgs{MatchLabels: s.labels()},
			Strategy: appsv1.DeploymentStrategyArgs{Type: pulumi.String("Recreate")},
			Template: corev1.PodTemplateSpecArgs{
				Metadata: metav1.ObjectMetaArgs{Labels: s.labels()},
				Spec: corev1.PodSpecArgs{
					AutomountServiceAccountToken: pulumi.Bool(false),
					Containers: corev1.ContainerArray{corev1.ContainerArgs{
						Name: pulumi.String(s.name), Image: pulumi.String(s.image), Env: env, Args: pulumi.ToStringArray(s.args),
						Ports:          corev1.ContainerPortArray{corev1.ContainerPortArgs{Name: pulumi.String("tcp"), ContainerPort: pulumi.Int(s.port)}},
						ReadinessProbe: corev1.ProbeArgs{TcpSocket: corev1.TCPSocketActionArgs{Port: pulumi.String("tcp")}, PeriodSeconds: pulumi.Int(2)},
						Resources: corev1.ResourceRequirementsArgs{
							Requests: pulumi.ToStringMap(map[string]string{"cpu": "50m", "memory": "128Mi"}),
							Limits:   pulumi.ToStringMap(map[string]string{"memory": "512Mi"}),
						},
					}},
				},
			},
		},
	}
}
