package s3api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// TestAccounts is the matrix of what the caller's account and the bucket's owner say, for callers of both accounts.
func TestAccounts(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	const silent, allow, deny = "", "Allow", "Deny"
	tests := []struct {
		identity, resource string
		same, cross        bool // allowed within the account, across accounts
	}{
		{silent, silent, false, false},
		{silent, allow, true, false},
		{silent, deny, false, false},
		{allow, silent, true, false},
		{allow, allow, true, true},
		{allow, deny, false, false},
		{deny, silent, false, false},
		{deny, allow, false, false},
		{deny, deny, false, false},
	}
	for i, tt := range tests {
		for account, allowed := range map[string]bool{own: tt.same, other: tt.cross} {
			what := fmt.Sprintf("account %s, identity %q, bucket %q", account, tt.identity, tt.resource)
			name, user := w.bucket(), fmt.Sprintf("user-%d", i)
			w.put(name, "dir/k", "v")
			var grants []string
			if tt.identity != silent {
				grants = []string{statement(tt.identity, "", "s3:GetObject", arnOf(name)+"/dir/*")}
			}
			c := w.user(account, user, grants...)
			if tt.resource != silent {
				w.policy(name, statement(tt.resource, `{"AWS":"arn:aws:iam::`+account+`:user/`+user+`"}`, "s3:GetObject", arnOf(name)+"/dir/*"))
			}
			got, err := get(ctx, c, name, "dir/k")
			r := w.last()
			if allowed {
				if err != nil || got != "v" || r.ErrorCode != "" || r.AdditionalData.Decision != nil {
					t.Errorf("%s: got %q, %v; record %+v", what, got, err, r)
				}
				continue
			}
			if err == nil {
				t.Errorf("%s: allowed", what)
				continue
			}
			why := " because no "
			if tt.identity == deny || tt.resource == deny {
				why = " with an explicit deny in a"
			}
			refused(t, err, "AccessDenied", 403, "User: arn:aws:iam::"+account+":user/"+user+" is not authorized to perform: s3:GetObject on resource: "+
				arnOf(name)+"/dir/k"+why)
			trace, _ := json.Marshal(r.AdditionalData.Decision)
			if r.EventName != "GetObject" || r.ErrorCode != "AccessDenied" || r.UserIdentity.AccountID != account || r.RecipientAccountID != own ||
				len(r.Resources) != 2 || len(trace) < 10 || r.AdditionalData.Status != 403 {
				t.Errorf("%s: record %+v", what, r)
			}
			if account == other && strings.Contains(err.Error(), "statement") && tt.identity == allow {
				t.Errorf("%s: the other account's policy is told: %v", what, err)
			}
			if _, err := get(ctx, c, name, "dir/none"); err == nil {
				t.Errorf("%s: allowed", what)
			} else {
				refused(t, err, "AccessDenied", 403, "")
			}
		}
	}
}

func TestExpectedOwner(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	name := w.bucket()
	w.put(name, "k", "v")
	read := func(c *s3.Client, owner string) error {
		_, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: &name, Key: aws.String("k"), ExpectedBucketOwner: &owner})
		return err
	}
	must(t, read(w.admin, own))
	refused(t, read(w.admin, other), "AccessDenied", 403, "does not belong to the expected account "+other)
	right, wrong := read(w.guest, own), read(w.guest, other)
	refused(t, right, "AccessDenied", 403, "s3:GetObject")
	refused(t, wrong, "AccessDenied", 403, "s3:GetObject")
	_, err := w.admin.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: &name, Key: aws.String("l"), CopySource: aws.String(name + "/k"), ExpectedSourceBucketOwner: aws.String(other),
	})
	refused(t, err, "AccessDenied", 403, "expected account")
}

// TestMissingKey: whether a key exists is told only to those who may list.
func TestMissingKey(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	name := w.bucket()
	blind := w.user(own, "blind", statement("Allow", "", "s3:*Object*", arnOf(name)+"/*"))
	seeing := w.user(own, "seeing", statement("Allow", "", "s3:*Object*", arnOf(name)+"/*"), statement("Allow", "", "s3:ListBucket", arnOf(name)))
	_, err := get(ctx, blind, name, "none")
	refused(t, err, "AccessDenied", 403, "s3:ListBucket on resource: "+arnOf(name)+" because ")
	_, err = get(ctx, seeing, name, "none")
	typed[*types.NoSuchKey](t, err)
	tags := &types.Tagging{TagSet: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}
	_, err = blind.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: &name, Key: aws.String("none"), Tagging: tags})
	refused(t, err, "AccessDenied", 403, "s3:ListBucket")
	_, err = seeing.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: &name, Key: aws.String("none"), Tagging: tags})
	refused(t, err, "NoSuchKey", 404, "")
	_, err = blind.GetObjectAcl(ctx, &s3.GetObjectAclInput{Bucket: &name, Key: aws.String("none")})
	refused(t, err, "AccessDenied", 403, "s3:ListBucket")
}

func TestHeadersNeedPermissions(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	name := w.bucket()
	writer := w.user(own, "writer", statement("Allow", "", "s3:PutObject", arnOf(name)+"/*"))
	try := func(c *s3.Client, change func(*s3.PutObjectInput)) error {
		in := &s3.PutObjectInput{Bucket: &name, Key: aws.String("k"), Body: strings.NewReader("v")}
		change(in)
		_, err := c.PutObject(ctx, in)
		return err
	}
	must(t, try(writer, func(*s3.PutObjectInput) {}))
	refused(t, try(writer, func(in *s3.PutObjectInput) { in.Tagging = aws.String("a=b") }), "AccessDenied", 403, "s3:PutObjectTagging")
	refused(t, try(writer, func(in *s3.PutObjectInput) { in.ACL = types.ObjectCannedACLBucketOwnerFullControl }), "AccessDenied", 403, "s3:PutObjectAcl")
	must(t, try(w.admin, func(in *s3.PutObjectInput) { in.ACL = types.ObjectCannedACLBucketOwnerFullControl }))
	refused(t, try(w.admin, func(in *s3.PutObjectInput) { in.ACL = types.ObjectCannedACLPublicRead }), "AccessControlListNotSupported", 400, "")
	refused(t, try(w.admin, func(in *s3.PutObjectInput) { in.GrantRead = aws.String("uri=x") }), "AccessControlListNotSupported", 400, "")
	refused(t, try(w.admin, func(in *s3.PutObjectInput) { in.ServerSideEncryption = types.ServerSideEncryptionAes256 }), "NotImplemented", 501, "server-side-encryption")
	refused(t, try(w.admin, func(in *s3.PutObjectInput) { in.StorageClass = types.StorageClassGlacier }), "InvalidStorageClass", 400, "")
	refused(t, try(w.admin, func(in *s3.PutObjectInput) { in.ObjectLockLegalHoldStatus = types.ObjectLockLegalHoldStatusOn }), "NotImplemented", 501, "")
	refused(t, try(w.admin, func(in *s3.PutObjectInput) { in.Tagging = aws.String("a=b;c=d") }), "InvalidArgument", 400, "")
	refused(t, try(w.admin, func(in *s3.PutObjectInput) { in.ContentMD5 = aws.String("AAAAAAAAAAAAAAAAAAAAAA==") }), "BadDigest", 400, "")
}
