// Package sigv4 proves who signed a request: the server side of AWS Signature Version 4.
//
// Three steps, in this order, because each needs what the one before found out:
//
//	a, err := sigv4.Parse(r)             // what the request claims: nothing is proven yet; nil: it carries no signature
//	err = a.Verify(r, secret, now)       // the holder of secret signed this method, path, query and these headers, just now
//	body, err := a.Body(r, secret)       // and this body: reading it to io.EOF is the last part of the proof
//
// Services other than S3 sign the hash of the whole body and seldom send it. There the caller reads the bounded body first and
// hands its hash over with [Authorization.SetPayloadHash]; Verify refuses to answer without it, so it cannot be forgotten.
//
// What the package promises:
//
//   - One request carries one signature, in the header or in the query, never both, and never one of the older or asymmetric
//     kinds. Security headers and query parameters appear once.
//   - The host and every x-amz-* header are signed; what is not signed cannot change what a request means.
//   - A signature is good for 15 minutes around its date, a presigned one for the lifetime it names (1 second to 7 days).
//   - The last byte of a body whose length is known is released only when the whole body is proven, so that a consumer who stops
//     reading at the declared length cannot miss a mismatch.
//   - Signatures are compared in constant time; neither secrets nor session tokens appear in an error.
//
// It looks nothing up: whose secret an access key id has, whether a session token is good and whether the region and service of
// the credential scope are the right ones is for the caller to say.
//
// Failures are [fault.Error] values with one of these kinds and subjects:
//
//	Invalid          signature   malformed or incomplete authentication data; the text says which part
//	Unauthenticated  signature   the signature, or a chunk's, is not the one the secret makes
//	Expired          signature   clock skew, or a presigned request past its lifetime
//	Invalid          payload     the body is not the one whose hash was signed
//	Invalid          checksum    the body is not the one whose checksum the trailer gives
//	Invalid          chunk       an aws-chunked body is malformed, too short or too long
//
// spec: s3.md 3.1; pod-identity.md 0.3
package sigv4
