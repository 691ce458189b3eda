package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

const trustsPods = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`

// What AWS has is brought with the SDK's default chain. Another podid plays AWS: to an SDK it is one.
func TestImport(t *testing.T) {
	t.Parallel()
	from := newPlane(t, "--account", "444455556666", "--region", "eu-central-1")
	to := newPlane(t)
	for p, account := range map[*plane]string{from: "444455556666", to: "111122223333"} {
		c := p.administrator()
		_, err := iam.NewFromConfig(c).CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("cluster"), AssumeRolePolicyDocument: aws.String(trustsPods)})
		check(t, err)
		_, err = eks.NewFromConfig(c).CreateCluster(t.Context(), &eks.CreateClusterInput{
			Name: aws.String("prod"), RoleArn: aws.String("arn:aws:iam::" + account + ":role/cluster"), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{},
		})
		check(t, err)
	}
	source := from.administrator()
	_, err := iam.NewFromConfig(source).CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("app"), AssumeRolePolicyDocument: aws.String(trustsPods)})
	check(t, err)
	_, err = eks.NewFromConfig(source).CreatePodIdentityAssociation(t.Context(), &eks.CreatePodIdentityAssociationInput{
		ClusterName: aws.String("prod"), Namespace: aws.String("shop"), ServiceAccount: aws.String("uploader"), RoleArn: aws.String("arn:aws:iam::444455556666:role/app"),
	})
	check(t, err)

	const issuer = "oidc.example.com/id/A"
	own := iam.NewFromConfig(to.administrator())
	_, err = own.CreateOpenIDConnectProvider(t.Context(), &iam.CreateOpenIDConnectProviderInput{
		Url: aws.String("https://" + issuer), ClientIDList: []string{"sts.amazonaws.com"},
	})
	check(t, err)
	_, err = own.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("old"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/` + issuer + `"},` +
			`"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"` + issuer + `:sub":"system:serviceaccount:shop:old"}}}]}`)})
	check(t, err)

	manifest := filepath.Join(t.TempDir(), "sa.yaml")
	check(t, os.WriteFile(manifest, []byte("apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: old\n  namespace: shop\n"+
		"  annotations: {eks.amazonaws.com/role-arn: arn:aws:iam::444455556666:role/old}\n"), 0o600))

	podid := func(stdin string, args ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), os.Args[0], append(args, "--aws-config", to.awsConfig)...)
		c.Env = append(os.Environ(), asPodid+"=1", "AWS_PROFILE=podid", "AWS_CONFIG_FILE="+from.awsConfig, "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
		c.Stdin = strings.NewReader(stdin)
		out, err := c.CombinedOutput()
		return string(out) + "|" + map[bool]string{true: "well", false: "not well"}[err == nil]
	}
	for _, step := range []struct {
		about, stdin string
		args, want   []string
	}{
		{"nothing is done without a yes", "", []string{"import", "eks", "prod"}, []string{"nobody is there to say yes", "|not well"}},
		{"nothing is done after a no", "n\n", []string{"import", "eks", "prod"}, []string{"nothing was changed", "|not well"}},
		{"a plan", "", []string{"import", "eks", "prod", "--dry-run"}, []string{"create     role arn:aws:iam::111122223333:role/app", "create     association of shop/uploader in prod", "|well"}},
		{"a yes", "y\n", []string{"import", "eks", "prod"}, []string{"done\n|well"}},
		{"again", "", []string{"import", "eks", "prod"}, []string{"unchanged  role arn:aws:iam::111122223333:role/app", "nothing is to be done\n|well"}},
		{"the same place", "", []string{"import", "eks", "--from-endpoint", to.endpoint}, []string{"the source is " + to.endpoint, "|not well"}},
		{"a wrong pair", "", []string{"import", "eks", "--account", "1"}, []string{"is not FROM=TO", "|not well"}},
		{"annotations, proposed", "", []string{"import", "irsa", "prod", "-f", manifest, "--account", "444455556666=111122223333", "--dry-run"}, []string{
			"update     trust policy of role arn:aws:iam::111122223333:role/old", `"aws:RequestTag/kubernetes-namespace":"shop"`, "create     association of shop/old", "|well",
		}},
		{"annotations", "", []string{"import", "irsa", "prod", "-f", filepath.Dir(manifest), "--account", "444455556666=111122223333", "--yes"}, []string{"done\n|well"}},
		{"annotations, again", "", []string{"import", "irsa", "prod", "-f", manifest, "--account", "444455556666=111122223333"}, []string{"nothing is to be done\n|well"}},
		{"manifests in the place of an answer", "", []string{"import", "irsa", "prod", "-f", "-"}, []string{"say --dry-run or --yes", "|not well"}},
		{"no manifests", "", []string{"import", "irsa", "prod", "-f", "/nowhere"}, []string{"read the manifests", "|not well"}},
	} {
		out := podid(step.stdin, step.args...)
		for _, part := range step.want {
			if !strings.Contains(out, part) {
				t.Errorf("%s: podid %s lacks %q:\n%s", step.about, strings.Join(step.args, " "), part, out)
			}
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
