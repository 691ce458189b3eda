package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// PolicySpec is what is wanted.
//
// +kubebuilder:validation:XValidation:rule="has(self.name) == has(oldSelf.name)",message="name cannot be changed: make another policy"
// +kubebuilder:validation:XValidation:rule="has(self.path) == has(oldSelf.path)",message="path cannot be changed: make another policy"
// +kubebuilder:validation:XValidation:rule="has(self.description) == has(oldSelf.description)",message="description cannot be changed: IAM keeps the first one"
type PolicySpec struct {
	// Name of the managed policy; one in the whole account, whatever its path. Empty: made of cluster, namespace and the object's
	// name. It cannot be changed.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[\w+=,.@-]+$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="name cannot be changed: make another policy"
	// +kubebuilder:validation:XValidation:rule="!self.lowerAscii().startsWith('podid-')",message="names that begin with podid- are podid's own"
	Name string `json:"name,omitempty"`

	// Path is appended to /podid/CLUSTER/NAMESPACE/, below which every policy of the namespace is. It begins and ends with a slash, and
	// cannot be changed.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^/([\w+=,@-][\w+=,.@-]*/)*$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="path cannot be changed: make another policy"
	Path string `json:"path,omitempty"`

	// Description of the policy. It cannot be changed.
	// +optional
	// +kubebuilder:validation:MaxLength=1000
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="description cannot be changed: IAM keeps the first one"
	Description string `json:"description,omitempty"`

	// Document is the policy, a JSON document. A change becomes a new version, which is put in force; of the versions before it four
	// are kept.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16384
	Document string `json:"document"`

	// DeletionPolicy says whether the policy is deleted with the object.
	// +optional
	// +kubebuilder:default=Delete
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// PolicyStatus is what is.
type PolicyStatus struct {
	// ARN is the policy's full name. Empty while this object has no policy.
	// +optional
	ARN string `json:"arn,omitempty"`

	// DefaultVersionID is the version in force.
	// +optional
	DefaultVersionID string `json:"defaultVersionID,omitempty"`

	// ObservedGeneration is the generation of the spec that the conditions are about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// LastSynced is when object and policy were last seen or made the same, to within five minutes.
	// +optional
	LastSynced *metav1.Time `json:"lastSynced,omitempty"`

	// Conditions are Ready and Drifted.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Policy is a managed policy for the roles of its namespace. It works where [Role] works, and its policy is always below
// /podid/CLUSTER/NAMESPACE/.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=podid
// +kubebuilder:printcolumn:name="ARN",type=string,JSONPath=`.status.arn`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.defaultVersionID`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Drifted",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Drifted")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Policy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec PolicySpec `json:"spec"`
	// +optional
	Status PolicyStatus `json:"status,omitempty"`
}

// PolicyList is a list of them.
//
// +kubebuilder:object:root=true
type PolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Policy `json:"items"`
}
