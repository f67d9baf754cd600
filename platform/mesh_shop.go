package platform

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	autoscalingv2 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/autoscaling/v2"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	policyv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/policy/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"shoplab/contract"
)

const (
	// shopName is the name of the shop's namespace, on a cluster of ours, and of every object in it.
	shopName = "shop"
	// podNetwork are k3s' pods; sidecarNetwork is the peer that the service sees.
	podNetwork, sidecarNetwork = "10.42.0.0/16", "127.0.0.6/32"
	// drainSeconds is how long a pod goes on serving after it was told to end: the endpoint must be
	// gone from every sidecar by then. A pod that ends takes at most graceSeconds.
	drainSeconds, graceSeconds = 10, 60
)

// labels are those of a program's pods and of every object about them.
func labels(name string) pulumi.StringMap { return pulumi.StringMap{"app": pulumi.String(name)} }

func shopLabels() pulumi.StringMap { return labels(shopName) }

// metadata is that of an object in the shop's namespace.
func (m *ServiceMesh) metadata(name string) metav1.ObjectMetaArgs {
	return metav1.ObjectMetaArgs{Name: pulumi.String(name), Namespace: pulumi.String(m.place), Labels: labels(name)}
}

// host is the shop's Service as Istio knows it.
func (m *ServiceMesh) host() string { return shopName + "." + m.place + ".svc.cluster.local" }

// shop makes the namespace whose pods get a sidecar, and the shop in it.
func (m *ServiceMesh) shop(ctx *pulumi.Context, istiod []pulumi.Resource) error {
	namespace, err := m.namespace(ctx, shopName, m.place, map[string]string{"istio-injection": "enabled"})
	if err != nil {
		return err
	}
	// Istio's objects come first, so that no pod ever accepts plain text or a client that the policies refuse.
	rules, err := m.traffic(ctx, append(istiod, namespace)...)
	if err != nil {
		return err
	}
	access, err := m.access(ctx, namespace, append(istiod, namespace)...)
	if err != nil {
		return err
	}
	secrets, needs, err := m.secrets(ctx, namespace, slices.Concat(rules, access, istiod)...)
	if err != nil {
		return err
	}
	if _, err := corev1.NewService(ctx, m.name+"-service", &corev1.ServiceArgs{
		Metadata: m.metadata(shopName),
		Spec: corev1.ServiceSpecArgs{
			Selector: shopLabels(),
			Ports: corev1.ServicePortArray{corev1.ServicePortArgs{
				Name: pulumi.String("http"), Port: pulumi.Int(contract.Port), TargetPort: pulumi.String("http"),
			}},
		},
	}, m.in(namespace)...); err != nil {
		return err
	}
	if _, err := appsv1.NewDeployment(ctx, m.name+"-deployment", m.deployment(secrets),
		append(m.in(needs...), within(podsReady))...); err != nil {
		return err
	}
	return m.scaling(ctx, namespace)
}

// secrets stores the secret part of the environment, and returns a sum of it, so that a changed
// secret is a new set of pods. To what a pod needs it adds what the shop's needs.
func (m *ServiceMesh) secrets(
	ctx *pulumi.Context, namespace *corev1.Namespace, needs ...pulumi.Resource,
) (pulumi.StringOutput, []pulumi.Resource, error) {
	content, err := ownSecrets(ctx, m.name, m.args.Config, m)
	if err != nil {
		return pulumi.StringOutput{}, nil, err
	}
	maps.Copy(content, m.args.Data)
	if m.args.Data == nil {
		data, env, err := m.data(ctx, namespace, needs...)
		if err != nil {
			return pulumi.StringOutput{}, nil, err
		}
		needs = append(needs, data...)
		maps.Copy(content, env)
	}
	all := pulumi.StringMap{}
	for name, value := range content {
		all[name] = value
	}
	object, err := corev1.NewSecret(ctx, m.name+"-secret", &corev1.SecretArgs{
		Metadata: m.metadata(shopName), StringData: all,
	}, m.in(namespace)...)
	sum := pulumi.Unsecret(all.ToStringMapOutput().ApplyT(func(all map[string]string) string {
		hash := sha256.New()
		for _, name := range names(all) {
			fmt.Fprintf(hash, "%q=%q\n", name, all[name])
		}
		return hex.EncodeToString(hash.Sum(nil))
	})).(pulumi.StringOutput)
	return sum, append(needs, object), err
}

// annotations of the shop's pods.
func (m *ServiceMesh) annotations(secretSum pulumi.StringOutput) pulumi.StringMap {
	all := pulumi.StringMap{
		"shoplab/secret": secretSum,
		// The sidecar fetches these from inside the pod and shows them beside its own.
		"prometheus.io/scrape": pulumi.String("true"),
		"prometheus.io/port":   pulumi.String(strconv.Itoa(contract.AdminPort)),
		"prometheus.io/path":   pulumi.String(contract.MetricsPath),
	}
	if m.args.Data != nil {
		// RDS and ElastiCache are outside of the mesh and speak TLS of their own: a sidecar would pass on bytes that
		// it cannot read.
		all["traffic.sidecar.istio.io/excludeOutboundPorts"] = pulumi.String(fmt.Sprintf("%d,%d", postgresPort, redisPort))
	}
	return all
}

func (m *ServiceMesh) deployment(secretSum pulumi.StringOutput) *appsv1.DeploymentArgs {
	return &appsv1.DeploymentArgs{
		Metadata: m.metadata(shopName),
		Spec: appsv1.DeploymentSpecArgs{
			// No replicas: they belong to the autoscaler.
			Selector: metav1.LabelSelectorArgs{MatchLabels: shopLabels()},
			Strategy: appsv1.DeploymentStrategyArgs{RollingUpdate: appsv1.RollingUpdateDeploymentArgs{
				MaxUnavailable: pulumi.Int(0), MaxSurge: pulumi.Int(1),
			}},
			Template: corev1.PodTemplateSpecArgs{
				Metadata: metav1.ObjectMetaArgs{
					Labels:      shopLabels(),
					Annotations: m.annotations(secretSum),
				},
				Spec: corev1.PodSpecArgs{
					ServiceAccountName:            pulumi.String(shopName),
					AutomountServiceAccountToken:  pulumi.Bool(false),
					EnableServiceLinks:            pulumi.Bool(false),
					TerminationGracePeriodSeconds: pulumi.Int(graceSeconds),
					SecurityContext:               securityContext(contract.UID, false),
					TopologySpreadConstraints: corev1.TopologySpreadConstraintArray{corev1.TopologySpreadConstraintArgs{
						MaxSkew: pulumi.Int(1), TopologyKey: pulumi.String("kubernetes.io/hostname"),
						WhenUnsatisfiable: pulumi.String("ScheduleAnyway"), LabelSelector: metav1.LabelSelectorArgs{
							MatchLabels: shopLabels(),
						},
					}},
					Containers: corev1.ContainerArray{m.container()},
				},
			},
		},
	}
}

// securityContext is that of a pod whose processes are a plain user's. A new volume becomes the user's group's; a
// volume that is it keeps its files' modes, of which PostgreSQL insists on its own.
func securityContext(uid int, volumes bool) corev1.PodSecurityContextArgs {
	c := corev1.PodSecurityContextArgs{
		RunAsNonRoot: pulumi.Bool(true), RunAsUser: pulumi.Int(uid), RunAsGroup: pulumi.Int(uid),
		SeccompProfile: corev1.SeccompProfileArgs{Type: pulumi.String("RuntimeDefault")},
	}
	if volumes {
		c.FsGroup, c.FsGroupChangePolicy = pulumi.Int(uid), pulumi.String("OnRootMismatch")
	}
	return c
}

func (m *ServiceMesh) container() corev1.ContainerArgs {
	var env corev1.EnvVarArray
	all := maps.Clone(m.args.Env)
	all[contract.EnvDrainDelay] = strconv.Itoa(drainSeconds) + "s"
	for _, name := range names(all) {
		env = append(env, corev1.EnvVarArgs{Name: pulumi.String(name), Value: pulumi.String(all[name])})
	}
	memory := pulumi.Sprintf("%dMi", m.args.Config.Memory)
	return corev1.ContainerArgs{
		Name: pulumi.String(shopName), Image: m.args.Image, Env: env,
		EnvFrom: corev1.EnvFromSourceArray{corev1.EnvFromSourceArgs{
			SecretRef: corev1.SecretEnvSourceArgs{Name: pulumi.String(shopName)},
		}},
		Ports: corev1.ContainerPortArray{corev1.ContainerPortArgs{
			Name: pulumi.String("http"), ContainerPort: pulumi.Int(contract.Port),
		}},
		// Half of the CPU is promised, so that a new set of pods fits beside the old.
		Resources: corev1.ResourceRequirementsArgs{
			Requests: pulumi.StringMap{"cpu": pulumi.Sprintf("%dm", m.milliCPU()/2), "memory": memory},
			Limits:   pulumi.StringMap{"cpu": pulumi.Sprintf("%dm", m.milliCPU()), "memory": memory},
		},
		StartupProbe:   probe(contract.ReadyPath, 1, 60),
		ReadinessProbe: probe(contract.ReadyPath, 2, 2),
		LivenessProbe:  probe(contract.LivePath, 10, 3),
		SecurityContext: corev1.SecurityContextArgs{
			AllowPrivilegeEscalation: pulumi.Bool(false), ReadOnlyRootFilesystem: pulumi.Bool(true),
			Capabilities: corev1.CapabilitiesArgs{Drop: pulumi.ToStringArray([]string{"ALL"})},
		},
	}
}

// milliCPU is shoplab:cpu in Kubernetes' unit.
func (m *ServiceMesh) milliCPU() int { return m.args.Config.CPU * 1000 / 1024 }

func probe(path string, period, failures int) corev1.ProbeArgs {
	return corev1.ProbeArgs{
		HttpGet:       corev1.HTTPGetActionArgs{Path: pulumi.String(path), Port: pulumi.String("http")},
		PeriodSeconds: pulumi.Int(period), TimeoutSeconds: pulumi.Int(2), FailureThreshold: pulumi.Int(failures),
	}
}

// scaling keeps as many pods as the load on the shop's own container asks for, sidecars left out,
// and never lets a drain of the node take all of them.
func (m *ServiceMesh) scaling(ctx *pulumi.Context, namespace *corev1.Namespace) error {
	_, err := autoscalingv2.NewHorizontalPodAutoscaler(ctx, m.name+"-autoscaler",
		&autoscalingv2.HorizontalPodAutoscalerArgs{
			Metadata: m.metadata(shopName),
			Spec: autoscalingv2.HorizontalPodAutoscalerSpecArgs{
				ScaleTargetRef: autoscalingv2.CrossVersionObjectReferenceArgs{
					ApiVersion: pulumi.String("apps/v1"), Kind: pulumi.String("Deployment"), Name: pulumi.String(shopName),
				},
				MinReplicas: pulumi.Int(m.args.Config.Instances), MaxReplicas: pulumi.Int(m.args.Config.MaxInstances),
				Metrics: autoscalingv2.MetricSpecArray{autoscalingv2.MetricSpecArgs{
					Type: pulumi.String("ContainerResource"),
					ContainerResource: autoscalingv2.ContainerResourceMetricSourceArgs{
						Container: pulumi.String(shopName), Name: pulumi.String("cpu"),
						Target: autoscalingv2.MetricTargetArgs{
							Type: pulumi.String("AverageValue"), AverageValue: pulumi.Sprintf("%dm", m.milliCPU()*targetCPU/100),
						},
					},
				}},
			},
		}, m.in(namespace)...)
	if err != nil {
		return err
	}
	_, err = policyv1.NewPodDisruptionBudget(ctx, m.name+"-budget", &policyv1.PodDisruptionBudgetArgs{
		Metadata: m.metadata(shopName),
		Spec: policyv1.PodDisruptionBudgetSpecArgs{
			MaxUnavailable: pulumi.Int(1), Selector: metav1.LabelSelectorArgs{MatchLabels: shopLabels()},
		},
	}, m.in(namespace)...)
	return err
}
