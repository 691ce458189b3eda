// Package agent is the node agent: a pod's token in, the pod's credentials out.
//
// It owns the credential endpoint that AWS SDKs ask (GET /v1/credentials, Authorization: the pod's service account token), the
// cache behind it, the refreshing of what is in the cache, the signed client of EKS Auth, and a picture of the node's pods. It
// grants nothing: whether a token is genuine and what its pod may become is for EKS Auth to say. It only refuses, where it knows
// that a token's pod has ended or is elsewhere.
//
// Promises:
//
//   - No pod gets credentials for a token that EKS Auth has not accepted. The cache's key is the SHA-256 of the whole token,
//     and an entry is made only from EKS Auth's answer to that very token. A rotated token of the same pod is therefore a new
//     question. To key by the pod instead, the agent would have to prove signatures itself, with the cluster's keys: without
//     that, whoever writes another pod's UID into a token of his own would be served that pod's credentials.
//   - One token, one question: however many requests carry a new token at once, EKS Auth is asked once. A client that gives up
//     waiting cancels nothing, so its next attempt finds the answer.
//   - An outage of EKS Auth is not seen by a pod whose credentials are cached, until shortly before they expire. A refusal that
//     is about the pod's token ends the cached credentials at once; one that is about the node does not touch them.
//   - A token ends with its pod: what the Kubernetes API server has told to be gone is refused, not renewed, and out of the cache.
//     What it has not told of is asked once. While it does not answer, EKS Auth decides alone and cached credentials are served.
//   - A pod whose token is refused for good has an Event that says so. Writing it holds up nobody.
//   - Tokens, secret keys and session tokens are in no log line and in no error.
//
// What is read from a token here (namespace, service account, pod) is unproven until EKS Auth has accepted the token; log keys call
// it claimed. So nothing is remembered of a pod because a token named it.
//
// spec: pod-identity.md 4, 7.1
package agent
