// Package s3api is the S3 front: who may do what to which object, and the bytes' way to and from the store behind it.
//
// It owns a closed table of operations ([operations]). A request that matches no row is refused: an unknown sub-resource is
// never taken for PutObject, as every store would. Each row says which permissions the request needs; all of them are
// asked before a byte moves. What is about accounts or policy (who owns a bucket, bucket policies, public access, location)
// is answered here and never reaches the store; everything else is forwarded, signed anew, by package objectstore.
//
// The key that is authorised is the key that is stored: a key that the store would change is refused before the question.
//
// spec: s3.md 3, 7; iam-policy.md 11
package s3api
