// Package oidc proves a token: it checks a JSON Web Token of a known issuer against that issuer's key set, offline, and reads the
// claims that a Kubernetes API server and AWS's web identity federation put there.
//
// It owns key sets, verification, the Kubernetes claims and, for the built-in cluster and for tests, a [Signer] that makes the
// tokens a kube-apiserver makes. It fetches nothing: key sets come from whoever connected the cluster or the provider.
//
// What the package promises:
//
//   - A token is accepted only if its signature, its issuer, one of its audiences and its times are right. There is no way to
//     skip one of them, and an [Expect] that leaves one empty accepts no token.
//   - Only asymmetric algorithms: RS256 to RS512, PS256 to PS512, ES256 to ES512 and EdDSA. The algorithm must be the one that
//     the key is for, so that a public key never serves as a secret; keys that a token brings along (jwk, jku, x5u) are not used.
//   - The key is found by its id. A token without a key id is accepted only if the set has exactly one key: then there is nothing
//     to choose. A token whose key id is not in the set is refused, however few keys there are.
//   - Input is bounded: tokens of 20,000 bytes, key sets of 128 KiB and 100 keys, RSA keys of 2,048 to 8,192 bits. A key set with
//     a private or symmetric key is refused, because whoever published it has lost that key.
//   - Clocks may differ by [Leeway], in favour of the token.
//   - A refusal names the token's issuer, audience and subject and what was expected, never the token itself.
//
// spec: pod-identity.md 2.2, 2.3, 6.1, 6.4; iam-policy.md 7.3
package oidc
