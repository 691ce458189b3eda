package migration_test

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"

	"github.com/podid/podid/internal/migration"
)

// TestImportShowsTagsOfPodidsOwn holds that nobody brings tags that choose sessions without having read them.
func TestImportShowsTagsOfPodidsOwn(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	from, to := account(t, sourceAccount, "eu-central-1", "prod"), account(t, podidAccount, "us-east-1", "prod")
	makeRole(t, from, "app", podsTrust)
	tags := map[string]string{"team": "shop", "podid.io/session-tag/department": "finance"}
	associate(t, from, "prod", "shop", "app", "arn:aws:iam::444455556666:role/app", func(in *eks.CreatePodIdentityAssociationInput) { in.Tags = tags })
	shown := func(line string) {
		t.Helper()
		inventory, err := migration.Read(ctx, from, []string{"prod"})
		must(t, err)
		p, err := migration.Propose(ctx, inventory, to, migration.Translation{})
		must(t, err)
		last := p.Plan[len(p.Plan)-1]
		if !slices.Equal(last.Detail, []string{line}) {
			t.Errorf("of %s a person reads %q", last.What, last.Detail)
		}
		must(t, p.Plan.Execute(ctx))
	}
	shown(`tag podid.io/session-tag/department="finance"`)
	list, err := from.EKS.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{ClusterName: aws.String("prod")})
	must(t, err)
	_, err = from.EKS.TagResource(ctx, &eks.TagResourceInput{
		ResourceArn: list.Associations[0].AssociationArn, Tags: map[string]string{"podid.io/session-name": "fixed", "team": "other"},
	})
	must(t, err)
	shown(`tag podid.io/session-name="fixed"`)
}
