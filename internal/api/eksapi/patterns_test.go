package eksapi_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/smithy-go"

	"github.com/podid/podid/internal/quota"
)

const (
	clusterARN  = "arn:aws:eks:us-west-2:111122223333:cluster/c"
	patternsTag = "podid.io/pattern-associations"
)

func (w *world) tag(t *testing.T, c *sdk.Client, resource string, tags map[string]string) error {
	t.Helper()
	_, err := c.TagResource(t.Context(), &sdk.TagResourceInput{ResourceArn: &resource, Tags: tags})
	return err
}

func (w *world) create(t *testing.T, namespace, serviceAccount string, tags map[string]string) (*types.PodIdentityAssociation, error) {
	t.Helper()
	out, err := w.admin.CreatePodIdentityAssociation(t.Context(), &sdk.CreatePodIdentityAssociationInput{
		ClusterName: aws.String("c"), Namespace: &namespace, ServiceAccount: &serviceAccount, RoleArn: &w.role, Tags: tags,
	})
	if err != nil {
		return nil, err
	}
	return out.Association, nil
}

// tagRefused asserts a refusal of a tagging operation, whose errors the SDK knows by code alone.
func tagRefused(t *testing.T, err error, code, text string) {
	t.Helper()
	found, ok := errors.AsType[smithy.APIError](err)
	if !ok || found.ErrorCode() != code || !strings.Contains(found.ErrorMessage(), text) {
		t.Errorf("got %v, want %s: %s", err, code, text)
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.createCluster(t, "c")
	_, err := w.create(t, "team-*", "*", nil)
	refused[*types.InvalidParameterException](t, err, patternsTag+"=true")
	must(t, w.tag(t, w.admin, clusterARN, map[string]string{patternsTag: "true"}))
	a, err := w.create(t, "team-*", "*", nil)
	must(t, err)
	if *a.Namespace != "team-*" || *a.ServiceAccount != "*" {
		t.Errorf("made %+v", a)
	}
	_, err = w.create(t, "*-team", "*", nil)
	refused[*types.ResourceInUseException](t, err, "Association already exists: "+*a.AssociationId)
	_, err = w.create(t, "team-*", "*", nil)
	refused[*types.ResourceInUseException](t, err, "Association already exists: "+*a.AssociationId)
	exact, err := w.create(t, "team-a", "cart", nil)
	must(t, err)
	for _, tt := range []struct{ namespace, account, want string }{
		{"team-*", "*", *a.AssociationId},
		{"team-*", "", *a.AssociationId},
		{"", "*", *a.AssociationId},
		{"team-a", "cart", *exact.AssociationId},
		{"team-a", "", *exact.AssociationId},
		{"team-b", "cart", ""},
		{"team-b", "", ""},
	} {
		in := &sdk.ListPodIdentityAssociationsInput{ClusterName: aws.String("c")}
		if tt.namespace != "" {
			in.Namespace = &tt.namespace
		}
		if tt.account != "" {
			in.ServiceAccount = &tt.account
		}
		list, err := w.admin.ListPodIdentityAssociations(ctx, in)
		must(t, err)
		var got []string
		for _, found := range list.Associations {
			got = append(got, *found.AssociationId)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%q/%q lists %q, want %q", tt.namespace, tt.account, got, tt.want)
		}
	}
	up, err := w.admin.UpdatePodIdentityAssociation(ctx, &sdk.UpdatePodIdentityAssociationInput{
		ClusterName: aws.String("c"), AssociationId: a.AssociationId, TargetRoleArn: aws.String("arn:aws:iam::444455556666:role/target"),
	})
	must(t, err)
	if want := "us-west-2/111122223333/c/team-*/*"; *up.Association.ExternalId != want {
		t.Errorf("the external id is %s, want %s", *up.Association.ExternalId, want)
	}
	_, err = w.admin.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: aws.String(clusterARN), TagKeys: []string{patternsTag}})
	tagRefused(t, err, "BadRequestException", *a.AssociationId)
	tagRefused(t, w.tag(t, w.admin, clusterARN, map[string]string{patternsTag: "false"}), "BadRequestException", *a.AssociationId)
	tagRefused(t, w.tag(t, w.admin, clusterARN, map[string]string{"podid.io/patterns": "true"}), "BadRequestException", "podid's own")
}

func TestPatternsFromTheStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quota.Set{})
	create := func(value string) error {
		_, err := w.admin.CreateCluster(t.Context(), &sdk.CreateClusterInput{
			Name: aws.String("c"), RoleArn: &w.role, ResourcesVpcConfig: &types.VpcConfigRequest{}, Tags: map[string]string{patternsTag: value},
		})
		return err
	}
	refused[*types.InvalidParameterException](t, create("on"), "true or false")
	must(t, create("true"))
	_, err := w.create(t, "*", "*", nil)
	must(t, err)
}

// TestOwnTagsNeedMore holds that whoever may tag cannot change by it whose sessions pods get, nor what a cluster lets in.
func TestOwnTagsNeedMore(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.createCluster(t, "c")
	a, err := w.create(t, "shop", "cart", map[string]string{"podid.io/session-name": "@pod"})
	must(t, err)
	user := func(name string, actions ...string) *sdk.Client {
		return w.user(t, name, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*","Action":["`+strings.Join(actions, `","`)+`"]}]}`)
	}
	tagger := user("tagger", "eks:TagResource", "eks:UntagResource")
	updater := user("updater", "eks:TagResource", "eks:UntagResource", "eks:UpdatePodIdentityAssociation", "eks:UpdateClusterConfig")
	owner := user("owner", "eks:TagResource", "eks:UntagResource", "eks:UpdatePodIdentityAssociation", "iam:PassRole")
	own := map[string]string{"podid.io/session-tag/team": "a"}
	untag := func(c *sdk.Client, keys ...string) error {
		_, err := c.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: a.AssociationArn, TagKeys: keys})
		return err
	}
	must(t, w.tag(t, tagger, *a.AssociationArn, map[string]string{"team": "a"}))
	must(t, w.tag(t, tagger, *a.AssociationArn, map[string]string{"podid.io/session-name": "@pod"})) // as it is
	must(t, untag(tagger, "team", "podid.io/session-tags"))                                          // the latter is not there
	tagRefused(t, w.tag(t, tagger, *a.AssociationArn, own), "AccessDeniedException", "eks:UpdatePodIdentityAssociation")
	tagRefused(t, untag(tagger, "podid.io/session-name"), "AccessDeniedException", "eks:UpdatePodIdentityAssociation")
	tagRefused(t, w.tag(t, updater, *a.AssociationArn, own), "AccessDeniedException", "iam:PassRole on resource: "+w.role)
	tagRefused(t, untag(updater, "podid.io/session-name"), "AccessDeniedException", "iam:PassRole")
	modified := func() time.Time {
		out, err := w.admin.DescribePodIdentityAssociation(ctx, &sdk.DescribePodIdentityAssociationInput{
			ClusterName: aws.String("c"), AssociationId: a.AssociationId,
		})
		must(t, err)
		return *out.Association.ModifiedAt
	}
	before := modified()
	must(t, w.tag(t, owner, *a.AssociationArn, map[string]string{"team": "b"}))
	if !modified().Equal(before) {
		t.Error("a tag without effect modified the association")
	}
	must(t, w.tag(t, owner, *a.AssociationArn, own))
	if !modified().After(before) {
		t.Error("a tag that changes sessions did not modify the association")
	}
	must(t, untag(owner, "podid.io/session-name"))
	tagRefused(t, w.tag(t, tagger, clusterARN, map[string]string{patternsTag: "true"}), "AccessDeniedException", "eks:UpdateClusterConfig")
	must(t, w.tag(t, updater, clusterARN, map[string]string{patternsTag: "true"}))
	list, err := w.admin.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: a.AssociationArn})
	must(t, err)
	if list.Tags["podid.io/session-tag/team"] != "a" || len(list.Tags) != 2 {
		t.Errorf("the tags are %v", list.Tags)
	}
}

func TestOwnTagsAreChecked(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.createCluster(t, "c")
	_, err := w.create(t, "shop", "cart", map[string]string{"podid.io/session-tag": "x"})
	refused[*types.InvalidParameterException](t, err, "podid's own")
	_, err = w.create(t, "shop", "cart", map[string]string{"podid.io/session-tags": "kubernetes-node"})
	refused[*types.InvalidParameterException](t, err, "kubernetes-node")
	a, err := w.create(t, "shop", "cart", map[string]string{"podid.io/session-tags": "none"})
	must(t, err)
	of := map[string]string{"podid.io/session-tag/eks-cluster-arn": "x"}
	tagRefused(t, w.tag(t, w.admin, *a.AssociationArn, of), "BadRequestException", "no association can choose")
	_, err = w.admin.UpdatePodIdentityAssociation(ctx, &sdk.UpdatePodIdentityAssociationInput{
		ClusterName: aws.String("c"), AssociationId: a.AssociationId, DisableSessionTags: aws.Bool(true),
	})
	refused[*types.InvalidParameterException](t, err, "podid.io/session-tags")
}
