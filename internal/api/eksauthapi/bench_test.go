package eksauthapi_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/api/eksauthapi"
	"github.com/podid/podid/internal/arn"
	"github.com/podid/podid/internal/authz"
	"github.com/podid/podid/internal/cluster"
	"github.com/podid/podid/internal/oidc"
)

// BenchmarkAssumeRoleForPodIdentity is the operation without HTTP, each time with another RS256 token. The bar over HTTP, client
// included, is 5,000 a second on two cores.
func BenchmarkAssumeRoleForPodIdentity(b *testing.B) {
	w := newWorld(b)
	w.associate(b, cluster.Association{RoleARN: w.role(b, account, "app", podsTrust, "")})
	tokens := make([]string, 256)
	for i := range tokens {
		tokens[i] = w.token(b, func(r *oidc.ServiceAccountToken) { r.Kubernetes.Pod = fmt.Sprint("cart-", i) })
	}
	config := eksauthapi.Config{Clusters: w.clusters, Authorizer: w.authorizer, Ring: w.ring}
	caller := authz.Caller{Principal: arn.Principal{Kind: arn.IAMUser, Account: account, ARN: arn.User(account, "/", "node")}}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for i := 0; p.Next(); i++ {
			call := &api.Call{Caller: caller, Region: region, Now: time.Now(), Record: new(api.Record)}
			in := &eksauthapi.AssumeRoleForPodIdentityInput{ClusterName: aws.String(name), Token: &tokens[i%len(tokens)]}
			if _, err := eksauthapi.AssumeRoleForPodIdentity(b.Context(), config, call, in); err != nil {
				b.Fatal(err)
			}
		}
	})
}
