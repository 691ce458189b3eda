package v1alpha1

// Group is the API group of podid's kinds, and the prefix of its own labels.
const Group = "podid.dev"

// Labels of a namespace.
const (
	// LabelInjection says what happens to the namespace's pods while no webhook answers. With [InjectionRequired] they are refused:
	// no pod starts without the identity it should have. Without the label they start as they are, and are flagged.
	LabelInjection    = Group + "/injection"
	InjectionRequired = "required"

	// LabelLateBinding with [LateBindingEnabled] lets every pod of the namespace find the credential endpoint, whether or not its
	// service account has an association yet: one that is made later works without a restart.
	LabelLateBinding   = Group + "/late-binding"
	LateBindingEnabled = "enabled"
)

// TaintAgentNotReady is the key of the startup taint: nodes that register with it run no pods, but those that tolerate it, until
// the node's agent is ready. The operator removes it, whatever its effect and value.
const TaintAgentNotReady = Group + "/agent-not-ready"

// ConditionIdentityMissing is the type of the condition on a pod that should have an identity and runs without: its association
// was made after it, or no webhook answered when it was created.
const ConditionIdentityMissing = Group + "/IdentityMissing"

// CAConfigMap is the name of the ConfigMap, and CAKey the key in it, that holds podid's certificate authority in every namespace,
// where podid's certificate is not from one that everybody trusts.
const (
	CAConfigMap = "podid-ca.crt"
	CAKey       = "ca.crt"
)

// What the objects of an add-on carry.
const (
	// LabelAddon is on every object of an add-on and on its pods, and names the add-on. What does not have it is never deleted.
	LabelAddon = Group + "/addon"
	// AnnotationAddonVersion is on an add-on's pods: the version that they are of.
	AnnotationAddonVersion = Group + "/addon-version"
)

// AWS's names, which mean here what they mean on EKS. spec: pod-identity.md 5.1, 5.5, 5.6
const (
	// LabelSkip, on a pod, with any value: the webhook is not called.
	LabelSkip = "eks.amazonaws.com/skip-pod-identity-webhook"
	// LabelPodIdentity with the value "enabled" is on every pod that the webhook gave the credential endpoint to.
	LabelPodIdentity = "eks.amazonaws.com/pod-identity"

	// TokenVolume is the volume with a pod's token, TokenAudience whom the token is for.
	TokenVolume   = "eks-pod-identity-token"
	TokenAudience = "pods.eks.amazonaws.com"
)
