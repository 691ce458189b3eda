package eksapi_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/quota"
)

func TestClusterLife(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	made := w.createCluster(t, "c")
	if made.Status != types.ClusterStatusCreating || *made.Arn != "arn:aws:eks:us-west-2:111122223333:cluster/c" || made.Identity != nil {
		t.Errorf("made %+v", made)
	}
	name := aws.String("c")
	_, err := w.admin.CreateCluster(ctx, &sdk.CreateClusterInput{Name: name, RoleArn: &w.role, ResourcesVpcConfig: &types.VpcConfigRequest{}})
	refused[*types.ResourceInUseException](t, err, "Cluster already exists with name: c")
	if inUse, ok := errors.AsType[*types.ResourceInUseException](err); ok && aws.ToString(inUse.ClusterName) != "c" {
		t.Errorf("the error names cluster %v", inUse.ClusterName)
	}
	w.report(t, cluster.Report{})
	must(t, sdk.NewClusterActiveWaiter(w.admin).Wait(ctx, &sdk.DescribeClusterInput{Name: name}, time.Minute))
	out, err := w.admin.DescribeCluster(ctx, &sdk.DescribeClusterInput{Name: name})
	must(t, err)
	c := out.Cluster
	if *c.Identity.Oidc.Issuer != issuer || *c.Version != "1.36" || *c.Endpoint != "https://10.0.0.1:6443" ||
		c.Health.Issues == nil || !slices.Equal(c.ResourcesVpcConfig.SubnetIds, []string{"subnet-1"}) || c.Tags["env"] != "test" {
		t.Errorf("described %+v", c)
	}
	w.createCluster(t, "a")
	w.createCluster(t, "b")
	var names []string
	pages := sdk.NewListClustersPaginator(w.admin, &sdk.ListClustersInput{MaxResults: aws.Int32(1)})
	for pages.HasMorePages() {
		p, err := pages.NextPage(ctx)
		must(t, err)
		names = append(names, p.Clusters...)
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, names); diff != "" {
		t.Error(diff)
	}
	_, err = w.admin.CreateNodegroup(ctx, &sdk.CreateNodegroupInput{ClusterName: name, NodegroupName: aws.String("n"), NodeRole: &w.role, Subnets: []string{}})
	must(t, err)
	_, err = w.admin.DeleteCluster(ctx, &sdk.DeleteClusterInput{Name: name})
	refused[*types.ResourceInUseException](t, err, "Cluster has nodegroups attached")
	deleted, err := w.admin.DeleteCluster(ctx, &sdk.DeleteClusterInput{Name: aws.String("a")})
	must(t, err)
	if deleted.Cluster.Status != types.ClusterStatusDeleting {
		t.Errorf("the deleted cluster is %s", deleted.Cluster.Status)
	}
	_, err = w.admin.DescribeCluster(ctx, &sdk.DescribeClusterInput{Name: aws.String("a")})
	refused[*types.ResourceNotFoundException](t, err, "No cluster found for name: a.")
	_, err = w.admin.CreateCluster(ctx, &sdk.CreateClusterInput{
		Name: aws.String("p"), RoleArn: &w.role, ResourcesVpcConfig: &types.VpcConfigRequest{}, DeletionProtection: aws.Bool(true),
	})
	must(t, err)
	_, err = w.admin.DeleteCluster(ctx, &sdk.DeleteClusterInput{Name: aws.String("p")})
	refused[*types.InvalidRequestException](t, err, "deletion protection")
	_, err = w.admin.CreateCluster(ctx, &sdk.CreateClusterInput{Name: aws.String("-"), RoleArn: &w.role, ResourcesVpcConfig: &types.VpcConfigRequest{}})
	refused[*types.InvalidParameterException](t, err, "not valid")
}

func TestNodegroupAndAddon(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.createCluster(t, "c")
	name, agent, group := aws.String("c"), aws.String("eks-pod-identity-agent"), aws.String("n")
	_, err := w.admin.CreateNodegroup(ctx, &sdk.CreateNodegroupInput{
		ClusterName: name, NodegroupName: group, NodeRole: &w.role, Subnets: []string{}, ScalingConfig: &types.NodegroupScalingConfig{MinSize: aws.Int32(1)},
	})
	must(t, err)
	made, err := w.admin.CreateAddon(ctx, &sdk.CreateAddonInput{
		ClusterName: name, AddonName: agent, ConfigurationValues: aws.String(`{"agent":{}}`),
		PodIdentityAssociations: []types.AddonPodIdentityAssociations{{ServiceAccount: aws.String("sa"), RoleArn: &w.role}},
	})
	must(t, err)
	if made.Addon.Status != types.AddonStatusCreating || len(made.Addon.PodIdentityAssociations) != 1 || *made.Addon.ConfigurationValues != `{"agent":{}}` {
		t.Errorf("made %+v", made.Addon)
	}
	owned, err := w.admin.ListPodIdentityAssociations(ctx, &sdk.ListPodIdentityAssociationsInput{ClusterName: name, ServiceAccount: aws.String("sa")})
	must(t, err)
	if len(owned.Associations) != 1 || *owned.Associations[0].OwnerArn != *made.Addon.AddonArn ||
		*owned.Associations[0].AssociationArn != made.Addon.PodIdentityAssociations[0] || *owned.Associations[0].Namespace != "kube-system" {
		t.Errorf("the add-on's associations are %+v", owned.Associations)
	}
	_, err = w.admin.CreateAddon(ctx, &sdk.CreateAddonInput{ClusterName: name, AddonName: agent})
	refused[*types.ResourceInUseException](t, err, "Addon already exists.")
	_, err = w.admin.CreateAddon(ctx, &sdk.CreateAddonInput{ClusterName: name, AddonName: aws.String("vpc-cni")})
	refused[*types.InvalidParameterException](t, err, "vpc-cni")

	p := cluster.Report{
		Nodes:  []cluster.ReportedNode{{Name: "node", Ready: true, Nodegroup: "n"}, {Name: "ill", Nodegroup: "n"}},
		Addons: []cluster.ReportedAddon{{Name: *agent, Version: *made.Addon.AddonVersion, Message: "pulling"}},
	}
	w.report(t, p)
	ill, err := w.admin.DescribeAddon(ctx, &sdk.DescribeAddonInput{ClusterName: name, AddonName: agent})
	must(t, err)
	if ill.Addon.Status != types.AddonStatusCreating || len(ill.Addon.Health.Issues) != 1 || *ill.Addon.Health.Issues[0].Message != "pulling" {
		t.Errorf("an add-on that does not run yet is %+v", ill.Addon)
	}
	p.Addons[0].Healthy = true
	w.report(t, p)
	must(t, sdk.NewAddonActiveWaiter(w.admin).Wait(ctx, &sdk.DescribeAddonInput{ClusterName: name, AddonName: agent}, time.Minute))
	must(t, sdk.NewNodegroupActiveWaiter(w.admin).Wait(ctx, &sdk.DescribeNodegroupInput{ClusterName: name, NodegroupName: group}, time.Minute))
	described, err := w.admin.DescribeNodegroup(ctx, &sdk.DescribeNodegroupInput{ClusterName: name, NodegroupName: group})
	must(t, err)
	if n := described.Nodegroup; len(n.Health.Issues) != 1 || *n.ScalingConfig.MinSize != 1 || *n.Version != "1.36" {
		t.Errorf("the node group is %+v", n)
	}
	_, err = w.admin.DeleteAddon(ctx, &sdk.DeleteAddonInput{ClusterName: name, AddonName: agent})
	must(t, err)
	_, err = w.admin.DeleteNodegroup(ctx, &sdk.DeleteNodegroupInput{ClusterName: name, NodegroupName: group})
	must(t, err)
	w.report(t, cluster.Report{})
	must(t, sdk.NewAddonDeletedWaiter(w.admin).Wait(ctx, &sdk.DescribeAddonInput{ClusterName: name, AddonName: agent}, time.Minute))
	must(t, sdk.NewNodegroupDeletedWaiter(w.admin).Wait(ctx, &sdk.DescribeNodegroupInput{ClusterName: name, NodegroupName: group}, time.Minute))
	left, err := w.admin.ListPodIdentityAssociations(ctx, &sdk.ListPodIdentityAssociationsInput{ClusterName: name})
	must(t, err)
	if left.Associations == nil || len(left.Associations) != 0 {
		t.Errorf("the deleted add-on left %+v", left.Associations)
	}
	versions, err := w.admin.DescribeAddonVersions(ctx, &sdk.DescribeAddonVersionsInput{AddonName: agent, KubernetesVersion: aws.String("1.34")})
	must(t, err)
	if v := versions.Addons; len(v) != 1 || *v[0].AddonVersions[0].AddonVersion != *made.Addon.AddonVersion || len(v[0].AddonVersions[0].Compatibilities) != 1 {
		t.Errorf("the add-on versions are %+v", v)
	}
}

// association is a request for one, to be changed by the test.
func (w *world) association(serviceAccount string) *sdk.CreatePodIdentityAssociationInput {
	return &sdk.CreatePodIdentityAssociationInput{
		ClusterName: aws.String("c"), Namespace: aws.String("ns"), ServiceAccount: &serviceAccount, RoleArn: &w.role,
	}
}

func TestAssociationLife(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.createCluster(t, "c")
	in := w.association("sa")
	in.Tags, in.TargetRoleArn = map[string]string{"team": "a"}, aws.String("arn:aws:iam::444455556666:role/target")
	in.ClientRequestToken = aws.String("token")
	made, err := w.admin.CreatePodIdentityAssociation(ctx, in)
	must(t, err)
	a := made.Association
	if !regexp.MustCompile(`^a-[a-z0-9]{17}$`).MatchString(*a.AssociationId) || *a.ExternalId != "us-west-2/111122223333/c/ns/sa" ||
		*a.DisableSessionTags || !a.CreatedAt.Equal(*a.ModifiedAt) || a.OwnerArn != nil || a.Policy != nil || a.Tags["team"] != "a" {
		t.Errorf("made %+v", a)
	}
	r := w.last()
	if r.EventName != "CreatePodIdentityAssociation" || r.ReadOnly || r.ErrorCode != "" || r.UserIdentity.UserName != "administrator" ||
		len(r.Resources) != 1 || r.Resources[0].ARN != *a.AssociationArn {
		t.Errorf("the record is %+v", r)
	}
	again, err := w.admin.CreatePodIdentityAssociation(ctx, in)
	must(t, err)
	if *again.Association.AssociationId != *a.AssociationId {
		t.Errorf("the repeated request made %s", *again.Association.AssociationId)
	}
	in.ClientRequestToken = nil
	_, err = w.admin.CreatePodIdentityAssociation(ctx, in)
	refused[*types.ResourceInUseException](t, err, "Association already exists: "+*a.AssociationId)
	if r := w.last(); r.ErrorCode != "ResourceInUseException" || r.AdditionalData.Status != 409 {
		t.Errorf("the record of the refusal is %+v", r)
	}

	id := &sdk.DescribePodIdentityAssociationInput{ClusterName: in.ClusterName, AssociationId: a.AssociationId}
	up, err := w.admin.UpdatePodIdentityAssociation(ctx, &sdk.UpdatePodIdentityAssociationInput{
		ClusterName: in.ClusterName, AssociationId: a.AssociationId, TargetRoleArn: aws.String(""), DisableSessionTags: aws.Bool(true),
		Policy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`),
	})
	must(t, err)
	if u := up.Association; u.TargetRoleArn != nil || u.ExternalId != nil || u.Policy == nil || !*u.DisableSessionTags || *u.RoleArn != w.role {
		t.Errorf("updated to %+v", u)
	}
	_, err = w.admin.UpdatePodIdentityAssociation(ctx, &sdk.UpdatePodIdentityAssociationInput{
		ClusterName: in.ClusterName, AssociationId: a.AssociationId, DisableSessionTags: aws.Bool(false),
	})
	refused[*types.InvalidParameterException](t, err, "PackedPolicyTooLarge")
	_, err = w.admin.UpdatePodIdentityAssociation(ctx, &sdk.UpdatePodIdentityAssociationInput{ClusterName: in.ClusterName, AssociationId: a.AssociationId})
	refused[*types.InvalidParameterException](t, err, "Nothing to update")

	_, err = w.admin.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: a.AssociationArn, Tags: map[string]string{"k": "v"}})
	must(t, err)
	_, err = w.admin.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: a.AssociationArn, TagKeys: []string{"team", "absent"}})
	must(t, err)
	tags, err := w.admin.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: a.AssociationArn})
	must(t, err)
	described, err := w.admin.DescribePodIdentityAssociation(ctx, id)
	must(t, err)
	if diff := cmp.Diff(map[string]string{"k": "v"}, tags.Tags) + cmp.Diff(tags.Tags, described.Association.Tags); diff != "" {
		t.Error(diff)
	}
	_, err = w.admin.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: a.AssociationArn, Tags: map[string]string{"aws:k": "v"}})
	refused[*types.BadRequestException](t, err, "reserved")
	_, err = w.admin.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: aws.String(*a.AssociationArn + "x"), Tags: map[string]string{"k": "v"}})
	refused[*types.NotFoundException](t, err, "No resource found")

	deleted, err := w.admin.DeletePodIdentityAssociation(ctx, &sdk.DeletePodIdentityAssociationInput{ClusterName: in.ClusterName, AssociationId: a.AssociationId})
	must(t, err)
	if *deleted.Association.RoleArn != w.role {
		t.Errorf("deleted %+v", deleted.Association)
	}
	_, err = w.admin.DescribePodIdentityAssociation(ctx, id)
	refused[*types.ResourceNotFoundException](t, err, *a.AssociationId)
}

// TestCreateAssociationRefuses goes through the checks in the order of spec 1.4.
func TestCreateAssociationRefuses(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}.With(quota.AssociationsPerCluster, 1)), t.Context()
	w.createCluster(t, "c")
	foreign := w.newRole(t, "foreign", ec2Trust)
	parameter := func(text string) func(*testing.T, error) {
		return func(t *testing.T, err error) { t.Helper(); refused[*types.InvalidParameterException](t, err, text) }
	}
	tests := []struct {
		name   string
		change func(*sdk.CreatePodIdentityAssociationInput)
		refuse func(*testing.T, error)
	}{
		{"no namespace", func(in *sdk.CreatePodIdentityAssociationInput) { in.Namespace = aws.String("") }, parameter("namespace is required")},
		{"cluster", func(in *sdk.CreatePodIdentityAssociationInput) { in.ClusterName = aws.String("ghost") }, func(t *testing.T, err error) {
			refused[*types.ResourceNotFoundException](t, err, "No cluster found for name: ghost.")
		}},
		{"namespace", func(in *sdk.CreatePodIdentityAssociationInput) { in.Namespace = aws.String("N") }, parameter("namespace")},
		{"role of another account", func(in *sdk.CreatePodIdentityAssociationInput) {
			in.RoleArn = aws.String("arn:aws:iam::444455556666:role/app")
		}, parameter("targetRoleArn")},
		{
			"no such role", func(in *sdk.CreatePodIdentityAssociationInput) {
				in.RoleArn = aws.String("arn:aws:iam::111122223333:role/ghost")
			},
			parameter("Role provided in the request does not exist"),
		},
		{
			"role under another path", func(in *sdk.CreatePodIdentityAssociationInput) {
				in.RoleArn = aws.String("arn:aws:iam::111122223333:role/app")
			},
			parameter("Role provided in the request does not exist"),
		},
		{"role for others", func(in *sdk.CreatePodIdentityAssociationInput) { in.RoleArn = &foreign }, parameter("sts:TagSession")},
		{"target role", func(in *sdk.CreatePodIdentityAssociationInput) { in.TargetRoleArn = aws.String("x") }, parameter("target role")},
		{"policy", func(in *sdk.CreatePodIdentityAssociationInput) {
			in.Policy, in.DisableSessionTags = aws.String("{"), aws.Bool(true)
		}, parameter("policy")},
		{"tags", func(in *sdk.CreatePodIdentityAssociationInput) { in.Tags = map[string]string{"aws:x": "y"} }, parameter("reserved")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := w.association("sa")
			tt.change(in)
			_, err := w.admin.CreatePodIdentityAssociation(ctx, in)
			tt.refuse(t, err)
		})
	}
	_, err := w.admin.CreatePodIdentityAssociation(ctx, w.association("one"))
	must(t, err)
	_, err = w.admin.CreatePodIdentityAssociation(ctx, w.association("two"))
	refused[*types.ResourceLimitExceededException](t, err, "limit of 1")
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.createCluster(t, "c")
	creator := w.user(t, "creator", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"eks:*","Resource":"*"},`+
		`{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}}]}`)
	_, err := creator.CreatePodIdentityAssociation(ctx, w.association("sa"))
	refused[*types.AccessDeniedException](t, err, "iam:PassRole on resource: "+w.role)
	if w.last().AdditionalData.Decision == nil {
		t.Errorf("the record has no decision: %+v", w.last().AdditionalData)
	}
	passer := w.user(t, "passer", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"eks:CreatePodIdentityAssociation",`+
		`"Resource":"arn:aws:eks:us-west-2:111122223333:cluster/c","Condition":{"StringEquals":{"aws:ResourceTag/env":"test"}}},`+
		`{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"pods.eks.amazonaws.com"}}}]}`)
	_, err = passer.CreatePodIdentityAssociation(ctx, w.association("sa"))
	must(t, err)
	_, err = passer.DescribeCluster(ctx, &sdk.DescribeClusterInput{Name: aws.String("c")})
	refused[*types.AccessDeniedException](t, err, "eks:DescribeCluster")
	_, err = w.client("AKIAAAAAAAAAAAAAAAAA", "secret").ListClusters(ctx, &sdk.ListClustersInput{})
	if generic, ok := errors.AsType[smithy.APIError](err); !ok || generic.ErrorCode() != "UnrecognizedClientException" {
		t.Errorf("with an unknown key: %v", err)
	}
}

func TestListAssociations(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.createCluster(t, "c")
	want := []string{}
	for i := range 5 {
		in := w.association(fmt.Sprint("sa-", i%3))
		in.Namespace = aws.String(fmt.Sprint("ns-", i/3))
		made, err := w.admin.CreatePodIdentityAssociation(ctx, in)
		must(t, err)
		want = append(want, *made.Association.AssociationId)
	}
	slices.Sort(want)
	got := []string{}
	pages := sdk.NewListPodIdentityAssociationsPaginator(w.admin, &sdk.ListPodIdentityAssociationsInput{ClusterName: aws.String("c"), MaxResults: aws.Int32(2)})
	for pages.HasMorePages() {
		p, err := pages.NextPage(ctx)
		must(t, err)
		for _, a := range p.Associations {
			got = append(got, *a.AssociationId)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, tt := range []struct {
		namespace, serviceAccount *string
		want                      int
	}{{aws.String("ns-0"), nil, 3}, {nil, aws.String("sa-0"), 2}, {aws.String("ns-1"), aws.String("sa-1"), 1}, {aws.String("x"), nil, 0}} {
		out, err := w.admin.ListPodIdentityAssociations(ctx, &sdk.ListPodIdentityAssociationsInput{
			ClusterName: aws.String("c"), Namespace: tt.namespace, ServiceAccount: tt.serviceAccount,
		})
		must(t, err)
		if len(out.Associations) != tt.want {
			t.Errorf("%v %v: %d associations, want %d", tt.namespace, tt.serviceAccount, len(out.Associations), tt.want)
		}
	}
	for _, in := range []*sdk.ListPodIdentityAssociationsInput{{MaxResults: aws.Int32(101)}, {MaxResults: aws.Int32(0)}, {NextToken: aws.String("!")}} {
		in.ClusterName = aws.String("c")
		_, err := w.admin.ListPodIdentityAssociations(ctx, in)
		refused[*types.InvalidParameterException](t, err, "")
	}
}
