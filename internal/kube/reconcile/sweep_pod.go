package reconcile

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
)

// sweepGrace is how young a pod is left alone: it is being created.
const sweepGrace = 5 * time.Second

// Surroundings are what decides whether a pod should have an identity.
type Surroundings struct {
	Associated  bool // its service account has an association
	LateBinding bool // its namespace asks for the credential endpoint in every pod
	Skipped     bool // the webhook is never called for its namespace
}

// Finding is what the sweep finds out about a pod.
type Finding struct {
	Missing bool
	Why     string        // and what to do
	Later   time.Duration // it is too early to tell
}

// Inspect decides whether a pod lacks the identity that it should have. It looks at what the pod was made of, not at who made it so: a
// pod whose author wrote the variables is as good as one that the webhook changed. Late binding does not concern pods with a role of
// their service account's annotation.
func Inspect(p *corev1.Pod, s Surroundings, now time.Time) Finding {
	_, skip := p.Labels[v1alpha1.LabelSkip]
	_, mirror := p.Annotations[corev1.MirrorPodAnnotationKey] // made from a file on the node: nothing can be put into it
	switch {
	case !s.Associated && (!s.LateBinding || hasIRSA(p)), skip, mirror, finished(p), p.DeletionTimestamp != nil, hasIdentity(p):
		return Finding{}
	}
	if age := now.Sub(p.CreationTimestamp.Time); age < sweepGrace {
		return Finding{Later: sweepGrace - age}
	}
	account := p.Spec.ServiceAccountName
	if account == "" {
		account = "default"
	}
	due := fmt.Sprintf("Service account %s has a pod identity association", account)
	if !s.Associated {
		due = fmt.Sprintf("Namespace %s asks for late binding (label %s)", p.Namespace, v1alpha1.LabelLateBinding)
	}
	if s.Skipped {
		return Finding{Missing: true, Why: fmt.Sprintf("%s, but pods of namespace %s get no identity from podid. Run the pod in another namespace.", due, p.Namespace)}
	}
	return Finding{Missing: true, Why: fmt.Sprintf("%s, but this pod was made without it: before it, or while no webhook answered. %s", due, remedy(p))}
}

// remedy says how to get a pod that has its identity.
func remedy(p *corev1.Pod) string {
	owner := metav1.GetControllerOf(p)
	if owner == nil {
		return "Delete this pod and create it again."
	}
	if owner.Kind == "ReplicaSet" {
		return fmt.Sprintf("Restart the Deployment of ReplicaSet %s (kubectl rollout restart), or delete this pod: another one takes its place.", owner.Name)
	}
	return fmt.Sprintf("Restart %s %s, or delete this pod: another one takes its place.", owner.Kind, owner.Name)
}

// hasIdentity reports whether a pod finds the credential endpoint: it has a token for it, and a container is told where it is. One
// container is enough: others may have been added after the webhook, and those that asked to be skipped need nothing.
func hasIdentity(p *corev1.Pod) bool {
	skipped := skippedContainers(p)
	told, asked := false, false
	for i := range p.Spec.Containers {
		c := &p.Spec.Containers[i]
		if slices.Contains(skipped, c.Name) {
			continue
		}
		asked = true
		told = told || slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return strings.HasPrefix(e.Name, variablePrefix) })
	}
	return !asked || told && slices.ContainsFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return identityVolume(&v) })
}

// skippedContainers reads the annotation as the webhook does. spec: pod-identity.md 5.5
func skippedContainers(p *corev1.Pod) []string {
	text := p.Annotations[annotationSkipContainers]
	if text == "" {
		return nil
	}
	names, err := csv.NewReader(strings.NewReader(text)).Read()
	if err != nil {
		return nil
	}
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	return names
}
