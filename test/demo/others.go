package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

func (d *demo) targetRole(ctx context.Context) (string, error) {
	const target, source = "drop-writer", "shop-chain"
	targetARN := "arn:aws:iam::" + bucketAccount + ":role/" + target
	chain := iam.NewFromConfig(d.cluster)
	if _, err := chain.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: aws.String(source), AssumeRolePolicyDocument: aws.String(fmt.Sprintf(trustPodIdentity, "")),
	}); err != nil {
		return "", err
	}
	if _, err := chain.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: aws.String(source), PolicyName: aws.String("chain"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Resource":"` + targetARN + `"}}`),
	}); err != nil {
		return "", err
	}
	a, err := d.association(ctx, eks.CreatePodIdentityAssociationInput{
		ServiceAccount: aws.String("chained"), RoleArn: aws.String("arn:aws:iam::" + clusterAccount + ":role/" + source), TargetRoleArn: &targetARN,
	})
	if err != nil {
		return "", err
	}
	// The target role lets in exactly this association: its external id names cluster, namespace and service account.
	owner := iam.NewFromConfig(d.bucket)
	trust := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
	  {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%s:role/%s"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"%s"}}},
	  {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%s:role/%s"},"Action":"sts:TagSession"}]}`,
		clusterAccount, source, *a.ExternalId, clusterAccount, source)
	if _, err := owner.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String(target), AssumeRolePolicyDocument: &trust}); err != nil {
		return "", err
	}
	if _, err := owner.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: aws.String(target), PolicyName: aws.String("put"), PolicyDocument: aws.String(mayPut("arn:aws:s3:::" + bucketName + "/*")),
	}); err != nil {
		return "", err
	}
	const object = "chained/order-2.txt" // no bucket policy speaks of it: the target role is of the bucket's own account
	said, err := d.upload(ctx, namespace+"/chained", object, "order 2")
	if err != nil {
		return "", err
	}
	if !strings.Contains(said, ":"+bucketAccount+":assumed-role/"+target+"/") {
		return "", fmt.Errorf("the pod does not act as the target role: %s", said)
	}
	return said + "external id " + *a.ExternalId, d.holds(ctx, object, "order 2")
}

func (d *demo) sessionPolicy(ctx context.Context) (string, error) {
	_, err := d.association(ctx, eks.CreatePodIdentityAssociationInput{
		ServiceAccount: aws.String("narrow"), DisableSessionTags: aws.Bool(true),
		Policy: aws.String(mayPut("arn:aws:s3:::" + bucketName + "/" + folder + "/narrow/*")),
	})
	if err != nil {
		return "", err
	}
	said, err := d.upload(ctx, namespace+"/narrow", folder+"/narrow/order-3.txt", "order 3")
	if err != nil {
		return "", err
	}
	_, err = d.upload(ctx, namespace+"/narrow", key, "order 3")
	answer, err := refused(err, "AccessDenied", "because no session policy allows the s3:PutObject action")
	return said + answer, err
}

func (d *demo) webIdentity(ctx context.Context) (string, error) {
	const role = "shop-irsa"
	host := strings.TrimPrefix(d.made.issuer, "https://")
	c := iam.NewFromConfig(d.cluster)
	// Connecting the cluster made the OIDC provider of its issuer; a second one for the same issuer cannot be.
	provider, err := c.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{
		OpenIDConnectProviderArn: aws.String("arn:aws:iam::" + clusterAccount + ":oidc-provider/" + host),
	})
	if err != nil {
		return "", err
	}
	trust := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::%s:oidc-provider/%s"},
	  "Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"%s:sub":"system:serviceaccount:%s:older","%s:aud":"sts.amazonaws.com"}}}]}`,
		clusterAccount, host, host, namespace, host)
	out, err := c.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String(role), AssumeRolePolicyDocument: &trust})
	if err != nil {
		return "", err
	}
	// The bucket of the other account would have to let this role in, too; a bucket of the role's own account need not.
	if _, err := c.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: aws.String(role), PolicyName: aws.String("put"), PolicyDocument: aws.String(mayPut("arn:aws:s3:::" + bucketName + "/" + folder + "/*")),
	}); err != nil {
		return "", err
	}
	if err := d.admit(ctx, roleARN, *out.Role.Arn); err != nil {
		return "", err
	}
	object := folder + "/order-4.txt"
	flags := []string{"--service-account", namespace + "/older", "--role-arn", *out.Role.Arn}
	said, err := d.podWith(ctx, flags, d.program("upload"), bucketName, object, "order 4")
	if err != nil {
		return "", err
	}
	if err := d.holds(ctx, object, "order 4"); err != nil {
		return "", err
	}
	flags[1] = namespace + "/someone-else"
	_, err = d.podWith(ctx, flags, d.program("upload"), bucketName, object, "order 5")
	answer, err := refused(err, "AccessDenied", "sts:AssumeRoleWithWebIdentity")
	return fmt.Sprintf("provider %s, client ids %v\n%s%s", *provider.Url, provider.ClientIDList, said, answer), err
}

// awsCLI and boto3 run where they are installed; where not, the step is skipped and says how to get them.
func (d *demo) awsCLI(ctx context.Context) (string, error) {
	cli, err := exec.LookPath("aws")
	if err != nil {
		return "", skipped("the AWS CLI is not installed: pip install awscli")
	}
	file := filepath.Join(d.dir, "order-6.txt")
	if err := os.WriteFile(file, []byte("order 6"), 0o600); err != nil {
		return "", err
	}
	object := folder + "/order-6.txt"
	said, err := d.pod(ctx, pod, cli, "s3", "cp", "--no-progress", file, "s3://"+bucketName+"/"+object)
	if err != nil {
		return "", err
	}
	return said, d.holds(ctx, object, "order 6")
}

func (d *demo) boto3(ctx context.Context) (string, error) {
	python, err := exec.LookPath("python3")
	if err == nil {
		err = exec.CommandContext(ctx, python, "-c", "import boto3").Run()
	}
	if err != nil {
		return "", skipped("boto3 is not installed: pip install boto3")
	}
	object := folder + "/order-7.txt"
	const program = `import boto3, sys
boto3.client("s3").put_object(Bucket=sys.argv[1], Key=sys.argv[2], Body=b"order 7")
print(boto3.client("sts").get_caller_identity()["Arn"], "put", sys.argv[2], "with boto3", boto3.__version__)`
	said, err := d.pod(ctx, pod, python, "-c", program, bucketName, object)
	if err != nil {
		return "", err
	}
	return said, d.holds(ctx, object, "order 7")
}
