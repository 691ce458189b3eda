package eksapi_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/quota"
)

func joined(list []string) string { return strings.Join(list, " ") }

// withEntries makes a cluster that has access entries.
func (w *world) withEntries(t *testing.T, bootstrap *bool) {
	t.Helper()
	_, err := w.admin.CreateCluster(t.Context(), &sdk.CreateClusterInput{
		Name: aws.String("c"), RoleArn: &w.role, ResourcesVpcConfig: &types.VpcConfigRequest{},
		AccessConfig: &types.CreateAccessConfigRequest{AuthenticationMode: types.AuthenticationModeApi, BootstrapClusterCreatorAdminPermissions: bootstrap},
	})
	must(t, err)
}

const clusterAdmin = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"

// TestAccessEntryLife goes from the creation of an access entry to its deletion.
func TestAccessEntryLife(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}.With(quota.AccessEntriesPerCluster, 3)), t.Context()
	w.withEntries(t, aws.Bool(false))
	name := aws.String("c")
	create := &sdk.CreateAccessEntryInput{
		ClusterName: name, PrincipalArn: &w.role, KubernetesGroups: []string{"developers"}, Tags: map[string]string{"a": "b"}, ClientRequestToken: aws.String("t"),
	}
	out, err := w.admin.CreateAccessEntry(ctx, create)
	must(t, err)
	e := out.AccessEntry
	if !strings.HasPrefix(*e.AccessEntryArn, "arn:aws:eks:us-west-2:111122223333:access-entry/c/role/111122223333/app/") || *e.Type != "STANDARD" ||
		*e.Username != "arn:aws:sts::111122223333:assumed-role/app/{{SessionName}}" || joined(e.KubernetesGroups) != "developers" || e.Tags["a"] != "b" {
		t.Errorf("made %+v", e)
	}
	again, err := w.admin.CreateAccessEntry(ctx, create)
	must(t, err)
	if *again.AccessEntry.AccessEntryArn != *e.AccessEntryArn {
		t.Errorf("sent again, it made %s", *again.AccessEntry.AccessEntryArn)
	}
	_, err = w.admin.CreateAccessEntry(ctx, &sdk.CreateAccessEntryInput{ClusterName: name, PrincipalArn: &w.role})
	refused[*types.ResourceInUseException](t, err, "The specified access entry resource is already in use on this cluster.")

	nodes, foreign := w.newRole(t, "nodes", ec2Trust), aws.String("arn:aws:iam::444455556666:user/u")
	node, err := w.admin.CreateAccessEntry(ctx, &sdk.CreateAccessEntryInput{ClusterName: name, PrincipalArn: &nodes, Type: aws.String("EC2_LINUX")})
	must(t, err)
	if g := node.AccessEntry; joined(g.KubernetesGroups) != "system:nodes" || *g.Username != "system:node:{{EC2PrivateDNSName}}" {
		t.Errorf("the entry of nodes is %+v", g)
	}
	_, err = w.admin.CreateAccessEntry(ctx, &sdk.CreateAccessEntryInput{ClusterName: name, PrincipalArn: foreign})
	must(t, err)
	for text, in := range map[string]*sdk.CreateAccessEntryInput{
		"invalid principal.":        {PrincipalArn: aws.String("arn:aws:iam::111122223333:role/ghost")},
		"is not the ARN":            {PrincipalArn: aws.String("arn:aws:sts::444455556666:assumed-role/r/s")},
		"cannot start with system:": {PrincipalArn: aws.String("arn:aws:iam::444455556666:role/r"), KubernetesGroups: []string{"system:masters"}},
		"username":                  {PrincipalArn: aws.String("arn:aws:iam::444455556666:role/r"), Username: aws.String("eks:me")},
		"The type":                  {PrincipalArn: aws.String("arn:aws:iam::444455556666:role/r"), Type: aws.String("MARS")},
		"is for a role":             {PrincipalArn: foreign, Type: aws.String("EC2_LINUX")},
		"no kubernetesGroups":       {PrincipalArn: aws.String("arn:aws:iam::444455556666:role/r"), Type: aws.String("EC2"), Username: aws.String("u")},
	} {
		in.ClusterName = name
		_, err := w.admin.CreateAccessEntry(ctx, in)
		refused[*types.InvalidParameterException](t, err, text)
	}
	_, err = w.admin.CreateAccessEntry(ctx, &sdk.CreateAccessEntryInput{ClusterName: name, PrincipalArn: aws.String("arn:aws:iam::444455556666:role/r")})
	refused[*types.ResourceLimitExceededException](t, err, "limit of 3 access entries")

	changed, err := w.admin.UpdateAccessEntry(ctx, &sdk.UpdateAccessEntryInput{
		ClusterName: name, PrincipalArn: &w.role, KubernetesGroups: []string{}, Username: aws.String("app"),
	})
	must(t, err)
	if g := changed.AccessEntry; len(g.KubernetesGroups) != 0 || *g.Username != "app" || !g.CreatedAt.Equal(*e.CreatedAt) {
		t.Errorf("changed to %+v", g)
	}
	_, err = w.admin.UpdateAccessEntry(ctx, &sdk.UpdateAccessEntryInput{ClusterName: name, PrincipalArn: &nodes, Username: aws.String("n")})
	refused[*types.InvalidParameterException](t, err, "of its own")
	_, err = w.admin.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: e.AccessEntryArn, Tags: map[string]string{"c": "d"}})
	must(t, err)
	_, err = w.admin.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: e.AccessEntryArn, TagKeys: []string{"a"}})
	must(t, err)
	tags, err := w.admin.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: e.AccessEntryArn})
	must(t, err)
	if diff := cmp.Diff(map[string]string{"c": "d"}, tags.Tags); diff != "" {
		t.Error(diff)
	}
	_, err = w.admin.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: aws.String(*e.AccessEntryArn + "0")})
	refused[*types.NotFoundException](t, err, "No resource found")
	_, err = w.admin.DeleteAccessEntry(ctx, &sdk.DeleteAccessEntryInput{ClusterName: name, PrincipalArn: &w.role})
	must(t, err)
	_, err = w.admin.DescribeAccessEntry(ctx, &sdk.DescribeAccessEntryInput{ClusterName: name, PrincipalArn: &w.role})
	refused[*types.ResourceNotFoundException](t, err, "The specified principalArn could not be found.")
	_, err = w.admin.DeleteCluster(ctx, &sdk.DeleteClusterInput{Name: name})
	must(t, err)
	w.withEntries(t, aws.Bool(false))
	list, err := w.admin.ListAccessEntries(ctx, &sdk.ListAccessEntriesInput{ClusterName: name})
	must(t, err)
	if len(list.AccessEntries) != 0 {
		t.Errorf("a cluster of the same name has %v", list.AccessEntries)
	}
}

// TestAccessPolicies holds which access policies an access entry may have, and who finds it by them.
func TestAccessPolicies(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.withEntries(t, nil)
	name := aws.String("c")
	all, err := w.admin.ListAccessPolicies(ctx, &sdk.ListAccessPoliciesInput{})
	must(t, err)
	if len(all.AccessPolicies) < 5 || *all.AccessPolicies[0].Arn != "arn:aws:eks::aws:cluster-access-policy/"+*all.AccessPolicies[0].Name {
		t.Errorf("the access policies are %+v", all.AccessPolicies)
	}
	list, err := w.admin.ListAccessEntries(ctx, &sdk.ListAccessEntriesInput{ClusterName: name, AssociatedPolicyArn: aws.String(clusterAdmin)})
	must(t, err)
	if len(list.AccessEntries) != 1 || !strings.HasPrefix(list.AccessEntries[0], "arn:aws:iam::111122223333:") {
		t.Fatalf("whoever created the cluster has no entry: %v", list.AccessEntries)
	}
	_, err = w.admin.CreateAccessEntry(ctx, &sdk.CreateAccessEntryInput{ClusterName: name, PrincipalArn: &w.role})
	must(t, err)
	associate := func(arn string, scope types.AccessScope) (*sdk.AssociateAccessPolicyOutput, error) {
		return w.admin.AssociateAccessPolicy(ctx, &sdk.AssociateAccessPolicyInput{ClusterName: name, PrincipalArn: &w.role, PolicyArn: &arn, AccessScope: &scope})
	}
	view := "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
	first, err := associate(view, types.AccessScope{Type: types.AccessScopeTypeNamespace, Namespaces: []string{"team-*", "prod"}})
	must(t, err)
	if p := first.AssociatedAccessPolicy; *p.PolicyArn != view || joined(p.AccessScope.Namespaces) != "team-* prod" || *first.PrincipalArn != w.role {
		t.Errorf("associated %+v", p)
	}
	second, err := associate(view, types.AccessScope{Type: types.AccessScopeTypeCluster})
	must(t, err)
	if p := second.AssociatedAccessPolicy; p.AccessScope.Type != "cluster" || !p.AssociatedAt.Equal(*first.AssociatedAccessPolicy.AssociatedAt) {
		t.Errorf("associated anew %+v", p)
	}
	for text, scope := range map[string]types.AccessScope{
		"no namespaces":      {Type: "cluster", Namespaces: []string{"a"}},
		"1 to 50 namespaces": {Type: "namespace"},
		"The namespace":      {Type: "namespace", Namespaces: []string{"-a"}},
		"is cluster or":      {Type: "galaxy"},
	} {
		_, err := associate(view, scope)
		refused[*types.InvalidParameterException](t, err, text)
	}
	_, err = associate(view+"s", types.AccessScope{Type: "cluster"})
	refused[*types.ResourceNotFoundException](t, err, "The specified policyArn could not be found.")
	has, err := w.admin.ListAssociatedAccessPolicies(ctx, &sdk.ListAssociatedAccessPoliciesInput{ClusterName: name, PrincipalArn: &w.role})
	must(t, err)
	if len(has.AssociatedAccessPolicies) != 1 || *has.ClusterName != "c" {
		t.Errorf("it has %+v", has)
	}
	_, err = w.admin.ListAssociatedAccessPolicies(ctx, &sdk.ListAssociatedAccessPoliciesInput{ClusterName: name, PrincipalArn: &w.role, MaxResults: aws.Int32(0)})
	refused[*types.InvalidRequestException](t, err, "maxResults")
	_, err = w.admin.DisassociateAccessPolicy(ctx, &sdk.DisassociateAccessPolicyInput{ClusterName: name, PrincipalArn: &w.role, PolicyArn: &view})
	must(t, err)
	_, err = w.admin.DisassociateAccessPolicy(ctx, &sdk.DisassociateAccessPolicyInput{ClusterName: name, PrincipalArn: &w.role, PolicyArn: &view})
	refused[*types.ResourceNotFoundException](t, err, "not associated")

	modest := w.user(t, "modest", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"eks:AssociateAccessPolicy","Resource":"*",`+
		`"Condition":{"StringEquals":{"eks:policyArn":"`+view+`","eks:accessScope":"namespace","eks:accessEntryType":"STANDARD"}}}]}`)
	try := func(arn string, scope types.AccessScope) error {
		_, err := modest.AssociateAccessPolicy(ctx, &sdk.AssociateAccessPolicyInput{ClusterName: name, PrincipalArn: &w.role, PolicyArn: &arn, AccessScope: &scope})
		return err
	}
	must(t, try(view, types.AccessScope{Type: "namespace", Namespaces: []string{"a"}}))
	refused[*types.AccessDeniedException](t, try(clusterAdmin, types.AccessScope{Type: "namespace", Namespaces: []string{"a"}}), "eks:AssociateAccessPolicy")
	refused[*types.AccessDeniedException](t, try(view, types.AccessScope{Type: "cluster"}), "eks:AssociateAccessPolicy")
}

// TestNoAccessEntries holds that a cluster whose authentication mode knows no access entries has none.
func TestNoAccessEntries(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.createCluster(t, "c")
	const wrongMode = "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation."
	_, err := w.admin.CreateAccessEntry(ctx, &sdk.CreateAccessEntryInput{ClusterName: aws.String("c"), PrincipalArn: &w.role})
	refused[*types.InvalidRequestException](t, err, wrongMode)
	_, err = w.admin.UpdateAccessEntry(ctx, &sdk.UpdateAccessEntryInput{ClusterName: aws.String("c"), PrincipalArn: &w.role})
	refused[*types.InvalidRequestException](t, err, wrongMode)
	_, err = w.admin.DeleteAccessEntry(ctx, &sdk.DeleteAccessEntryInput{ClusterName: aws.String("c"), PrincipalArn: &w.role})
	refused[*types.InvalidRequestException](t, err, wrongMode)
	list, err := w.admin.ListAccessEntries(ctx, &sdk.ListAccessEntriesInput{ClusterName: aws.String("c")})
	must(t, err)
	if list.AccessEntries == nil || len(list.AccessEntries) != 0 {
		t.Errorf("it has %v", list.AccessEntries)
	}
}
