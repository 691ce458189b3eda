package s3api_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
)

func TestBuckets(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	one, two := w.bucket(), w.bucket()

	_, err := w.admin.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &one})
	typed[*types.BucketAlreadyOwnedByYou](t, err)
	_, err = w.guest.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &one})
	typed[*types.BucketAlreadyExists](t, err)
	_, err = w.admin.CreateBucket(ctx, &s3.CreateBucketInput{
		Bucket: aws.String("elsewhere"), CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "us-west-2"},
	})
	refused(t, err, "IllegalLocationConstraintException", 400, region)
	_, err = w.admin.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("tagged-one"), CreateBucketConfiguration: &types.CreateBucketConfiguration{
		Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}},
	}})
	refused(t, err, "NotImplemented", 501, "")
	_, err = w.admin.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("Bad_Name")})
	refused(t, err, "InvalidBucketName", 400, "")

	_, err = w.admin.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &one})
	must(t, err)
	_, err = w.admin.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("there-is-none")})
	typed[*types.NotFound](t, err)
	location, err := w.admin.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: &one})
	must(t, err)
	if location.LocationConstraint != region {
		t.Errorf("location %q", location.LocationConstraint)
	}

	var listed []string
	pages := s3.NewListBucketsPaginator(w.admin, &s3.ListBucketsInput{MaxBuckets: aws.Int32(1), Prefix: aws.String("test-")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		must(t, err)
		if len(page.Buckets) > 1 {
			t.Errorf("a page of %d", len(page.Buckets))
		}
		for _, b := range page.Buckets {
			listed = append(listed, *b.Name)
		}
	}
	if len(listed) != 2 {
		t.Errorf("listed %v, want %s and %s", listed, one, two)
	}
	guests, err := w.guest.ListBuckets(ctx, &s3.ListBucketsInput{})
	must(t, err)
	if len(guests.Buckets) != 0 {
		t.Errorf("the other account sees %v", guests.Buckets)
	}

	w.put(one, "k", "v")
	_, err = w.admin.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &one})
	refused(t, err, "BucketNotEmpty", 409, "")
	_, err = w.guest.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &two})
	refused(t, err, "AccessDenied", 403, "s3:DeleteBucket")
	_, err = w.admin.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &two})
	must(t, err)
	_, err = w.admin.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &two})
	typed[*types.NoSuchBucket](t, err)
}

func TestBucketPolicy(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	name := w.bucket()
	_, err := w.admin.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &name})
	refused(t, err, "NoSuchBucketPolicy", 404, "")
	text := doc(statement("Allow", `{"AWS":"`+other+`"}`, "s3:*", arnOf(name), arnOf(name)+"/*"))
	_, err = w.admin.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &name, Policy: &text})
	must(t, err)
	got, err := w.admin.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &name})
	must(t, err)
	if *got.Policy != text {
		t.Errorf("got %s", *got.Policy)
	}
	status, err := w.admin.GetBucketPolicyStatus(ctx, &s3.GetBucketPolicyStatusInput{Bucket: &name})
	must(t, err)
	if aws.ToBool(status.PolicyStatus.IsPublic) {
		t.Error("one account is not the public")
	}

	t.Run("another account never gets at it", func(t *testing.T) {
		_, err := w.guest.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &name, Policy: &text})
		refused(t, err, "MethodNotAllowed", 405, "")
		_, err = w.guest.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &name})
		refused(t, err, "MethodNotAllowed", 405, "")
		_, err = w.guest.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &name})
		refused(t, err, "MethodNotAllowed", 405, "")
	})
	t.Run("a public one is refused while the block is on", func(t *testing.T) {
		public := doc(statement("Allow", `"*"`, "s3:GetObject", arnOf(name)+"/*"))
		_, err := w.admin.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &name, Policy: &public})
		refused(t, err, "AccessDenied", 403, "BlockPublicPolicy")
	})
	t.Run("malformed", func(t *testing.T) {
		for _, bad := range []string{"x", doc(statement("Allow", `"*"`, "s3:GetObject", arnOf("another")+"/*"))} {
			_, err := w.admin.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &name, Policy: &bad})
			refused(t, err, "MalformedPolicy", 400, "")
		}
	})
	_, err = w.admin.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &name})
	must(t, err)
	_, err = w.admin.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &name})
	refused(t, err, "NoSuchBucketPolicy", 404, "")
}

func TestPublicAccessBlock(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	name := w.bucket()
	w.put(name, "k", "v")
	block := func() *types.PublicAccessBlockConfiguration {
		t.Helper()
		got, err := w.admin.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &name})
		must(t, err)
		return got.PublicAccessBlockConfiguration
	}
	if b := block(); !*b.BlockPublicPolicy || !*b.RestrictPublicBuckets || !*b.BlockPublicAcls || !*b.IgnorePublicAcls {
		t.Errorf("a new bucket is open: %+v", b)
	}
	_, err := get(ctx, w.anonymous(), name, "k")
	refused(t, err, "AccessDenied", 403, "")

	_, err = w.admin.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{
		Bucket: &name, PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{RestrictPublicBuckets: aws.Bool(true)},
	})
	must(t, err)
	if b := block(); *b.BlockPublicPolicy || !*b.RestrictPublicBuckets {
		t.Errorf("not as set: %+v", b)
	}
	public := doc(statement("Allow", `"*"`, "s3:GetObject", arnOf(name)+"/*"))
	_, err = w.admin.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &name, Policy: &public})
	must(t, err)
	for _, c := range []*s3.Client{w.anonymous(), w.guest} {
		_, err = get(ctx, c, name, "k")
		refused(t, err, "AccessDenied", 403, "")
	}
	_, err = w.admin.DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: &name})
	must(t, err)
	for _, c := range []*s3.Client{w.anonymous(), w.guest} {
		v, err := get(ctx, c, name, "k")
		must(t, err)
		if v != "v" {
			t.Errorf("got %q", v)
		}
	}
	resp, _ := w.raw("GET", "/"+name+"/k?response-content-type=text/html", nil, nil)
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("an anonymous caller chose the content type: %d", resp.StatusCode)
	}
	err = put(ctx, w.anonymous(), name, "k", "w")
	refused(t, err, "AccessDenied", 403, "")
}

func TestLockOut(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	name := w.bucket()
	w.policy(name, statement("Deny", `"*"`, "s3:*", arnOf(name), arnOf(name)+"/*"))
	_, err := w.admin.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &name})
	refused(t, err, "AccessDenied", 403, "explicit deny")
	key, err := w.iam.CreateAccessKey(ctx, own, "")
	must(t, err)
	root := w.client(staticKey(key))
	_, err = root.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &name})
	refused(t, err, "AccessDenied", 403, "explicit deny")
	_, err = root.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &name})
	must(t, err)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	name := w.bucket()
	w.put(name, "k", "v")
	controls, err := w.admin.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: &name})
	must(t, err)
	if diff := cmp.Diff(types.ObjectOwnershipBucketOwnerEnforced, controls.OwnershipControls.Rules[0].ObjectOwnership); diff != "" {
		t.Error(diff)
	}
	versioning, err := w.admin.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &name})
	must(t, err)
	if versioning.Status != "" {
		t.Errorf("versioning %s", versioning.Status)
	}
	acl, err := w.admin.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: &name})
	must(t, err)
	object, err := w.admin.GetObjectAcl(ctx, &s3.GetObjectAclInput{Bucket: &name, Key: aws.String("k")})
	must(t, err)
	if got := fmt.Sprintln(*acl.Owner.ID == *object.Owner.ID, len(*acl.Owner.ID), acl.Grants[0].Permission); got != "true 64 FULL_CONTROL\n" {
		t.Error(got)
	}
	_, err = w.admin.GetObjectAcl(ctx, &s3.GetObjectAclInput{Bucket: &name, Key: aws.String("none")})
	refused(t, err, "NoSuchKey", 404, "")
}

// TestWrongRegion: the answer names the region that is right, which clients follow.
func TestWrongRegion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.admin.Options()
	o.Region = "us-west-2"
	_, err := s3.New(o).ListBuckets(t.Context(), nil)
	refused(t, err, "AuthorizationHeaderMalformed", 400, region)
}
