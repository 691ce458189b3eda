package reconcile

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
)

const (
	labelName                = "app.kubernetes.io/name"
	annotationSkipContainers = "eks.amazonaws.com/skip-containers" // spec: pod-identity.md 5.5
)

// How a container finds the credential endpoint, and the volume of a pod that proves itself to STS instead. spec: pod-identity.md 5.6
const (
	variablePrefix = "AWS_CONTAINER_"
	irsaVolume     = "aws-iam-token"
)

// TrimPod drops from a pod what nobody here looks at, before it comes into the cache: of a pod of 10 KiB a few hundred bytes stay, and no
// value of any environment variable. It is a toolscache.TransformFunc.
func TrimPod(in any) (any, error) {
	p, ok := in.(*corev1.Pod)
	if !ok {
		return in, nil
	}
	out := &corev1.Pod{
		TypeMeta:   p.TypeMeta,
		ObjectMeta: trimMeta(&p.ObjectMeta),
		Spec: corev1.PodSpec{
			ServiceAccountName: p.Spec.ServiceAccountName, NodeName: p.Spec.NodeName,
			Containers: make([]corev1.Container, len(p.Spec.Containers)),
		},
		Status: corev1.PodStatus{Phase: p.Status.Phase, Reason: p.Status.Reason},
	}
	out.OwnerReferences = p.OwnerReferences
	out.Labels = only(p.Labels, v1alpha1.LabelSkip, v1alpha1.LabelPodIdentity, v1alpha1.LabelAddon, labelName)
	out.Annotations = only(p.Annotations, corev1.MirrorPodAnnotationKey, annotationSkipContainers, v1alpha1.AnnotationAddonVersion)
	for i := range p.Spec.Containers {
		out.Spec.Containers[i].Name = p.Spec.Containers[i].Name
		for _, e := range p.Spec.Containers[i].Env {
			if strings.HasPrefix(e.Name, variablePrefix) {
				out.Spec.Containers[i].Env = append(out.Spec.Containers[i].Env, corev1.EnvVar{Name: e.Name})
			}
		}
	}
	for i := range p.Spec.Volumes {
		if v := &p.Spec.Volumes[i]; identityVolume(v) || v.Name == irsaVolume {
			out.Spec.Volumes = append(out.Spec.Volumes, *v.DeepCopy())
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady || c.Type == corev1.PodScheduled || c.Type == v1alpha1.ConditionIdentityMissing {
			c.Message = ""
			out.Status.Conditions = append(out.Status.Conditions, c)
		}
	}
	if out.Labels[labelName] == AgentName {
		out.Status.InitContainerStatuses = waiting(p.Status.InitContainerStatuses)
		out.Status.ContainerStatuses = waiting(p.Status.ContainerStatuses)
	}
	return out, nil
}

// waiting keeps why containers wait: what an add-on's health tells.
func waiting(in []corev1.ContainerStatus) []corev1.ContainerStatus {
	var out []corev1.ContainerStatus
	for _, s := range in {
		if s.State.Waiting != nil {
			out = append(out, corev1.ContainerStatus{
				Name: s.Name, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: s.State.Waiting.Reason}},
			})
		}
	}
	return out
}

// TrimNode keeps of a node its labels, taints, readiness and the version of its kubelet. Kubelets write the rest every few seconds.
func TrimNode(in any) (any, error) {
	n, ok := in.(*corev1.Node)
	if !ok {
		return in, nil
	}
	out := &corev1.Node{TypeMeta: n.TypeMeta, ObjectMeta: trimMeta(&n.ObjectMeta), Spec: corev1.NodeSpec{Taints: n.Spec.Taints}}
	out.Labels = n.Labels
	out.Status.NodeInfo.KubeletVersion = n.Status.NodeInfo.KubeletVersion
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			out.Status.Conditions = []corev1.NodeCondition{{Type: c.Type, Status: c.Status}}
		}
	}
	return out, nil
}

func trimMeta(m *metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: m.Name, Namespace: m.Namespace, UID: m.UID, ResourceVersion: m.ResourceVersion, Generation: m.Generation,
		CreationTimestamp: m.CreationTimestamp, DeletionTimestamp: m.DeletionTimestamp,
	}
}

func only(m map[string]string, keys ...string) map[string]string {
	var out map[string]string
	for k, v := range m {
		if slices.Contains(keys, k) {
			if out == nil {
				out = map[string]string{}
			}
			out[k] = v
		}
	}
	return out
}

// identityVolume reports whether a volume holds a token for the credential endpoint, whoever wrote it into the pod.
func identityVolume(v *corev1.Volume) bool {
	if v.Projected == nil {
		return v.Name == v1alpha1.TokenVolume
	}
	return v.Name == v1alpha1.TokenVolume || slices.ContainsFunc(v.Projected.Sources, func(s corev1.VolumeProjection) bool {
		return s.ServiceAccountToken != nil && s.ServiceAccountToken.Audience == v1alpha1.TokenAudience
	})
}

// hasIRSA reports whether a pod has the token of IAM roles for service accounts.
func hasIRSA(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == irsaVolume })
}

// hasToken reports whether a pod may have a token for the credential endpoint.
func hasToken(p *corev1.Pod) bool {
	if p.Labels[v1alpha1.LabelPodIdentity] != "" {
		return true
	}
	for i := range p.Spec.Volumes {
		if identityVolume(&p.Spec.Volumes[i]) {
			return true
		}
	}
	return false
}

func conditionTrue(p *corev1.Pod, kind corev1.PodConditionType) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == kind && c.Status == corev1.ConditionTrue
	})
}

// finished reports whether a pod has run to its end.
func finished(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}
