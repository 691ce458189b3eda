// Package devcluster is the built-in cluster of the laptop mode: what a Kubernetes cluster is to podid, without Kubernetes.
//
// It has what podid needs of a cluster and no more: an issuer that signs service account tokens exactly as a
// kube-apiserver does, one node, and a kubelet's work for one pod at a time (a token file that is kept fresh, and the
// variables that the webhook injects). Towards the control plane it is an ordinary client: it connects itself with signed
// requests, reports its key set, node and add-ons, and watches what is wanted, as the operator does in a real cluster.
//
// So nothing of the token exchange is different on a laptop; only where tokens come from. They come from a unix socket in
// the data folder: whoever may open that folder may start pods of any service account, as whoever may create pods in a
// Kubernetes namespace may use its service accounts.
package devcluster
