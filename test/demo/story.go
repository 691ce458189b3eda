package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// The cast of the story.
const (
	clusterAccount = "111122223333"
	bucketAccount  = "444455556666"
	clusterName    = "local"
	nodegroup      = "workers"
	addon          = "eks-pod-identity-agent"
	namespace      = "shop"
	serviceAccount = "uploader"
	pod            = namespace + "/" + serviceAccount
	roleName       = "shop-uploader"
	roleARN        = "arn:aws:iam::" + clusterAccount + ":role/" + roleName
	bucketName     = "drop-444455556666"
	folder         = "incoming"
	key            = folder + "/order-1.txt"
)

// made is what the steps have made.
type made struct {
	associationID string
	issuer        string
}

const trustPodIdentity = `{"Version":"2012-10-17","Statement":[{"Sid":"AllowEksAuthToAssumeRoleForPodIdentity","Effect":"Allow",
  "Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]%s}]}`

func mayPut(resource string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Sid":"PutIntoFolder","Effect":"Allow","Action":"s3:PutObject","Resource":"%s"}]}`, resource)
}

func letIn(principal string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Sid":"LetIn","Effect":"Allow","Principal":{"AWS":["%s"]},
  "Action":"s3:PutObject","Resource":"arn:aws:s3:::%s/*"}]}`, principal, bucketName)
}

// story is the whole of it, in order. Each step builds on those before.
func (d *demo) story(ctx context.Context) error {
	steps := []struct {
		title string
		run   func(context.Context) (string, error)
	}{
		{"two accounts exist, each with an administrator", d.accounts},
		{"eks:CreateCluster, CreateNodegroup, CreateAddon: all become ACTIVE", d.createCluster},
		{"iam:CreateRole that trusts pods.eks.amazonaws.com; PutRolePolicy for one folder of a bucket", d.createRole},
		{"s3:CreateBucket in the other account, without a policy", d.createBucket},
		{"eks:CreatePodIdentityAssociation", d.associate},
		{"the pod gets credentials, and its PutObject is refused: the bucket's account does not let the role in", d.notLetIn},
		{"after s3:PutBucketPolicy the same program puts the object, and the bucket's owner reads it", d.letIn},
		{"refused: another folder", d.anotherFolder},
		{"refused: another service account, which has no association", d.anotherServiceAccount},
		{"refused: a trust policy condition on aws:RequestTag/kubernetes-namespace that does not match", d.otherNamespace},
		{"refused: a deleted association gives no new credentials", d.deletedAssociation},
		{"refused: a forged token", d.forgedToken},
		{"refused: a token for another audience", d.wrongAudience},
		{"refused: a request whose body was changed on the way", d.changedBody},
		{"refused: a request whose signature was changed", d.changedSignature},
		{"refused: an association with a role of another account", d.foreignRole},
		{"an association with targetRoleArn: the pod acts as a role of the bucket's account", d.targetRole},
		{"an association with a session policy: the pod may do less than its role", d.sessionPolicy},
		{"the older way, IAM roles for service accounts: AssumeRoleWithWebIdentity and PutObject", d.webIdentity},
		{"the same PutObject by the AWS CLI", d.awsCLI},
		{"the same PutObject by boto3", d.boto3},
	}
	for _, s := range steps {
		if err := d.step(s.title, func() (string, error) { return s.run(ctx) }); err != nil {
			return err
		}
	}
	fmt.Fprintf(d.out, "%d steps passed\n", d.passed)
	return nil
}

func (d *demo) accounts(ctx context.Context) (string, error) {
	var lines []string
	for account, c := range map[string]aws.Config{clusterAccount: d.cluster, bucketAccount: d.bucket} {
		who, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, nil)
		if err != nil {
			return "", err
		}
		if *who.Account != account {
			return "", fmt.Errorf("the profile of account %s is one of account %s", account, *who.Account)
		}
		lines = append(lines, *who.Arn)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n"), nil
}

func (d *demo) createCluster(ctx context.Context) (string, error) {
	c := eks.NewFromConfig(d.cluster)
	_, err := c.CreateCluster(ctx, &eks.CreateClusterInput{
		Name: aws.String(clusterName), RoleArn: aws.String("arn:aws:iam::" + clusterAccount + ":role/cluster"),
		ResourcesVpcConfig: &ekstypes.VpcConfigRequest{},
	})
	if err != nil {
		return "", err
	}
	const wait = time.Minute
	quick := func(o *eks.ClusterActiveWaiterOptions) { o.MinDelay, o.MaxDelay = 50*time.Millisecond, time.Second }
	cluster, err := eks.NewClusterActiveWaiter(c, quick).WaitForOutput(ctx, &eks.DescribeClusterInput{Name: aws.String(clusterName)}, wait)
	if err != nil {
		return "", err
	}
	d.made.issuer = *cluster.Cluster.Identity.Oidc.Issuer
	_, err = c.CreateNodegroup(ctx, &eks.CreateNodegroupInput{
		ClusterName: aws.String(clusterName), NodegroupName: aws.String(nodegroup), Subnets: []string{"subnet-1"},
		NodeRole: aws.String("arn:aws:iam::" + clusterAccount + ":role/node"),
	})
	if err != nil {
		return "", err
	}
	if _, err := c.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: aws.String(clusterName), AddonName: aws.String(addon)}); err != nil {
		return "", err
	}
	group, err := eks.NewNodegroupActiveWaiter(c, func(o *eks.NodegroupActiveWaiterOptions) {
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, time.Second
	}).WaitForOutput(ctx, &eks.DescribeNodegroupInput{ClusterName: aws.String(clusterName), NodegroupName: aws.String(nodegroup)}, wait)
	if err != nil {
		return "", err
	}
	agent, err := eks.NewAddonActiveWaiter(c, func(o *eks.AddonActiveWaiterOptions) {
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, time.Second
	}).WaitForOutput(ctx, &eks.DescribeAddonInput{ClusterName: aws.String(clusterName), AddonName: aws.String(addon)}, wait)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %s, issuer %s\n%s %s\n%s %s", *cluster.Cluster.Arn, cluster.Cluster.Status, d.made.issuer,
		*group.Nodegroup.NodegroupArn, group.Nodegroup.Status, *agent.Addon.AddonArn, agent.Addon.Status), nil
}

func (d *demo) createRole(ctx context.Context) (string, error) {
	c := iam.NewFromConfig(d.cluster)
	role, err := c.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: aws.String(roleName), AssumeRolePolicyDocument: aws.String(fmt.Sprintf(trustPodIdentity, "")),
	})
	if err != nil {
		return "", err
	}
	_, err = c.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: aws.String(roleName), PolicyName: aws.String("put-into-folder"),
		PolicyDocument: aws.String(mayPut("arn:aws:s3:::" + bucketName + "/" + folder + "/*")),
	})
	return fmt.Sprintf("%s (%s)", *role.Role.Arn, *role.Role.RoleId), err
}

func (d *demo) createBucket(ctx context.Context) (string, error) {
	_, err := s3.NewFromConfig(d.bucket).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucketName)})
	return "arn:aws:s3:::" + bucketName + " of account " + bucketAccount, err
}

// association makes an association and remembers its id for the steps that change it.
func (d *demo) association(ctx context.Context, in eks.CreatePodIdentityAssociationInput) (*ekstypes.PodIdentityAssociation, error) {
	in.ClusterName, in.Namespace = aws.String(clusterName), aws.String(namespace)
	if in.ServiceAccount == nil {
		in.ServiceAccount = aws.String(serviceAccount)
	}
	if in.RoleArn == nil {
		in.RoleArn = aws.String(roleARN)
	}
	out, err := eks.NewFromConfig(d.cluster).CreatePodIdentityAssociation(ctx, &in)
	if err != nil {
		return nil, err
	}
	return out.Association, nil
}

func (d *demo) associate(ctx context.Context) (string, error) {
	a, err := d.association(ctx, eks.CreatePodIdentityAssociationInput{})
	if err != nil {
		return "", err
	}
	d.made.associationID = *a.AssociationId
	return *a.AssociationArn, nil
}

// upload is the application: it puts one object as a pod of the service account.
func (d *demo) upload(ctx context.Context, pod, key, text string) (string, error) {
	return d.pod(ctx, pod, d.program("upload"), bucketName, key, text)
}

func (d *demo) notLetIn(ctx context.Context) (string, error) {
	_, err := d.upload(ctx, pod, key, "order 1")
	return refused(err, "AccessDenied", "assumed-role/"+roleName, "because no resource-based policy allows the s3:PutObject action",
		"refused by the account that owns the resource")
}

func (d *demo) letIn(ctx context.Context) (string, error) {
	if err := d.admit(ctx, roleARN); err != nil {
		return "", err
	}
	said, err := d.upload(ctx, pod, key, "order 1")
	if err != nil {
		return "", err
	}
	return said + "the owner reads it back", d.holds(ctx, key, "order 1")
}

// holds checks, as the bucket's owner, that an object has the text.
func (d *demo) holds(ctx context.Context, key, text string) error {
	o, err := s3.NewFromConfig(d.bucket).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucketName), Key: &key})
	if err != nil {
		return err
	}
	defer o.Body.Close()
	b, err := io.ReadAll(o.Body)
	if err != nil {
		return err
	}
	if string(b) != text {
		return fmt.Errorf("s3://%s/%s holds %q, not %q", bucketName, key, b, text)
	}
	return nil
}

// admit sets the bucket's policy to let several principals in.
func (d *demo) admit(ctx context.Context, principals ...string) error {
	_, err := s3.NewFromConfig(d.bucket).PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{
		Bucket: aws.String(bucketName), Policy: aws.String(letIn(strings.Join(principals, `","`))),
	})
	return err
}
