package policy

import "strings"

// bucketStatement holds S3's own rules for a bucket policy: S3 actions on S3 resources, and each action on a resource of its sort.
// spec: iam-policy.md 11.2, 12
func (v *validator) bucketStatement(s *draftStatement) *SyntaxError {
	if v.kind != Bucket || v.why == reading {
		return nil
	}
	bucket, object := s.notResource, s.notResource
	for _, r := range s.resources {
		if r.text == "*" {
			bucket, object = true, true
			continue
		}
		rest, ok := strings.CutPrefix(r.text, "arn:aws:s3:")
		if !ok {
			return v.fail(r.pos, textBucketResource, "not an S3 ARN")
		}
		_, name, _ := strings.Cut(rest, "::")
		slash := strings.Contains(name, "/")
		object = object || slash || strings.Contains(name, "*")
		bucket = bucket || !slash
	}
	for _, a := range s.actions {
		name, ok := cutPrefixFold(a.text, "s3:")
		if !ok && a.text != "*" {
			return v.fail(a.pos, textBucketAction, "not an S3 action")
		}
		if s.notAction || strings.ContainsAny(name, "*?") || a.text == "*" {
			continue
		}
		if objectAction(name) && !object || bucketAction(name) && !bucket {
			return v.fail(a.pos, textBucketMismatch, a.text)
		}
	}
	return nil
}

// objectActions are the actions on objects, in lower case. What is in neither table is not judged.
var objectActions = [...]string{
	"getobject", "getobjectversion", "getobjectattributes", "getobjectversionattributes", "getobjectacl", "getobjectversionacl",
	"getobjecttagging", "getobjectversiontagging", "getobjectretention", "getobjectlegalhold", "getobjecttorrent",
	"putobject", "putobjectacl", "putobjectversionacl", "putobjecttagging", "putobjectversiontagging", "putobjectretention",
	"putobjectlegalhold", "deleteobject", "deleteobjectversion", "deleteobjecttagging", "deleteobjectversiontagging",
	"abortmultipartupload", "listmultipartuploadparts", "restoreobject", "bypassgovernanceretention",
}

// bucketActions are the actions on buckets, in lower case.
var bucketActions = [...]string{
	"createbucket", "deletebucket", "listbucket", "listbucketversions", "listbucketmultipartuploads", "getbucketlocation",
	"getbucketversioning", "putbucketversioning", "getbucketacl", "putbucketacl", "getbuckettagging", "putbuckettagging",
	"getbucketlogging", "putbucketlogging", "getbucketrequestpayment", "putbucketrequestpayment", "getbucketwebsite",
	"putbucketwebsite", "deletebucketwebsite", "getbucketpolicy", "putbucketpolicy", "deletebucketpolicy", "getbucketpolicystatus",
	"getbucketcors", "putbucketcors", "getbucketnotification", "putbucketnotification", "getencryptionconfiguration",
	"putencryptionconfiguration", "getlifecycleconfiguration", "putlifecycleconfiguration", "getreplicationconfiguration",
	"putreplicationconfiguration", "getbucketownershipcontrols", "putbucketownershipcontrols", "getbucketpublicaccessblock",
	"putbucketpublicaccessblock", "getbucketobjectlockconfiguration", "putbucketobjectlockconfiguration",
}

func objectAction(name string) bool { return contains(objectActions[:], name) }
func bucketAction(name string) bool { return contains(bucketActions[:], name) }

func contains(list []string, name string) bool {
	for _, s := range list {
		if strings.EqualFold(s, name) {
			return true
		}
	}
	return false
}
