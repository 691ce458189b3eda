package v1alpha1

// DeletionPolicy says what becomes of the thing in the control plane when its object is deleted.
// +kubebuilder:validation:Enum=Delete;Retain
type DeletionPolicy string

// What becomes of it.
const (
	DeletionDelete DeletionPolicy = "Delete" // it is deleted first; the object stays until it is
	DeletionRetain DeletionPolicy = "Retain" // it stays as it is, and is no longer looked after
)

// LocalReference names an object of the same namespace. There is no way to name one of another namespace.
type LocalReference struct {
	// Name of the object.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// AnnotationAdopt with the value "true" lets an object take over what exists already and was not made by it, where it would
// otherwise say [ReasonAlreadyExists].
const AnnotationAdopt = Group + "/adopt"

// Types of conditions.
const (
	// ConditionReady: the control plane has what the object asks for.
	ConditionReady = "Ready"
	// ConditionDrifted: somebody has changed it behind the object's back. It is changed back; the message says what was different.
	ConditionDrifted = "Drifted"
)

// Reasons of [ConditionReady].
const (
	ReasonSynced          = "Synced"          // it is as the object says
	ReasonAlreadyExists   = "AlreadyExists"   // there is another one, which is not taken over without being asked to; see AnnotationAdopt
	ReasonShadowed        = "Shadowed"        // an older object is about the same thing, and wins
	ReasonInvalid         = "Invalid"         // the control plane does not take it as it is; the message is the control plane's
	ReasonDenied          = "Denied"          // the operator's role may not do this
	ReasonLimit           = "LimitExceeded"   // a quota is used up
	ReasonRoleNotReady    = "RoleNotReady"    // the Role of roleRef has no ARN yet
	ReasonPolicyNotReady  = "PolicyNotReady"  // a Policy of policyRefs has no ARN yet
	ReasonForeignRole     = "ForeignRole"     // the role is made for another namespace
	ReasonForeignPolicy   = "ForeignPolicy"   // a managed policy is made for another namespace
	ReasonForeignResource = "ForeignResource" // an ACK object names a namespace that its own may not speak for
	ReasonNotEnabled      = "NotEnabled"      // the operator was not given the right to make IAM roles and policies
	ReasonNoCluster       = "NoCluster"       // the control plane does not know this cluster
	ReasonDeleteBlocked   = "DeleteBlocked"   // it cannot be deleted now
	ReasonUnavailable     = "Unavailable"     // the control plane does not answer; tried again by itself
)

// Reasons of [ConditionDrifted].
const (
	ReasonDriftFound    = "DriftFound"    // and could not be repaired yet
	ReasonDriftRepaired = "DriftRepaired" // the message says what was different last time
	ReasonNoDrift       = "NoDrift"       // none was ever seen
)
