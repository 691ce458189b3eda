package e2e

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// TestQuotasAreTheOperators holds that quotas are what the flags say, whatever AWS's defaults are.
func TestQuotasAreTheOperators(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{5, 6} {
		t.Run(strconv.Itoa(limit), func(t *testing.T) {
			t.Parallel()
			quotas := []string{}
			for _, name := range []string{"associations-per-cluster", "roles-per-account", "buckets-per-account"} {
				quotas = append(quotas, "--quota", fmt.Sprintf("%s=%d", name, limit))
			}
			c := newPlane(t, quotas...).administrator()
			ctx := t.Context()
			roles, buckets, clusters := iam.NewFromConfig(c), s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true }), eks.NewFromConfig(c)
			_, err := clusters.CreateCluster(ctx, &eks.CreateClusterInput{
				Name: aws.String(cluster), RoleArn: aws.String("arn:aws:iam::" + account + ":role/cluster"), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{},
			})
			must(t, err)
			tests := []struct {
				name, code, text string
				make             func(name string) error
			}{
				{"roles", "LimitExceeded", fmt.Sprintf("Cannot exceed quota for RolesPerAccount: %d", limit), func(name string) error {
					_, err := roles.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(podTrust)})
					return err
				}},
				{"associations", "ResourceLimitExceededException", "", func(name string) error {
					_, err := clusters.CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{
						ClusterName: aws.String(cluster), Namespace: aws.String("shop"), ServiceAccount: &name,
						RoleArn: aws.String("arn:aws:iam::" + account + ":role/thing-0"),
					})
					return err
				}},
				{"buckets", "TooManyBuckets", "You have attempted to create more buckets than allowed", func(name string) error {
					_, err := buckets.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name})
					return err
				}},
			}
			for _, test := range tests {
				for i := range limit {
					if err := test.make(fmt.Sprintf("thing-%d", i)); err != nil {
						t.Fatalf("%s: %d of %d: %v", test.name, i+1, limit, err)
					}
				}
				err := test.make("thing-too-many")
				refusal, ok := errors.AsType[smithy.APIError](err)
				if !ok || refusal.ErrorCode() != test.code || !strings.HasPrefix(refusal.ErrorMessage(), test.text) {
					t.Errorf("%s: got %v, want %s: %s", test.name, err, test.code, test.text)
				}
			}
		})
	}
}
