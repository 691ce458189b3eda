// Package operator is podid's part in a Kubernetes cluster, put together: the webhook, which every replica serves, and what only the
// leader does: publishing the cluster, running the add-on, flagging pods without their identity, and keeping the webhook's certificates.
//
// [Run] blocks until its context ends. Towards the control plane the operator is a client like any other: it signs with the credentials of
// a role that its own service account token opens, so there is no secret to install. Towards the API server it holds no more than the
// chart's roles say.
package operator
