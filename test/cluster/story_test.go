package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	corev1 "k8s.io/api/core/v1"

	"github.com/podid/podid/test/lab"
)

// The cast of the story.
const (
	namespace  = "shop"
	uploader   = "uploader"
	roleName   = "shop-uploader"
	roleARN    = "arn:aws:iam::" + clusterAccount + ":role/" + roleName
	bucketName = "drop-" + bucketAccount
	folder     = "incoming"
	objectKey  = folder + "/order-1.txt"
)

const trustPodIdentity = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},
  "Action":["sts:AssumeRole","sts:TagSession"]%s}]}`

func mayPut(resource string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"%s"}]}`, resource)
}

// story is that of the README, in pods: each step builds on those before.
func (w *world) story(t *testing.T) {
	ctx := t.Context()
	w.role(t, roleName, fmt.Sprintf(trustPodIdentity, ""), mayPut("arn:aws:s3:::"+bucketName+"/"+folder+"/*"))
	_, err := s3client(w.bucket).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucketName)})
	must(t, err)
	w.serviceAccount(t, namespace, uploader, nil)
	a := w.associate(t, eks.CreatePodIdentityAssociationInput{})

	put := func() *corev1.Pod { return podOf(namespace, uploader, "put", bucketName, objectKey, "order 1") }
	t.Run("refused: the bucket's account does not let the role in", func(t *testing.T) {
		refused(t, w.run(t, put()), "AccessDenied", "assumed-role/"+roleName, "because no resource-based policy allows the s3:PutObject action")
	})
	w.admit(t, roleARN)
	t.Run("the object lands in the other account's bucket", func(t *testing.T) {
		r := w.run(t, put())
		must(t, r.err)
		if !strings.Contains(r.said, ":assumed-role/"+roleName+"/eks-"+clusterName+"-uploader-") {
			t.Errorf("the pod said %s", r.said)
		}
		w.holds(t, objectKey, "order 1")
	})
	t.Run("the credential endpoint answers on IPv6 as well", func(t *testing.T) {
		pod := put()
		pod.Spec.Containers[0].Env = append(pod.Spec.Containers[0].Env, // what is there already stays
			corev1.EnvVar{Name: "AWS_CONTAINER_CREDENTIALS_FULL_URI", Value: "http://[fd00:ec2::23]/v1/credentials"},
			corev1.EnvVar{Name: "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", Value: "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token"})
		must(t, w.run(t, pod).err)
	})
	t.Run("refused: another folder", func(t *testing.T) {
		refused(t, w.run(t, podOf(namespace, uploader, "put", bucketName, "private/order-1.txt", "order 1")),
			"AccessDenied", "because no identity-based policy allows the s3:PutObject action", "private/order-1.txt")
	})
	t.Run("refused: another service account, which has no association", w.otherServiceAccount)
	t.Run("refused: a trust policy condition that does not match", func(t *testing.T) {
		w.trust(t, `,"Condition":{"StringEquals":{"aws:RequestTag/kubernetes-namespace":"warehouse"}}`)
		defer w.trust(t, "")
		r := w.run(t, put())
		refused(t, r, "AccessDeniedException", "Unauthorized Exception! EKS does not have permissions to assume the associated role.",
			"aws:RequestTag/kubernetes-namespace", `"warehouse"`)
		lab.Eventually(t, 10*time.Second, "the pod has an Event with the reason", func(context.Context) error {
			if text := w.events(r.pod); !strings.Contains(text, "IdentityRefused") || !strings.Contains(text, "aws:RequestTag/kubernetes-namespace") {
				return errors.New(text)
			}
			return nil
		})
	})
	t.Run("refused: a forged token", func(t *testing.T) {
		refused(t, w.run(t, podOf(namespace, uploader, "forge")), "400", "InvalidTokenException")
	})
	t.Run("refused: a token for another audience", func(t *testing.T) {
		refused(t, w.run(t, withToken(podOf(namespace, uploader, "ask", "/other/token"), "sts.amazonaws.com")),
			"400", "InvalidTokenException", "sts.amazonaws.com", "pods.eks.amazonaws.com")
	})
	t.Run("refused: a request whose body was changed on the way", func(t *testing.T) {
		refused(t, w.run(t, podOf(namespace, uploader, "changed-body", bucketName, objectKey)), "400", "XAmzContentSHA256Mismatch")
		w.holds(t, objectKey, "order 1")
	})
	t.Run("refused: a request whose signature was changed", func(t *testing.T) {
		refused(t, w.run(t, podOf(namespace, uploader, "changed-signature", bucketName, objectKey)), "403", "SignatureDoesNotMatch")
	})
	t.Run("refused: an association with a role of another account", func(t *testing.T) {
		_, err := eks.NewFromConfig(w.cluster).CreatePodIdentityAssociation(t.Context(), &eks.CreatePodIdentityAssociationInput{
			ClusterName: aws.String(clusterName), Namespace: aws.String(namespace), ServiceAccount: aws.String("stranger"),
			RoleArn: aws.String("arn:aws:iam::" + bucketAccount + ":role/any"),
		})
		if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "InvalidParameterException" || !strings.Contains(e.ErrorMessage(), bucketAccount) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an association with targetRoleArn: the pod acts as a role of the bucket's account", w.targetRole)
	t.Run("an association with a session policy: the pod may do less than its role", w.sessionPolicy)
	t.Run("the older way: IAM roles for service accounts", w.webIdentity)
	t.Run("refused: a deleted association gives no new credentials", func(t *testing.T) { w.deletedAssociation(t, *a.AssociationId) })
}

func (w *world) otherServiceAccount(t *testing.T) {
	w.serviceAccount(t, namespace, "visitor", nil)
	r := w.run(t, podOf(namespace, "visitor", "put", bucketName, objectKey, "order 1"))
	refused(t, r, "no EC2 IMDS role found") // it is not injected, so its SDK finds no credentials at all
	// In a namespace with late binding it is, and hears the reason.
	w.serviceAccount(t, lateNamespace, "visitor", nil)
	refused(t, w.run(t, podOf(lateNamespace, "visitor", "put", bucketName, objectKey, "order 1")), "ResourceNotFoundException",
		"The token included in the request has no service account role association for it.", `service account "visitor" of namespace "`+lateNamespace+`"`)
}

func (w *world) targetRole(t *testing.T) {
	const target, source = "drop-writer", "shop-chain"
	targetARN := "arn:aws:iam::" + bucketAccount + ":role/" + target
	w.role(t, source, fmt.Sprintf(trustPodIdentity, ""),
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Resource":"`+targetARN+`"}}`)
	a := w.associate(t, eks.CreatePodIdentityAssociationInput{
		ServiceAccount: aws.String("chained"), RoleArn: aws.String("arn:aws:iam::" + clusterAccount + ":role/" + source), TargetRoleArn: &targetARN,
	})
	trust := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
	  {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%[1]s:role/%[2]s"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"%[3]s"}}},
	  {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%[1]s:role/%[2]s"},"Action":"sts:TagSession"}]}`, clusterAccount, source, *a.ExternalId)
	roleIn(t, w.bucket, target, trust, mayPut("arn:aws:s3:::"+bucketName+"/*"))
	w.serviceAccount(t, namespace, "chained", nil)
	r := w.run(t, podOf(namespace, "chained", "put", bucketName, "chained/order-2.txt", "order 2"))
	must(t, r.err)
	if !strings.Contains(r.said, ":"+bucketAccount+":assumed-role/"+target+"/") {
		t.Errorf("the pod does not act as the target role: %s", r.said)
	}
	w.holds(t, "chained/order-2.txt", "order 2")
}

func (w *world) sessionPolicy(t *testing.T) {
	w.serviceAccount(t, namespace, "narrow", nil)
	w.associate(t, eks.CreatePodIdentityAssociationInput{
		ServiceAccount: aws.String("narrow"), DisableSessionTags: aws.Bool(true), Policy: aws.String(mayPut("arn:aws:s3:::" + bucketName + "/" + folder + "/narrow/*")),
	})
	must(t, w.run(t, podOf(namespace, "narrow", "put", bucketName, folder+"/narrow/order-3.txt", "order 3")).err)
	w.holds(t, folder+"/narrow/order-3.txt", "order 3")
	refused(t, w.run(t, podOf(namespace, "narrow", "put", bucketName, objectKey, "order 3")), "AccessDenied",
		"because no session policy allows the s3:PutObject action")
}

func (w *world) webIdentity(t *testing.T) {
	const role = "shop-irsa"
	c, err := eks.NewFromConfig(w.cluster).DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: aws.String(clusterName)})
	must(t, err)
	host := strings.TrimPrefix(*c.Cluster.Identity.Oidc.Issuer, "https://")
	w.role(t, role, fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::%s:oidc-provider/%s"},
	  "Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"%s:sub":"system:serviceaccount:%s:older","%s:aud":"sts.amazonaws.com"}}}]}`,
		clusterAccount, host, host, namespace, host), mayPut("arn:aws:s3:::"+bucketName+"/"+folder+"/*"))
	arn := "arn:aws:iam::" + clusterAccount + ":role/" + role
	w.admit(t, roleARN, arn)
	annotations := map[string]string{"eks.amazonaws.com/role-arn": arn}
	w.serviceAccount(t, namespace, "older", annotations)
	must(t, w.run(t, podOf(namespace, "older", "put", bucketName, folder+"/order-4.txt", "order 4")).err)
	w.holds(t, folder+"/order-4.txt", "order 4")
	w.serviceAccount(t, namespace, "someone-else", annotations)
	refused(t, w.run(t, podOf(namespace, "someone-else", "put", bucketName, folder+"/order-4.txt", "order 5")), "AccessDenied", "sts:AssumeRoleWithWebIdentity")
}

func (w *world) deletedAssociation(t *testing.T, id string) {
	// The token of a pod that was injected before is good, and of no use once the association is gone.
	pod := podOf(namespace, uploader, "watch")
	pod = w.create(t, pod)
	w.wait(t, pod, running)
	_, err := eks.NewFromConfig(w.cluster).DeletePodIdentityAssociation(t.Context(), &eks.DeletePodIdentityAssociationInput{
		ClusterName: aws.String(clusterName), AssociationId: &id,
	})
	must(t, err)
	token := w.token(t, pod, "pods.eks.amazonaws.com")
	status, text := w.askAgent(t, token)
	if status != 404 || !strings.Contains(text, "no service account role association") {
		t.Errorf("got %d %s", status, text)
	}
	w.delete(t, pod)
	w.associate(t, eks.CreatePodIdentityAssociationInput{})
	must(t, w.run(t, podOf(namespace, uploader, "put", bucketName, objectKey, "order 1")).err)
}

// role makes a role of the cluster's account with one inline policy.
func (w *world) role(t testing.TB, name, trust, policy string) {
	t.Helper()
	roleIn(t, w.cluster, name, trust, policy)
}

func roleIn(t testing.TB, c aws.Config, name, trust, policy string) {
	t.Helper()
	client := iam.NewFromConfig(c)
	_, err := client.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust})
	must(t, err)
	_, err = client.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("put"), PolicyDocument: &policy})
	must(t, err)
}

// trust sets the condition of the story's role.
func (w *world) trust(t testing.TB, condition string) {
	t.Helper()
	_, err := iam.NewFromConfig(w.cluster).UpdateAssumeRolePolicy(t.Context(), &iam.UpdateAssumeRolePolicyInput{
		RoleName: aws.String(roleName), PolicyDocument: aws.String(fmt.Sprintf(trustPodIdentity, condition)),
	})
	must(t, err)
}

// associate makes an association; what is left out is the story's.
func (w *world) associate(t testing.TB, in eks.CreatePodIdentityAssociationInput) *ekstypes.PodIdentityAssociation {
	t.Helper()
	in.ClusterName = aws.String(clusterName)
	for _, member := range []struct {
		to    **string
		value string
	}{{&in.Namespace, namespace}, {&in.ServiceAccount, uploader}, {&in.RoleArn, roleARN}} {
		if *member.to == nil {
			*member.to = &member.value
		}
	}
	out, err := eks.NewFromConfig(w.cluster).CreatePodIdentityAssociation(t.Context(), &in)
	must(t, err)
	return out.Association
}

// admit sets the bucket's policy to let roles in.
func (w *world) admit(t testing.TB, principals ...string) {
	t.Helper()
	_, err := s3client(w.bucket).PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{
		Bucket: aws.String(bucketName), Policy: aws.String(fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
		  "Principal":{"AWS":["%s"]},"Action":"s3:PutObject","Resource":"arn:aws:s3:::%s/*"}]}`, strings.Join(principals, `","`), bucketName)),
	})
	must(t, err)
}

// holds checks, as the bucket's owner, that an object has the text.
func (w *world) holds(t testing.TB, key, text string) {
	t.Helper()
	o, err := s3client(w.bucket).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucketName), Key: &key})
	must(t, err)
	defer o.Body.Close()
	b, err := io.ReadAll(o.Body)
	must(t, err)
	if string(b) != text {
		t.Errorf("s3://%s/%s holds %q, want %q", bucketName, key, b, text)
	}
}
