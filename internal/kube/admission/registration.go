package admission

import (
	"cmp"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
)

// Names of the registration and of the webhooks in it.
const (
	RegistrationName = "pod-identity-webhook"
	WebhookName      = "pod-identity-webhook." + v1alpha1.Group
	RequiredName     = "required." + WebhookName
)

const timeoutSeconds = 5

// Endpoint is where the API server finds the webhook: a Service, or, outside of the cluster, a URL.
type Endpoint struct {
	Namespace string // of the operator; its pods are never asked about, or it could not start
	Service   string
	Port      int32 // 0: 443
	URL       string
}

func (e Endpoint) config(caBundle []byte, path string) admissionregistrationv1.WebhookClientConfig {
	c := admissionregistrationv1.WebhookClientConfig{CABundle: caBundle}
	if e.URL != "" {
		c.URL = new(strings.TrimSuffix(e.URL, "/") + path)
		return c
	}
	c.Service = &admissionregistrationv1.ServiceReference{Namespace: e.Namespace, Name: e.Service, Path: new(path), Port: new(cmp.Or(e.Port, 443))}
	return c
}

// Registration is what makes the API server ask: two webhooks over one server. Namespaces that require injection have the one
// whose failure refuses their pods; all others the one whose failure lets them start. spec: pod-identity.md 5.1
func Registration(caBundle []byte, at Endpoint) *admissionregistrationv1.MutatingWebhookConfiguration {
	return &admissionregistrationv1.MutatingWebhookConfiguration{
		TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "MutatingWebhookConfiguration"},
		ObjectMeta: metav1.ObjectMeta{Name: RegistrationName},
		Webhooks: []admissionregistrationv1.MutatingWebhook{
			webhook(RequiredName, at, caBundle, PathMutateRequired, admissionregistrationv1.Fail, metav1.LabelSelectorOpIn),
			webhook(WebhookName, at, caBundle, PathMutate, admissionregistrationv1.Ignore, metav1.LabelSelectorOpNotIn),
		},
	}
}

func webhook(name string, at Endpoint, caBundle []byte, path string, failure admissionregistrationv1.FailurePolicyType, required metav1.LabelSelectorOperator) admissionregistrationv1.MutatingWebhook {
	never := []string{metav1.NamespaceSystem}
	if at.Namespace != "" && !slices.Contains(never, at.Namespace) {
		never = append(never, at.Namespace)
	}
	return admissionregistrationv1.MutatingWebhook{
		Name:         name,
		ClientConfig: at.config(caBundle, path),
		Rules: []admissionregistrationv1.RuleWithOperations{{
			Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
			Rule: admissionregistrationv1.Rule{
				APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}, Scope: new(admissionregistrationv1.NamespacedScope),
			},
		}},
		FailurePolicy: new(failure),
		MatchPolicy:   new(admissionregistrationv1.Equivalent),
		NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpNotIn, Values: never},
			{Key: v1alpha1.LabelInjection, Operator: required, Values: []string{v1alpha1.InjectionRequired}},
		}},
		ObjectSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: v1alpha1.LabelSkip, Operator: metav1.LabelSelectorOpDoesNotExist},
		}},
		SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
		TimeoutSeconds:          new(int32(timeoutSeconds)),
		AdmissionReviewVersions: []string{"v1", "v1beta1"},
		ReinvocationPolicy:      new(admissionregistrationv1.IfNeededReinvocationPolicy),
	}
}
