package eksapi_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/quota"
)

// TestConcurrentCreates holds that of many creates for one service account one wins, and that all others learn its id.
func TestConcurrentCreates(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.createCluster(t, "c")
	const n = 100
	var wait sync.WaitGroup
	made, refusals := make(chan string, n), make(chan error, n)
	for range n {
		wait.Go(func() {
			out, err := w.admin.CreatePodIdentityAssociation(ctx, w.association("sa"))
			if err != nil {
				refusals <- err
				return
			}
			made <- *out.Association.AssociationId
		})
	}
	wait.Wait()
	close(refusals)
	if len(made) != 1 || len(refusals) != n-1 {
		t.Fatalf("%d made and %d refused", len(made), len(refusals))
	}
	id := <-made
	for err := range refusals {
		inUse, ok := errors.AsType[*types.ResourceInUseException](err)
		if !ok || aws.ToString(inUse.Message) != "Association already exists: "+id || aws.ToString(inUse.ClusterName) != "c" {
			t.Errorf("got %v, want the id %s", err, id)
		}
	}
}

// TestRequestToken holds that a request that is sent again does nothing again, and that its token is good for no other.
func TestRequestToken(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.createCluster(t, "c")
	token := aws.String("0d5b7c1e")
	in := w.association("sa")
	in.ClientRequestToken, in.Tags = token, map[string]string{"b": "2", "a": "1"}
	first, err := w.admin.CreatePodIdentityAssociation(ctx, in)
	must(t, err)
	again, err := w.admin.CreatePodIdentityAssociation(ctx, in)
	must(t, err)
	if diff := cmp.Diff(*first.Association.AssociationArn, *again.Association.AssociationArn); diff != "" {
		t.Error(diff)
	}
	different := w.association("other")
	different.ClientRequestToken = token
	_, err = w.admin.CreatePodIdentityAssociation(ctx, different)
	refused[*types.InvalidParameterException](t, err, "used before with other parameters")

	to := func(token, target string) *types.PodIdentityAssociation {
		out, err := w.admin.UpdatePodIdentityAssociation(ctx, &sdk.UpdatePodIdentityAssociationInput{
			ClusterName: in.ClusterName, AssociationId: first.Association.AssociationId, ClientRequestToken: &token, TargetRoleArn: &target,
		})
		must(t, err)
		return out.Association
	}
	to("one", "arn:aws:iam::444455556666:role/one")
	to("two", "arn:aws:iam::444455556666:role/two")
	if late := to("one", "arn:aws:iam::444455556666:role/one"); *late.TargetRoleArn != "arn:aws:iam::444455556666:role/two" {
		t.Errorf("an update that was sent again undid the one after it: %s", *late.TargetRoleArn)
	}
	_, err = w.admin.DeletePodIdentityAssociation(ctx, &sdk.DeletePodIdentityAssociationInput{
		ClusterName: in.ClusterName, AssociationId: first.Association.AssociationId,
	})
	must(t, err)
	_, err = w.admin.CreatePodIdentityAssociation(ctx, in)
	refused[*types.InvalidParameterException](t, err, "deleted since")
	in.ClientRequestToken = aws.String("another")
	anew, err := w.admin.CreatePodIdentityAssociation(ctx, in)
	must(t, err)
	if *anew.Association.AssociationId == *first.Association.AssociationId {
		t.Error("a new association has the id of a deleted one")
	}
}

// TestOrderOfChecks holds that the first failure of spec 1.4 wins: each input breaks every later rule, too.
func TestOrderOfChecks(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}.With(quota.AssociationsPerCluster, 1)), t.Context()
	w.createCluster(t, "c")
	_, err := w.admin.CreatePodIdentityAssociation(ctx, w.association("sa"))
	must(t, err)
	closed := w.newRole(t, "closed", ec2Trust)
	creator := w.user(t, "creator", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"eks:*","Resource":"*"},`+
		`{"Effect":"Allow","Action":"iam:PassRole","Resource":["arn:aws:iam::111122223333:role/ghost","arn:aws:iam::111122223333:role/pods/*"]}]}`)
	nobody := w.user(t, "nobody", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:PassRole","Resource":"*"}]}`)

	in := w.association("")
	in.ClusterName, in.Namespace, in.RoleArn = aws.String("ghost"), aws.String("NS"), aws.String("arn:aws:iam::444455556666:role/r")
	in.TargetRoleArn, in.Policy = aws.String("nothing"), aws.String("{")
	next := func(client *sdk.Client, what string, check func(*testing.T, error)) {
		t.Helper()
		_, err := client.CreatePodIdentityAssociation(ctx, in)
		if err == nil {
			t.Fatalf("%s: created", what)
		}
		check(t, err)
	}
	parameter := func(text string) func(*testing.T, error) {
		return func(t *testing.T, err error) { t.Helper(); refused[*types.InvalidParameterException](t, err, text) }
	}
	next(nobody, "1", func(t *testing.T, err error) {
		refused[*types.AccessDeniedException](t, err, "eks:CreatePodIdentityAssociation")
	})
	next(creator, "2", parameter("serviceAccount is required"))
	in.ServiceAccount = aws.String("sa.-")
	next(creator, "3", func(t *testing.T, err error) {
		refused[*types.ResourceNotFoundException](t, err, "No cluster found for name: ghost.")
	})
	in.ClusterName = aws.String("c")
	next(creator, "4 namespace", parameter("The namespace"))
	in.Namespace = aws.String("ns")
	next(creator, "4 service account", parameter("The service account"))
	in.ServiceAccount = aws.String("sa")
	next(creator, "5", parameter("targetRoleArn"))
	in.RoleArn = aws.String("arn:aws:iam::111122223333:role/unpassable")
	next(creator, "6", func(t *testing.T, err error) { refused[*types.AccessDeniedException](t, err, "iam:PassRole") })
	in.RoleArn = aws.String("arn:aws:iam::111122223333:role/ghost")
	next(creator, "7", parameter("Role provided in the request does not exist"))
	in.RoleArn = &closed
	next(creator, "8", parameter("pods.eks.amazonaws.com"))
	in.RoleArn = &w.role
	next(creator, "9", parameter("The target role ARN"))
	in.TargetRoleArn = &w.role // both in one account
	next(creator, "10", parameter("The policy is not valid"))
	in.Policy = aws.String(strings.Repeat(" ", 2049))
	next(creator, "10 length", parameter("2049 characters"))
	in.Policy = aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)
	next(creator, "11", parameter("PackedPolicyTooLarge"))
	in.DisableSessionTags = aws.Bool(true)
	next(creator, "12", func(t *testing.T, err error) { refused[*types.ResourceLimitExceededException](t, err, "limit of 1") })
}

// TestUpdateChecksTheRole holds that an update needs what a create needs: whoever changes what becomes of a role hands it out anew.
func TestUpdateChecksTheRole(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.createCluster(t, "c")
	made, err := w.admin.CreatePodIdentityAssociation(ctx, w.association("sa"))
	must(t, err)
	a := made.Association
	update := func(c *sdk.Client, change func(*sdk.UpdatePodIdentityAssociationInput)) (*types.PodIdentityAssociation, error) {
		in := &sdk.UpdatePodIdentityAssociationInput{ClusterName: a.ClusterName, AssociationId: a.AssociationId}
		change(in)
		out, err := c.UpdatePodIdentityAssociation(ctx, in)
		if err != nil {
			return nil, err
		}
		return out.Association, nil
	}
	closed, second := w.newRole(t, "closed", ec2Trust), w.newRole(t, "second", podsTrust)
	editor := w.user(t, "editor", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"eks:*","Resource":"*"},`+
		`{"Effect":"Allow","Action":"iam:PassRole","Resource":"`+second+`"}]}`)
	target := aws.String("arn:aws:iam::444455556666:role/target")

	_, err = update(editor, func(in *sdk.UpdatePodIdentityAssociationInput) { in.TargetRoleArn = target })
	refused[*types.AccessDeniedException](t, err, "iam:PassRole on resource: "+w.role)
	for text, role := range map[string]string{
		"is not valid":   "",
		"targetRoleArn":  "arn:aws:iam::444455556666:role/app",
		"does not exist": "arn:aws:iam::111122223333:role/ghost",
		"sts:TagSession": closed,
	} {
		_, err = update(w.admin, func(in *sdk.UpdatePodIdentityAssociationInput) { in.RoleArn = &role })
		refused[*types.InvalidParameterException](t, err, text)
	}
	changed, err := update(editor, func(in *sdk.UpdatePodIdentityAssociationInput) { in.RoleArn, in.TargetRoleArn = &second, target })
	must(t, err)
	if *changed.RoleArn != second || *changed.TargetRoleArn != *target || *changed.ExternalId != "us-west-2/111122223333/c/ns/sa" ||
		changed.ModifiedAt.Before(*changed.CreatedAt) || !changed.CreatedAt.Equal(*a.CreatedAt) {
		t.Errorf("changed to %+v", changed)
	}
	// A member that is given as it is already is no mistake: the answer to the request before may have been lost.
	same, err := update(editor, func(in *sdk.UpdatePodIdentityAssociationInput) { in.TargetRoleArn = target })
	must(t, err)
	if *same.RoleArn != second || *same.TargetRoleArn != *target {
		t.Errorf("changed to %+v", same)
	}
	_, err = w.admin.UpdatePodIdentityAssociation(ctx, &sdk.UpdatePodIdentityAssociationInput{
		ClusterName: a.ClusterName, AssociationId: aws.String("a-00000000000000000"), RoleArn: &second,
	})
	refused[*types.ResourceNotFoundException](t, err, "a-00000000000000000")
}

// TestAddonAssociations holds that what an add-on asks for is checked as if its caller asked for it.
func TestAddonAssociations(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}.With(quota.AssociationsPerCluster, 1)), t.Context()
	w.createCluster(t, "c")
	closed := w.newRole(t, "closed", ec2Trust)
	ask := func(roles ...string) *sdk.CreateAddonInput {
		in := &sdk.CreateAddonInput{ClusterName: aws.String("c"), AddonName: aws.String("eks-pod-identity-agent")}
		for i := 0; i < len(roles); i += 2 {
			in.PodIdentityAssociations = append(in.PodIdentityAssociations, types.AddonPodIdentityAssociations{
				ServiceAccount: &roles[i], RoleArn: &roles[i+1],
			})
		}
		return in
	}
	for text, in := range map[string]*sdk.CreateAddonInput{
		"The service account": ask("", w.role),
		"does not exist":      ask("sa", "arn:aws:iam::111122223333:role/ghost"),
		"account 44445555666": ask("sa", "arn:aws:iam::444455556666:role/app"),
		"sts:TagSession":      ask("sa", closed),
		"twice":               ask("sa", w.role, "sa", w.role),
	} {
		_, err := w.admin.CreateAddon(ctx, in)
		refused[*types.InvalidParameterException](t, err, text)
	}
	for user, missing := range map[string]string{"iam:PassRole": "eks:*", "eks:CreatePodIdentityAssociation": `eks:CreateAddon","iam:*`} {
		c := w.user(t, strings.ReplaceAll(user, ":", "-"),
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["`+missing+`"],"Resource":"*"}]}`)
		_, err := c.CreateAddon(ctx, ask("sa", w.role))
		refused[*types.AccessDeniedException](t, err, user)
	}
	_, err := w.admin.CreatePodIdentityAssociation(ctx, func() *sdk.CreatePodIdentityAssociationInput {
		in := w.association("sa")
		in.Namespace = aws.String("kube-system")
		return in
	}())
	must(t, err)
	_, err = w.admin.CreateAddon(ctx, ask("other", w.role))
	refused[*types.InvalidRequestException](t, err, "limit of 1")
	out, err := w.admin.DescribeAddonVersions(ctx, &sdk.DescribeAddonVersionsInput{KubernetesVersion: aws.String("1.2")})
	must(t, err)
	if out.Addons == nil || len(out.Addons) != 0 {
		t.Errorf("for an unknown version there is %+v", out.Addons)
	}
}

// TestGone holds that whoever may see the node groups and add-ons of a cluster, and nothing else, learns that one is gone: a waiter
// would take a refusal for a failure.
func TestGone(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.createCluster(t, "c")
	viewer := w.user(t, "viewer", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"eks:Describe*","Resource":[`+
		`"arn:aws:eks:us-west-2:111122223333:nodegroup/c/*","arn:aws:eks:us-west-2:111122223333:addon/c/*"]}]}`)
	name := aws.String("c")
	must(t, sdk.NewNodegroupDeletedWaiter(viewer).Wait(ctx, &sdk.DescribeNodegroupInput{ClusterName: name, NodegroupName: aws.String("n")}, time.Second))
	must(t, sdk.NewAddonDeletedWaiter(viewer).Wait(ctx, &sdk.DescribeAddonInput{ClusterName: name, AddonName: aws.String("a")}, time.Second))
	must(t, sdk.NewFargateProfileDeletedWaiter(w.admin).Wait(ctx, &sdk.DescribeFargateProfileInput{ClusterName: name, FargateProfileName: aws.String("f")}, time.Second))
	_, err := viewer.DescribeNodegroup(ctx, &sdk.DescribeNodegroupInput{ClusterName: aws.String("d"), NodegroupName: aws.String("n")})
	refused[*types.AccessDeniedException](t, err, "nodegroup/d/n/")
}

// TestPages goes through lists one by one. Names of which one begins with another must come out in one order only.
func TestPages(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, quota.Set{}), t.Context()
	w.createCluster(t, "c")
	want := []string{"A", "a", "a-b", "a0", "a_", "ab"}
	for _, group := range want {
		_, err := w.admin.CreateNodegroup(ctx, &sdk.CreateNodegroupInput{
			ClusterName: aws.String("c"), NodegroupName: &group, NodeRole: &w.role, Subnets: []string{},
		})
		must(t, err)
	}
	var got []string
	pages := sdk.NewListNodegroupsPaginator(w.admin, &sdk.ListNodegroupsInput{ClusterName: aws.String("c"), MaxResults: aws.Int32(1)})
	for pages.HasMorePages() {
		p, err := pages.NextPage(ctx)
		must(t, err)
		got = append(got, p.Nodegroups...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	list, err := w.admin.ListAddons(ctx, &sdk.ListAddonsInput{ClusterName: aws.String("c"), MaxResults: aws.Int32(1)})
	must(t, err)
	if list.Addons == nil || len(list.Addons) != 0 || list.NextToken != nil {
		t.Errorf("the add-ons are %+v", list)
	}
}
