package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// PodIdentityAssociationSpec is what is wanted.
//
// +kubebuilder:validation:XValidation:rule="has(self.roleARN) != has(self.roleRef)",message="give either roleARN or roleRef"
// +kubebuilder:validation:XValidation:rule="!has(self.policy) || (has(self.disableSessionTags) && self.disableSessionTags)",message="policy needs disableSessionTags: true, a session policy leaves no room for session tags"
type PodIdentityAssociationSpec struct {
	// ServiceAccount whose pods get credentials; of the object's own namespace. It does not have to exist yet. It cannot be changed.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="serviceAccount cannot be changed: make another association"
	ServiceAccount string `json:"serviceAccount"`

	// RoleARN is the role that the pods get, a role of the cluster's account. The operator must be allowed to pass it, and it must
	// not be one that was made for another namespace.
	// +optional
	// +kubebuilder:validation:MinLength=20
	// +kubebuilder:validation:MaxLength=2048
	RoleARN string `json:"roleARN,omitempty"`

	// RoleRef names a Role of the same namespace instead.
	// +optional
	RoleRef *LocalReference `json:"roleRef,omitempty"`

	// TargetRoleARN is a role, of any account, that is assumed from the first one. Pods get the credentials of this one.
	// +optional
	// +kubebuilder:validation:MinLength=20
	// +kubebuilder:validation:MaxLength=2048
	TargetRoleARN string `json:"targetRoleARN,omitempty"`

	// DisableSessionTags leaves out the six tags that say which pod a session is of. The trust policy that a Role has by default
	// lets nobody in without them.
	// +optional
	DisableSessionTags bool `json:"disableSessionTags,omitempty"`

	// Policy is a session policy, a JSON document: the pods may do what both the role and this permit.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Policy string `json:"policy,omitempty"`

	// Tags of the association. Others that it has are removed.
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	Tags map[string]string `json:"tags,omitempty"`

	// DeletionPolicy says whether the association is deleted with the object.
	// +optional
	// +kubebuilder:default=Delete
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// PodIdentityAssociationStatus is what is.
type PodIdentityAssociationStatus struct {
	// AssociationID names the association in the control plane. Empty while this object has none.
	// +optional
	AssociationID string `json:"associationID,omitempty"`

	// AssociationARN is its full name.
	// +optional
	AssociationARN string `json:"associationARN,omitempty"`

	// RoleARN is the role that the association has.
	// +optional
	RoleARN string `json:"roleARN,omitempty"`

	// ExternalID is what the trust policy of the target role may ask for.
	// +optional
	ExternalID string `json:"externalID,omitempty"`

	// ObservedGeneration is the generation of the spec that the conditions are about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// NodesReady counts the nodes whose agent is ready to hand out credentials, NodesTotal those that are to have an agent.
	// +optional
	NodesReady int32 `json:"nodesReady"`
	// +optional
	NodesTotal int32 `json:"nodesTotal"`

	// LastSynced is when object and association were last seen or made the same, to within five minutes.
	// +optional
	LastSynced *metav1.Time `json:"lastSynced,omitempty"`

	// Conditions are Ready and Drifted.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// PodIdentityAssociation gives the pods of one service account a role. It is about the namespace that it is in: no object can give
// a role to pods of another namespace. An association that exists already is taken over if it has the same role, or if the
// annotation podid.dev/adopt is "true".
//
// Whoever may create these objects acts with the operator's rights. The operator may pass only the roles that were allowed when
// the cluster was connected: those below /podid/CLUSTER/, where nothing else was said. Of these, one below
// /podid/CLUSTER/NAMESPACE/ is for that namespace alone, and one directly below /podid/CLUSTER/ is for all.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=pia,categories=podid
// +kubebuilder:printcolumn:name="Service Account",type=string,JSONPath=`.spec.serviceAccount`
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.status.roleARN`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Nodes",type=integer,JSONPath=`.status.nodesReady`
// +kubebuilder:printcolumn:name="ID",type=string,priority=1,JSONPath=`.status.associationID`
// +kubebuilder:printcolumn:name="Drifted",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Drifted")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type PodIdentityAssociation struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec PodIdentityAssociationSpec `json:"spec"`
	// +optional
	Status PodIdentityAssociationStatus `json:"status,omitempty"`
}

// PodIdentityAssociationList is a list of them.
//
// +kubebuilder:object:root=true
type PodIdentityAssociationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []PodIdentityAssociation `json:"items"`
}
