package s3api

import (
	"context"
	"net/http"
)

// level is what a request addresses.
type level uint8

const (
	onService level = iota // /
	onBucket               // /bucket
	onObject               // /bucket/key
)

// operation is a row of the closed table.
type operation struct {
	name   string
	method string
	on     level
	marker string   // the sub-resource that selects the row: "uploads"; "" for the plain form
	copies bool     // selected by the x-amz-copy-source header
	query  []string // the further query parameters that the row takes

	readOnly bool
	lockOut  bool // the owner's root user needs no leave of the bucket policy
	asks     func(*request) []question
	run      func(context.Context, *Service, *request) error
}

var (
	listQuery      = []string{"list-type", "prefix", "delimiter", "max-keys", "continuation-token", "start-after", "fetch-owner", "encoding-type", "marker"}
	overrideQuery  = []string{"response-content-type", "response-content-language", "response-expires", "response-cache-control", "response-content-disposition", "response-content-encoding", "partNumber"}
	uploadsQuery   = []string{"prefix", "delimiter", "max-uploads", "key-marker", "upload-id-marker", "encoding-type"}
	listPartsQuery = []string{"max-parts", "part-number-marker", "encoding-type"}
)

// operations is every request that is answered. The row with the marker that the request has is taken; a query parameter
// that the row does not know refuses the request.
var operations = []operation{
	{name: "ListBuckets", method: http.MethodGet, on: onService, query: []string{"max-buckets", "continuation-token", "prefix", "bucket-region"}, readOnly: true, asks: askListBuckets, run: listBuckets},

	{name: "CreateBucket", method: http.MethodPut, on: onBucket, asks: askCreateBucket, run: createBucket},
	{name: "DeleteBucket", method: http.MethodDelete, on: onBucket, asks: onBucketAsk("s3:DeleteBucket"), run: deleteBucket},
	{name: "HeadBucket", method: http.MethodHead, on: onBucket, readOnly: true, asks: onBucketAsk("s3:ListBucket"), run: headBucket},
	{name: "GetBucketLocation", method: http.MethodGet, on: onBucket, marker: "location", readOnly: true, asks: onBucketAsk("s3:GetBucketLocation"), run: getBucketLocation},
	{name: "ListObjects", method: http.MethodGet, on: onBucket, query: listQuery, readOnly: true, asks: askList("s3:ListBucket"), run: forwardDocument},
	{name: "ListMultipartUploads", method: http.MethodGet, on: onBucket, marker: "uploads", query: uploadsQuery, readOnly: true, asks: askList("s3:ListBucketMultipartUploads"), run: forwardDocument},
	{name: "DeleteObjects", method: http.MethodPost, on: onBucket, marker: "delete", asks: askNothing, run: deleteObjects},

	{name: "PutBucketPolicy", method: http.MethodPut, on: onBucket, marker: "policy", lockOut: true, asks: onBucketAsk("s3:PutBucketPolicy"), run: putBucketPolicy},
	{name: "GetBucketPolicy", method: http.MethodGet, on: onBucket, marker: "policy", lockOut: true, readOnly: true, asks: onBucketAsk("s3:GetBucketPolicy"), run: getBucketPolicy},
	{name: "DeleteBucketPolicy", method: http.MethodDelete, on: onBucket, marker: "policy", lockOut: true, asks: onBucketAsk("s3:DeleteBucketPolicy"), run: deleteBucketPolicy},
	{name: "GetBucketPolicyStatus", method: http.MethodGet, on: onBucket, marker: "policyStatus", readOnly: true, asks: onBucketAsk("s3:GetBucketPolicyStatus"), run: getBucketPolicyStatus},
	{name: "PutPublicAccessBlock", method: http.MethodPut, on: onBucket, marker: "publicAccessBlock", asks: onBucketAsk("s3:PutBucketPublicAccessBlock"), run: putPublicAccessBlock},
	{name: "DeletePublicAccessBlock", method: http.MethodDelete, on: onBucket, marker: "publicAccessBlock", asks: onBucketAsk("s3:PutBucketPublicAccessBlock"), run: deletePublicAccessBlock},
	{name: "GetPublicAccessBlock", method: http.MethodGet, on: onBucket, marker: "publicAccessBlock", readOnly: true, asks: onBucketAsk("s3:GetBucketPublicAccessBlock"), run: getPublicAccessBlock},
	{name: "GetBucketOwnershipControls", method: http.MethodGet, on: onBucket, marker: "ownershipControls", readOnly: true, asks: onBucketAsk("s3:GetBucketOwnershipControls"), run: getOwnershipControls},
	{name: "GetBucketVersioning", method: http.MethodGet, on: onBucket, marker: "versioning", readOnly: true, asks: onBucketAsk("s3:GetBucketVersioning"), run: getBucketVersioning},
	{name: "GetBucketAcl", method: http.MethodGet, on: onBucket, marker: "acl", readOnly: true, asks: onBucketAsk("s3:GetBucketAcl"), run: getACL},

	{name: "GetObject", method: http.MethodGet, on: onObject, query: overrideQuery, readOnly: true, asks: onObjectAsk("s3:GetObject"), run: forward},
	{name: "HeadObject", method: http.MethodHead, on: onObject, query: overrideQuery, readOnly: true, asks: onObjectAsk("s3:GetObject"), run: forward},
	{name: "PutObject", method: http.MethodPut, on: onObject, asks: askPut, run: forward},
	{name: "CopyObject", method: http.MethodPut, on: onObject, copies: true, asks: askCopy, run: copyObject},
	{name: "DeleteObject", method: http.MethodDelete, on: onObject, asks: onObjectAsk("s3:DeleteObject"), run: forward},
	{name: "GetObjectAttributes", method: http.MethodGet, on: onObject, marker: "attributes", query: []string{"max-parts", "part-number-marker"}, readOnly: true, asks: onObjectAsk("s3:GetObject", "s3:GetObjectAttributes"), run: forwardDocument},
	{name: "GetObjectAcl", method: http.MethodGet, on: onObject, marker: "acl", readOnly: true, asks: onObjectAsk("s3:GetObjectAcl"), run: getObjectACL},
	{name: "GetObjectTagging", method: http.MethodGet, on: onObject, marker: "tagging", readOnly: true, asks: onObjectAsk("s3:GetObjectTagging"), run: forwardDocument},
	{name: "PutObjectTagging", method: http.MethodPut, on: onObject, marker: "tagging", asks: askNothing, run: putObjectTagging},
	{name: "DeleteObjectTagging", method: http.MethodDelete, on: onObject, marker: "tagging", asks: onObjectAsk("s3:DeleteObjectTagging"), run: forward},

	{name: "CreateMultipartUpload", method: http.MethodPost, on: onObject, marker: "uploads", asks: askPut, run: forwardDocument},
	{name: "UploadPart", method: http.MethodPut, on: onObject, marker: "uploadId", query: []string{"partNumber"}, asks: onObjectAsk("s3:PutObject"), run: forward},
	{name: "UploadPartCopy", method: http.MethodPut, on: onObject, marker: "uploadId", copies: true, query: []string{"partNumber"}, asks: askCopy, run: forwardDocument},
	{name: "CompleteMultipartUpload", method: http.MethodPost, on: onObject, marker: "uploadId", asks: onObjectAsk("s3:PutObject"), run: forwardDocument},
	{name: "AbortMultipartUpload", method: http.MethodDelete, on: onObject, marker: "uploadId", asks: onObjectAsk("s3:AbortMultipartUpload"), run: forward},
	{name: "ListParts", method: http.MethodGet, on: onObject, marker: "uploadId", query: listPartsQuery, readOnly: true, asks: onObjectAsk("s3:ListMultipartUploadParts"), run: forwardDocument},
}
