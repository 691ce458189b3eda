package s3api

import (
	"crypto/tls"
	"strconv"

	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/bucket"
	"github.com/podid/podid/internal/policy"
)

// question is one permission that a request needs. All of a request's questions must be answered with allow.
type question struct {
	action   string
	resource string
	bucket   *bucket.Bucket // whose owner and policy count; nil: the caller's own account, no resource policy
	keys     func(*policy.Context)
}

// The rules of which permission a request needs. spec: iam-policy.md 11.2, s3.md 7

func askNothing(*request) []question { return nil } // the questions follow from the body: deleteObjects, putObjectTagging

func askListBuckets(*request) []question {
	return []question{{action: "s3:ListAllMyBuckets", resource: "arn:aws:s3:::*"}}
}

func onBucketAsk(action string) func(*request) []question {
	return func(r *request) []question {
		return []question{{action: action, resource: arn.Bucket(r.bucket), bucket: r.found}}
	}
}

// askCreateBucket: as for objects, what the headers ask for needs permissions of its own.
func askCreateBucket(r *request) []question {
	actions := []string{"s3:CreateBucket"}
	if r.has("X-Amz-Acl") {
		actions = append(actions, "s3:PutBucketAcl")
	}
	if r.has("X-Amz-Object-Ownership") {
		actions = append(actions, "s3:PutBucketOwnershipControls")
	}
	questions := make([]question, 0, len(actions))
	for _, a := range actions {
		questions = append(questions, question{action: a, resource: arn.Bucket(r.bucket), keys: r.putKeys})
	}
	return questions
}

func onObjectAsk(actions ...string) func(*request) []question {
	return func(r *request) []question {
		questions := make([]question, 0, len(actions))
		for _, a := range actions {
			questions = append(questions, r.objectQuestion(a))
		}
		return questions
	}
}

func (r *request) objectQuestion(action string) question {
	return question{action: action, resource: arn.Object(r.bucket, r.key), bucket: r.found, keys: r.putKeys}
}

func askList(action string) func(*request) []question {
	return func(r *request) []question {
		return []question{{action: action, resource: arn.Bucket(r.bucket), bucket: r.found, keys: r.listKeys}}
	}
}

// askPut: what a PutObject's headers ask for beside the bytes needs permissions of its own.
func askPut(r *request) []question {
	questions := []question{r.objectQuestion("s3:PutObject")}
	if r.has("X-Amz-Tagging") {
		questions = append(questions, r.objectQuestion("s3:PutObjectTagging"))
	}
	if r.has("X-Amz-Acl") {
		questions = append(questions, r.objectQuestion("s3:PutObjectAcl"))
	}
	return questions
}

func askCopy(r *request) []question {
	from := question{action: "s3:GetObject", resource: arn.Object(r.source.bucket.Name, r.source.key), bucket: r.source.bucket}
	return append([]question{from}, askPut(r)...)
}

// askTags are the further permissions of a copy that takes the source's tags with it.
func askTags(r *request) []question {
	return []question{
		{action: "s3:GetObjectTagging", resource: arn.Object(r.source.bucket.Name, r.source.key), bucket: r.source.bucket},
		r.objectQuestion("s3:PutObjectTagging"),
	}
}

// listKeys: prefix and delimiter are there when the parameter is, max-keys always. spec: iam-policy.md 11.3
func (r *request) listKeys(k *policy.Context) {
	for _, name := range []string{"prefix", "delimiter"} {
		if r.query.Has(name) {
			k.Set("s3:"+name, r.query.Get(name))
		}
	}
	maxKeys := r.query.Get("max-keys")
	if maxKeys == "" {
		maxKeys = "1000"
	}
	k.Set("s3:max-keys", maxKeys)
}

// putKeys sets the keys that follow from the headers of a write.
func (r *request) putKeys(k *policy.Context) {
	if r.op.readOnly {
		return
	}
	for _, header := range []string{
		"x-amz-acl", "x-amz-storage-class", "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
		"x-amz-website-redirect-location", "x-amz-metadata-directive", "x-amz-object-ownership",
	} {
		if v := r.header.Get(header); v != "" {
			k.Set("s3:"+header, v)
		}
	}
	for _, header := range []string{"if-match", "if-none-match"} {
		if v := r.header.Get(header); v != "" {
			k.Set("s3:"+header, v)
		}
	}
	if r.has("X-Amz-Tagging") {
		tagKeys(k, r.tags)
	}
	if r.source != nil {
		k.Set("s3:x-amz-copy-source", r.source.bucket.Name+"/"+r.source.key)
	}
}

// commonKeys are the keys of every question about an S3 request; b is the bucket that the question is about.
func (r *request) commonKeys(k *policy.Context, b *bucket.Bucket) {
	if a := r.x.Auth; a != nil {
		k.Set("s3:signatureversion", "AWS4-HMAC-SHA256")
		authType := "REST-HEADER"
		if a.Presigned {
			authType = "REST-QUERY-STRING"
		}
		k.Set("s3:authType", authType)
		k.Set("s3:signatureAge", strconv.FormatInt(max(0, r.x.Now.Sub(a.Date).Milliseconds()), 10))
		if a.PayloadHash != "" {
			k.Set("s3:x-amz-content-sha256", a.PayloadHash)
		}
	}
	if b != nil {
		k.Set("s3:ResourceAccount", b.Account)
	}
	if t := r.http.TLS; t != nil && t.Version >= tls.VersionTLS12 {
		k.Set("s3:TlsVersion", "1."+strconv.Itoa(int(t.Version-tls.VersionTLS10)))
	}
}
