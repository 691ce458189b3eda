package migration_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/podid/podid/internal/api/apitest"
	"github.com/podid/podid/internal/api/eksapi"
	"github.com/podid/podid/internal/api/iamapi"
	"github.com/podid/podid/internal/api/stsapi"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/migration"
	"github.com/podid/podid/internal/plan"
)

const (
	sourceAccount = "444455556666"
	podidAccount  = "111122223333"
	partner       = "999900001111" // there is one of this id on both sides, and they need not be the same

	podsTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`
)

// account is a control plane with one account and its administrator's clients; it plays AWS as well as podid.
func account(t *testing.T, id, region string, clusters ...string) migration.Account {
	t.Helper()
	p := apitest.New(t, cluster.Schema()...)
	registry, err := cluster.New(cluster.Config{DB: p.DB, Region: region})
	must(t, err)
	key, err := p.IAM.Bootstrap(t.Context(), id, "admin")
	must(t, err)
	_, err = p.IAM.Bootstrap(t.Context(), partner, "partner")
	must(t, err)
	url := p.Serve(t, region, nil,
		eksapi.New(eksapi.Config{Clusters: registry, IAM: p.IAM}), iamapi.New(iamapi.Config{IAM: p.IAM}),
		stsapi.New(stsapi.Config{IAM: p.IAM, Authorizer: p.Authorizer, Ring: p.Ring}))
	a := migration.NewAccount(aws.Config{
		Region: region, BaseEndpoint: aws.String(url), Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.Secret, ""),
	})
	if len(clusters) > 0 {
		makeRole(t, a, "cluster", podsTrust)
	}
	for _, name := range clusters {
		_, err := a.EKS.CreateCluster(t.Context(), &eks.CreateClusterInput{
			Name: aws.String(name), RoleArn: aws.String("arn:aws:iam::" + id + ":role/cluster"), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{},
		})
		must(t, err)
	}
	return a
}

func makeRole(t *testing.T, a migration.Account, name, trust string) {
	t.Helper()
	_, err := a.IAM.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust})
	must(t, err)
}

func associate(t *testing.T, a migration.Account, clusterName, namespace, serviceAccount, roleARN string, change func(*eks.CreatePodIdentityAssociationInput)) {
	t.Helper()
	in := &eks.CreatePodIdentityAssociationInput{ClusterName: &clusterName, Namespace: &namespace, ServiceAccount: &serviceAccount, RoleArn: &roleARN}
	if change != nil {
		change(in)
	}
	_, err := a.EKS.CreatePodIdentityAssociation(t.Context(), in)
	must(t, err)
}

// changes are the steps of a proposal that change something.
func changes(p *migration.Proposal) []string {
	var list []string
	for _, s := range p.Plan {
		if s.Action != plan.Unchanged {
			list = append(list, string(s.Action)+" "+s.What)
		}
	}
	return list
}

// said reports whether one of the texts has all the parts.
func said(list []string, parts ...string) bool {
	for _, text := range list {
		all := true
		for _, part := range parts {
			all = all && strings.Contains(text, part)
		}
		if all {
			return true
		}
	}
	return false
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
