package publish

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/client"
)

// Running is what is seen of an add-on.
type Running struct {
	DaemonSet *appsv1.DaemonSet // nil: there is none
	Pods      []corev1.Pod      // the DaemonSet's
	Problem   string            // why the add-on could not be applied
}

// Addon is an add-on as it runs. While a new version is rolled out, the add-on is of the old one, which is what most nodes have; it
// is healthy unless a pod is in trouble.
func Addon(name string, r Running) client.ReportAddon {
	a := client.ReportAddon{Name: name, Message: r.Problem}
	if r.DaemonSet == nil {
		if a.Message == "" {
			a.Message = "it does not run yet"
		}
		return a
	}
	ds := r.DaemonSet
	wanted := ds.Spec.Template.Annotations[v1alpha1.AnnotationAddonVersion]
	seen := ds.Status.ObservedGeneration >= ds.Generation
	desired, done := ds.Status.DesiredNumberScheduled, ds.Status.UpdatedNumberScheduled
	rolling := !seen || done < desired
	a.Version = version(r.Pods, wanted, rolling)
	var problems []string
	if r.Problem != "" {
		problems = append(problems, r.Problem)
	}
	trouble, waiting := look(r.Pods)
	problems = append(problems, trouble...)
	switch available := ds.Status.NumberReady; {
	case len(trouble) > 0:
	case !seen || len(r.Pods) == 0 && desired > 0:
		problems = append(problems, "it is being started")
	case available < desired && (!rolling || a.Version == wanted):
		problems = append(problems, fmt.Sprintf("%d of %d nodes are ready", available, desired))
		problems = append(problems, waiting...)
	}
	a.Healthy = len(problems) == 0
	a.Message = strings.Join(problems, "; ")
	return a
}

// version is the version that runs: during a rollout the one that is replaced.
func version(pods []corev1.Pod, wanted string, rolling bool) string {
	if !rolling {
		return wanted
	}
	for i := range pods {
		if v := pods[i].Annotations[v1alpha1.AnnotationAddonVersion]; v != "" && v != wanted {
			return v
		}
	}
	return wanted
}

// maxNamed bounds how many pods a message names.
const maxNamed = 5

// look names pods that will not become ready by themselves, with the reason, and pods that are merely not ready.
func look(pods []corev1.Pod) (trouble, waiting []string) {
	pods = slices.Clone(pods)
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return cmp.Compare(a.Spec.NodeName+a.Name, b.Spec.NodeName+b.Name) })
	for i := range pods {
		p := &pods[i]
		if p.DeletionTimestamp != nil || podReady(p) {
			continue
		}
		where := p.Spec.NodeName
		if where == "" {
			where = "pod " + p.Name
		}
		if reason := stuck(p); reason != "" {
			trouble = append(trouble, where+": "+reason)
		} else {
			waiting = append(waiting, where+": not ready")
		}
	}
	return bounded(trouble), bounded(waiting)
}

func bounded(list []string) []string {
	if more := len(list) - maxNamed; more > 0 {
		return append(list[:maxNamed:maxNamed], fmt.Sprintf("and %d more", more))
	}
	return list
}

func podReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// stuck is the reason why a pod needs somebody's help, or empty.
func stuck(p *corev1.Pod) string {
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		w := s.State.Waiting
		if w == nil {
			continue
		}
		switch w.Reason {
		case "", "ContainerCreating", "PodInitializing":
			continue
		}
		return w.Reason
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return c.Reason
		}
	}
	if p.Status.Phase == corev1.PodFailed {
		return "Failed " + p.Status.Reason
	}
	return ""
}
