// Package connect makes a Kubernetes cluster one of podid's, and undoes it.
//
// It does nothing that a person with a kubeconfig and an administrator's profile could not do step by step: the account gets the cluster,
// an OIDC provider for its issuer and the roles of operator and node agent; the Kubernetes gets the chart; the account then asks for the
// add-on, and the operator installs the agent. Each step looks before it acts: what is there already is left or put right, so that running
// it again repairs. A pod of its own proves that the whole works, from the webhook to the credentials.
package connect
