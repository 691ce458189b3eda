// Package v1alpha1 is podid's Kubernetes API: the kinds PodIdentityAssociation, Role and Policy of the group podid.dev, and the
// labels, taints and annotations that podid reads or writes on the objects of a cluster.
//
// Every name here is a promise to whoever has written it into a manifest. This is the one package of the module that is meant to be
// imported by others.
//
// +kubebuilder:object:generate=true
// +groupName=podid.dev
package v1alpha1
