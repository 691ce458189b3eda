package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/eksauth"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/oidc"
	"github.com/podid/podid/internal/store/storetest"
)

// replicas are two control planes on one etcd, and a cluster whose tokens the test signs.
type replicas struct {
	a, b   aws.Config // the same administrator, at one and at the other
	signer *oidc.Signer
}

const issuer = "https://oidc.example.com/id/REPLICAS"

func newReplicas(t testing.TB) *replicas {
	t.Helper()
	etcd := storetest.Config(t)
	args := []string{"--etcd-endpoints", etcd.Endpoints[0], "--etcd-prefix", etcd.Prefix}
	first, second := newPlane(t, args...), newPlane(t, args...)
	r := &replicas{a: first.administrator(), b: first.administrator()}
	r.b.BaseEndpoint = &second.endpoint
	var err error
	if r.signer, err = oidc.NewSigner("RS256"); err != nil {
		t.Fatal(err)
	}
	keys, err := r.signer.KeySet().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if _, err := eks.NewFromConfig(r.a).CreateCluster(ctx, &eks.CreateClusterInput{
		Name: aws.String(cluster), RoleArn: aws.String("arn:aws:iam::" + account + ":role/cluster"), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{},
	}); err != nil {
		t.Fatal(err)
	}
	podid := client.New(client.Config{Endpoint: first.endpoint, Region: r.a.Region, Credentials: r.a.Credentials, HTTP: http.DefaultClient, Now: time.Now})
	if err := podid.PutClusterReport(ctx, cluster, client.Report{
		Issuer: issuer, JWKS: string(keys), Nodes: []client.ReportNode{}, Addons: []client.ReportAddon{},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := iam.NewFromConfig(r.a).CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("app"), AssumeRolePolicyDocument: aws.String(podTrust)}); err != nil {
		t.Fatal(err)
	}
	return r
}

// associate makes an association at a.
func (r *replicas) associate(ctx context.Context, serviceAccount string) error {
	_, err := eks.NewFromConfig(r.a).CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{
		ClusterName: aws.String(cluster), Namespace: aws.String("shop"), ServiceAccount: &serviceAccount,
		RoleArn: aws.String("arn:aws:iam::" + account + ":role/app"),
	})
	return err
}

// assume exchanges a token for credentials.
func (r *replicas) assume(ctx context.Context, at aws.Config, serviceAccount string) (aws.Config, error) {
	token, err := r.signer.ServiceAccountToken(oidc.ServiceAccountToken{
		Issuer: issuer, Audiences: []string{"pods.eks.amazonaws.com"}, IssuedAt: time.Now(), Lifetime: time.Hour,
		Kubernetes: oidc.Kubernetes{
			Namespace: "shop", ServiceAccount: serviceAccount, ServiceAccountUID: "1", Pod: serviceAccount + "-0", PodUID: "2", Node: "node", NodeUID: "3",
		},
	})
	if err != nil {
		return aws.Config{}, err
	}
	out, err := eksauth.NewFromConfig(at).AssumeRoleForPodIdentity(ctx, &eksauth.AssumeRoleForPodIdentityInput{ClusterName: aws.String(cluster), Token: &token})
	if err != nil {
		return aws.Config{}, err
	}
	at.Credentials = credentials.NewStaticCredentialsProvider(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	return at, nil
}

// An association that one replica made is used through the other at once, and a session of one is one of all.
func TestReplicas(t *testing.T) {
	t.Parallel()
	r := newReplicas(t)
	for i := range 20 {
		serviceAccount := fmt.Sprintf("app-%d", i)
		if err := r.associate(t.Context(), serviceAccount); err != nil {
			t.Fatal(err)
		}
		session, err := r.assume(t.Context(), r.b, serviceAccount)
		if err != nil {
			t.Fatalf("an association of A, used at B: %v", err)
		}
		session.BaseEndpoint = r.a.BaseEndpoint
		who, err := sts.NewFromConfig(session).GetCallerIdentity(t.Context(), nil)
		if err != nil {
			t.Fatalf("a session of B, used at A: %v", err)
		}
		if !strings.Contains(*who.Arn, ":assumed-role/app/eks-"+cluster+"-"+serviceAccount) {
			t.Errorf("got %s", *who.Arn)
		}
	}
}

// BenchmarkVisibility measures how long after its acknowledgement at one replica an association can be used through the other.
func BenchmarkVisibility(b *testing.B) {
	r := newReplicas(b)
	var sum, longest time.Duration
	for i := 0; b.Loop(); i++ {
		serviceAccount := fmt.Sprintf("bench-%d", i)
		if err := r.associate(b.Context(), serviceAccount); err != nil {
			b.Fatal(err)
		}
		begin := time.Now()
		if _, err := r.assume(b.Context(), r.b, serviceAccount); err != nil {
			b.Fatal(err)
		}
		took := time.Since(begin)
		sum += took
		longest = max(longest, took)
	}
	b.ReportMetric(float64(sum.Microseconds())/1000/float64(b.N), "visible-ms/op")
	b.ReportMetric(float64(longest.Microseconds())/1000, "longest-ms")
}
