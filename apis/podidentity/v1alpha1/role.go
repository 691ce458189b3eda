package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RoleSpec is what is wanted.
//
// +kubebuilder:validation:XValidation:rule="has(self.name) == has(oldSelf.name)",message="name cannot be changed: make another role"
// +kubebuilder:validation:XValidation:rule="has(self.path) == has(oldSelf.path)",message="path cannot be changed: make another role"
type RoleSpec struct {
	// Name of the IAM role; one in the whole account, whatever its path. Empty: made of cluster, namespace and the object's name.
	// It cannot be changed.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[\w+=,.@-]+$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="name cannot be changed: make another role"
	// +kubebuilder:validation:XValidation:rule="!self.lowerAscii().startsWith('podid-')",message="names that begin with podid- are podid's own"
	Name string `json:"name,omitempty"`

	// Path is appended to /podid/CLUSTER/NAMESPACE/, below which every role of the namespace is. It begins and ends with a slash, and
	// cannot be changed.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^/([\w+=,@-][\w+=,.@-]*/)*$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="path cannot be changed: make another role"
	Path string `json:"path,omitempty"`

	// Description of the role.
	// +optional
	// +kubebuilder:validation:MaxLength=1000
	Description string `json:"description,omitempty"`

	// AssumeRolePolicyDocument is the trust policy, a JSON document: who may take the role. Empty: pods of this cluster and this
	// namespace, by the session tags that they come with.
	// +optional
	// +kubebuilder:validation:MaxLength=8192
	AssumeRolePolicyDocument string `json:"assumeRolePolicyDocument,omitempty"`

	// MaxSessionDuration is the longest session that may be asked for, in seconds.
	// +optional
	// +kubebuilder:default=3600
	// +kubebuilder:validation:Minimum=3600
	// +kubebuilder:validation:Maximum=43200
	MaxSessionDuration int32 `json:"maxSessionDuration,omitempty"`

	// PermissionsBoundary is the ARN of a managed policy that the role can never exceed. Where the operator imposes one, it is that
	// one, and no other can be given.
	// +optional
	// +kubebuilder:validation:MinLength=20
	// +kubebuilder:validation:MaxLength=2048
	PermissionsBoundary string `json:"permissionsBoundary,omitempty"`

	// InlinePolicies are the role's own policies: JSON documents by their names. Others that it has are removed.
	// +optional
	// +kubebuilder:validation:MaxProperties=20
	InlinePolicies map[string]string `json:"inlinePolicies,omitempty"`

	// PolicyARNs are managed policies that are attached, PolicyRefs those that are made by a Policy of the same namespace. Others are
	// detached.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=20
	PolicyARNs []string `json:"policyARNs,omitempty"`
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=20
	PolicyRefs []LocalReference `json:"policyRefs,omitempty"`

	// Tags of the role. Others that it has are removed.
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	Tags map[string]string `json:"tags,omitempty"`

	// DeletionPolicy says whether the role is deleted with the object.
	// +optional
	// +kubebuilder:default=Delete
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// RoleStatus is what is.
type RoleStatus struct {
	// ARN is the role's full name. Empty while this object has no role.
	// +optional
	ARN string `json:"arn,omitempty"`

	// Name is the role's name in IAM.
	// +optional
	Name string `json:"name,omitempty"`

	// RoleID is the role's unique id, which no role has again.
	// +optional
	RoleID string `json:"roleID,omitempty"`

	// ObservedGeneration is the generation of the spec that the conditions are about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// LastSynced is when object and role were last seen or made the same, to within five minutes.
	// +optional
	LastSynced *metav1.Time `json:"lastSynced,omitempty"`

	// Conditions are Ready and Drifted.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Role is an IAM role for the pods of its namespace.
//
// It works only where the operator was given the right to make roles, which is not so by default: whoever may create these objects
// decides what the pods of the namespace may do, with the operator's rights. The role is always below /podid/CLUSTER/NAMESPACE/, and
// the operator looks at no role elsewhere, so the objects of one namespace cannot touch the roles of another.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=podid
// +kubebuilder:printcolumn:name="ARN",type=string,JSONPath=`.status.arn`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Drifted",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Drifted")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Role struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec RoleSpec `json:"spec,omitempty"`
	// +optional
	Status RoleStatus `json:"status,omitempty"`
}

// RoleList is a list of them.
//
// +kubebuilder:object:root=true
type RoleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Role `json:"items"`
}
