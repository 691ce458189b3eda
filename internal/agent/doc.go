// Package agent is the node agent: a pod's token in, the pod's credentials out.
//
// It owns the credential endpoint that AWS SDKs ask (GET /v1/credentials, Authorization: the pod's service account token), the
// cache behind it, the refreshing of what is in the cache, and the signed client of EKS Auth. It decides nothing: whether a
// token is genuine and what its pod may become is for EKS Auth to say.
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
//   - Tokens, secret keys and session tokens are in no log line and in no error.
//
// What is read from a token here (namespace, service account, pod) is unproven; log keys call it claimed.
//
// spec: pod-identity.md 4, 7.1
package agent
