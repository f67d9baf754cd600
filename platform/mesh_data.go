package platform

import (
	"path"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
)

// Images of the data on a cluster that is not ours, which reaches neither RDS nor ElastiCache.
const (
	postgresImage = "docker.io/library/postgres:17"
	valkeyImage   = "docker.io/valkey/valkey:8.0"
)

const (
	databaseName, cacheName = "database", "cache"
	// storeUID is the user and group of both images' servers: postgres and valkey in images made of Debian.
	storeUID = 999
	// dataFolder is where PostgreSQL's image expects a volume; the data lie in a folder in it, because a volume
	// may have a lost+found. secretFolder has the password.
	dataFolder, secretFolder = "/var/lib/postgresql/data", "/etc/shoplab"
	// ephemeral is the value of shoplab:storageClass for a database without a volume.
	ephemeral = "ephemeral"
)

// store is a server of data inside the cluster: one pod.
type store struct {
	name, image string
	port        int
	args        []string
	env         map[string]string
	file        string // in secretFolder
	secret      pulumi.StringOutput
	volume      bool
}

// stores are PostgreSQL and Valkey, and the shop's variables that lead to them.
func (m *ServiceMesh) stores(ctx *pulumi.Context) ([]store, map[string]pulumi.StringOutput, error) {
	database, err := m.password(ctx, databaseName)
	if err != nil {
		return nil, nil, err
	}
	cache, err := m.password(ctx, cacheName)
	if err != nil {
		return nil, nil, err
	}
	all := []store{
		{
			name: databaseName, image: postgresImage, port: postgresPort, volume: true,
			env: map[string]string{
				"POSTGRES_USER": "shop", "POSTGRES_DB": "shop", "POSTGRES_PASSWORD_FILE": path.Join(secretFolder, "password"),
				"PGDATA": path.Join(dataFolder, "pgdata"),
			},
			file: "password", secret: database,
		},
		{
			name: cacheName, image: valkeyImage, port: redisPort,
			args: []string{
				path.Join(secretFolder, "valkey.conf"), "--save", "", "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru",
			},
			file: "valkey.conf", secret: pulumi.Sprintf("requirepass %s\n", cache),
		},
	}
	return all, map[string]pulumi.StringOutput{
		contract.EnvDatabaseURL: pulumi.Sprintf("postgres://shop:%s@%s/shop?sslmode=disable", database, databaseName),
		contract.EnvRedisURL:    pulumi.Sprintf("redis://:%s@%s:%d", cache, cacheName, redisPort),
	}, nil
}

func (m *ServiceMesh) password(ctx *pulumi.Context, name string) (pulumi.StringOutput, error) {
	made, err := random.NewRandomPassword(ctx, m.name+"-"+name+"-password", &random.RandomPasswordArgs{
		Length: pulumi.Int(32), Special: pulumi.Bool(false),
	}, child(m)...)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return made.Result, nil
}

// data makes PostgreSQL and Valkey in the shop's namespace, and returns them and the shop's way to them. Who may
// talk to them is in mesh_access.go; mutual TLS encrypts it.
func (m *ServiceMesh) data(
	ctx *pulumi.Context, namespace *corev1.Namespace, needs ...pulumi.Resource,
) ([]pulumi.Resource, map[string]pulumi.StringOutput, error) {
	stores, env, err := m.stores(ctx)
	if err != nil {
		return nil, nil, err
	}
	var all []pulumi.Resource
	for _, s := range stores {
		secret, err := corev1.NewSecret(ctx, m.name+"-"+s.name+"-secret", &corev1.SecretArgs{
			Metadata: m.metadata(s.name), StringData: pulumi.StringMap{s.file: s.secret},
		}, m.in(namespace)...)
		if err != nil {
			return nil, nil, err
		}
		service, err := corev1.NewService(ctx, m.name+"-"+s.name+"-service", &corev1.ServiceArgs{
			Metadata: m.metadata(s.name),
			Spec: corev1.ServiceSpecArgs{
				Selector: labels(s.name),
				Ports: corev1.ServicePortArray{corev1.ServicePortArgs{
					Name: pulumi.String("tcp"), Port: pulumi.Int(s.port), TargetPort: pulumi.Int(s.port),
				}},
			},
		}, m.in(namespace)...)
		if err != nil {
			return nil, nil, err
		}
		server, err := m.server(ctx, s, append(needs, secret)...)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, server, service)
	}
	return all, env, nil
}

// server makes the pod of a store: of a StatefulSet, which finds its volume again, or of a Deployment.
func (m *ServiceMesh) server(ctx *pulumi.Context, s store, needs ...pulumi.Resource) (pulumi.Resource, error) {
	selector := metav1.LabelSelectorArgs{MatchLabels: labels(s.name)}
	options := append(m.in(needs...), within(podsReady))
	if !s.volume {
		return appsv1.NewDeployment(ctx, m.name+"-"+s.name, &appsv1.DeploymentArgs{
			Metadata: m.metadata(s.name),
			Spec: appsv1.DeploymentSpecArgs{
				Replicas: pulumi.Int(1), Selector: selector, Template: s.pod(nil),
				Strategy: appsv1.DeploymentStrategyArgs{Type: pulumi.String("Recreate")},
			},
		}, options...)
	}
	spec := appsv1.StatefulSetSpecArgs{
		Replicas: pulumi.Int(1), Selector: selector, ServiceName: pulumi.String(s.name), Template: s.pod(nil),
	}
	if m.args.Config.StorageClass == ephemeral {
		spec.Template = s.pod(corev1.VolumeArgs{Name: pulumi.String("data"), EmptyDir: corev1.EmptyDirVolumeSourceArgs{}})
	} else {
		spec.VolumeClaimTemplates = corev1.PersistentVolumeClaimTypeArray{m.claim()}
	}
	return appsv1.NewStatefulSet(ctx, m.name+"-"+s.name, &appsv1.StatefulSetArgs{Metadata: m.metadata(s.name), Spec: spec},
		options...)
}

// claim asks for the database's volume. It is Kubernetes' to keep while the namespace is there, also when the
// StatefulSet is replaced.
func (m *ServiceMesh) claim() corev1.PersistentVolumeClaimTypeArgs {
	spec := corev1.PersistentVolumeClaimSpecArgs{
		AccessModes: pulumi.ToStringArray([]string{"ReadWriteOnce"}),
		Resources: corev1.VolumeResourceRequirementsArgs{
			Requests: pulumi.StringMap{"storage": pulumi.Sprintf("%dGi", m.args.Config.DatabaseStorage)},
		},
	}
	if class := m.args.Config.StorageClass; class != "" {
		spec.StorageClassName = pulumi.String(class)
	}
	return corev1.PersistentVolumeClaimTypeArgs{Metadata: metav1.ObjectMetaArgs{Name: pulumi.String("data")}, Spec: spec}
}

// pod is the store's, with a volume for its data unless a claim has it.
func (s store) pod(data corev1.VolumeInput) corev1.PodTemplateSpecArgs {
	var env corev1.EnvVarArray
	for _, name := range names(s.env) {
		env = append(env, corev1.EnvVarArgs{Name: pulumi.String(name), Value: pulumi.String(s.env[name])})
	}
	mounts := corev1.VolumeMountArray{corev1.VolumeMountArgs{
		Name: pulumi.String("secret"), MountPath: pulumi.String(secretFolder), ReadOnly: pulumi.Bool(true),
	}}
	volumes := corev1.VolumeArray{corev1.VolumeArgs{
		Name: pulumi.String("secret"), Secret: corev1.SecretVolumeSourceArgs{SecretName: pulumi.String(s.name)},
	}}
	if s.volume {
		mounts = append(mounts, corev1.VolumeMountArgs{Name: pulumi.String("data"), MountPath: pulumi.String(dataFolder)})
	}
	if data != nil {
		volumes = append(volumes, data)
	}
	return corev1.PodTemplateSpecArgs{
		Metadata: metav1.ObjectMetaArgs{Labels: labels(s.name)},
		Spec: corev1.PodSpecArgs{
			ServiceAccountName: pulumi.String(s.name), AutomountServiceAccountToken: pulumi.Bool(false),
			EnableServiceLinks: pulumi.Bool(false),
			SecurityContext:    securityContext(storeUID, true),
			Volumes:            volumes,
			Containers: corev1.ContainerArray{corev1.ContainerArgs{
				Name: pulumi.String(s.name), Image: pulumi.String(s.image), Env: env, Args: pulumi.ToStringArray(s.args),
				Ports: corev1.ContainerPortArray{
					corev1.ContainerPortArgs{Name: pulumi.String("tcp"), ContainerPort: pulumi.Int(s.port)},
				},
				ReadinessProbe: corev1.ProbeArgs{
					TcpSocket: corev1.TCPSocketActionArgs{Port: pulumi.String("tcp")}, PeriodSeconds: pulumi.Int(2),
				},
				VolumeMounts: mounts,
				Resources: corev1.ResourceRequirementsArgs{
					Requests: pulumi.StringMap{
						"cpu": pulumi.Sprintf("%dm", storeRoom.cpu), "memory": pulumi.Sprintf("%dMi", storeRoom.memory),
					},
					Limits: pulumi.ToStringMap(map[string]string{"memory": "512Mi"}),
				},
				SecurityContext: corev1.SecurityContextArgs{
					AllowPrivilegeEscalation: pulumi.Bool(false),
					Capabilities:             corev1.CapabilitiesArgs{Drop: pulumi.ToStringArray([]string{"ALL"})},
				},
			}},
		},
	}
}
