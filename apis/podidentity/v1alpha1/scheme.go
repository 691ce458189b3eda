package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the group and version of podid's kinds.
var GroupVersion = schema.GroupVersion{Group: Group, Version: "v1alpha1"}

// AddToScheme makes podid's kinds known to a scheme.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &PodIdentityAssociation{}, &PodIdentityAssociationList{},
		&Role{}, &RoleList{}, &Policy{}, &PolicyList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
