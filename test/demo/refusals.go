package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/podid/podid/internal/devcluster"
	"github.com/podid/podid/internal/oidc"
)

func (d *demo) anotherFolder(ctx context.Context) (string, error) {
	_, err := d.upload(ctx, pod, "private/order-1.txt", "order 1")
	return refused(err, "AccessDenied", "because no identity-based policy allows the s3:PutObject action", "private/order-1.txt")
}

func (d *demo) anotherServiceAccount(ctx context.Context) (string, error) {
	_, err := d.upload(ctx, namespace+"/visitor", key, "order 1")
	return refused(err, "ResourceNotFoundException", "The token included in the request has no service account role association for it.",
		`service account "visitor" of namespace "`+namespace+`"`)
}

func (d *demo) otherNamespace(ctx context.Context) (string, error) {
	const condition = `,"Condition":{"StringEquals":{"aws:RequestTag/kubernetes-namespace":"warehouse"}}`
	if err := d.trust(ctx, condition); err != nil {
		return "", err
	}
	_, err := d.upload(ctx, pod, key, "order 1")
	answer, err := refused(err, "AccessDeniedException", "Unauthorized Exception! EKS does not have permissions to assume the associated role.",
		"aws:RequestTag/kubernetes-namespace", `"warehouse"`, `"`+namespace+`"`)
	return answer, errors.Join(err, d.trust(ctx, ""))
}

// trust sets the role's trust policy, with a condition or without.
func (d *demo) trust(ctx context.Context, condition string) error {
	_, err := iam.NewFromConfig(d.cluster).UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{
		RoleName: aws.String(roleName), PolicyDocument: aws.String(fmt.Sprintf(trustPodIdentity, condition)),
	})
	return err
}

func (d *demo) deletedAssociation(ctx context.Context) (string, error) {
	_, err := eks.NewFromConfig(d.cluster).DeletePodIdentityAssociation(ctx, &eks.DeletePodIdentityAssociationInput{
		ClusterName: aws.String(clusterName), AssociationId: &d.made.associationID,
	})
	if err != nil {
		return "", err
	}
	_, err = d.upload(ctx, pod, key, "order 1")
	answer, err := refused(err, "ResourceNotFoundException", "no service account role association", `"`+serviceAccount+`"`)
	if err != nil {
		return "", err
	}
	again, err := d.associate(ctx)
	return answer + "\nassociated again: " + again, err
}

// askAgent asks the agent for credentials with any token, as a program in a pod can.
func (d *demo) askAgent(ctx context.Context, token string) (aws.Credentials, error) {
	kubelet, err := d.kubelet(ctx)
	if err != nil {
		return aws.Credentials{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, kubelet.Info().CredentialsURI, nil)
	if err != nil {
		return aws.Credentials{}, err
	}
	req.Header.Set("Authorization", token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return aws.Credentials{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return aws.Credentials{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return aws.Credentials{}, fmt.Errorf("%d %s", resp.StatusCode, strings.TrimSpace(string(body)))
	}
	var c struct{ AccessKeyId, SecretAccessKey, Token string } //nolint:revive,staticcheck // the agent's spelling
	if err := json.Unmarshal(body, &c); err != nil {
		return aws.Credentials{}, err
	}
	return aws.Credentials{AccessKeyID: c.AccessKeyId, SecretAccessKey: c.SecretAccessKey, SessionToken: c.Token}, nil
}

func (d *demo) kubelet(ctx context.Context) (*devcluster.Kubelet, error) {
	return devcluster.Dial(ctx, filepath.Join(d.data(), "cluster"))
}

// token gets a real token of the cluster for a pod of the story's service account.
func (d *demo) token(ctx context.Context, audience string) (string, error) {
	kubelet, err := d.kubelet(ctx)
	if err != nil {
		return "", err
	}
	return kubelet.Token(ctx, devcluster.TokenRequest{
		Namespace: namespace, ServiceAccount: serviceAccount, Pod: "uploader-0", PodUID: "5d1c2f6e-1111-4222-8333-944455556666",
		Audience: audience, Lifetime: time.Hour,
	})
}

func (d *demo) forgedToken(ctx context.Context) (string, error) {
	// Everything about it is right, but for the key that signed it.
	forger, err := oidc.NewSigner("RS256")
	if err != nil {
		return "", err
	}
	token, err := forger.ServiceAccountToken(oidc.ServiceAccountToken{
		Issuer: d.made.issuer, Audiences: []string{"pods.eks.amazonaws.com"}, IssuedAt: time.Now(), Lifetime: time.Hour,
		Kubernetes: oidc.Kubernetes{
			Namespace: namespace, ServiceAccount: serviceAccount, ServiceAccountUID: "1", Pod: "uploader-0", PodUID: "2", Node: "laptop", NodeUID: "3",
		},
	})
	if err != nil {
		return "", err
	}
	_, err = d.askAgent(ctx, token)
	return refused(err, "400", "InvalidTokenException")
}

func (d *demo) wrongAudience(ctx context.Context) (string, error) {
	token, err := d.token(ctx, "sts.amazonaws.com")
	if err != nil {
		return "", err
	}
	_, err = d.askAgent(ctx, token)
	return refused(err, "400", "InvalidTokenException", "sts.amazonaws.com", "pods.eks.amazonaws.com")
}

// signedPut is a PutObject of the pod, signed for one body and ready to be tampered with.
func (d *demo) signedPut(ctx context.Context) (*http.Request, error) {
	token, err := d.token(ctx, "pods.eks.amazonaws.com")
	if err != nil {
		return nil, err
	}
	credentials, err := d.askAgent(ctx, token)
	if err != nil {
		return nil, err
	}
	const body = "order 1"
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, *d.cluster.BaseEndpoint+"/"+bucketName+"/"+key, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(body))
	hash := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", hash)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	return req, signer.SignHTTP(ctx, credentials, req, hash, "s3", d.cluster.Region, time.Now())
}

func send(req *http.Request) error {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return fmt.Errorf("%d %s", resp.StatusCode, body)
}

func (d *demo) changedBody(ctx context.Context) (string, error) {
	req, err := d.signedPut(ctx)
	if err != nil {
		return "", err
	}
	req.Body = io.NopCloser(bytes.NewReader([]byte("order 9")))
	answer, err := refused(send(req), "400", "XAmzContentSHA256Mismatch")
	if err != nil {
		return "", err
	}
	return answer, d.holds(ctx, key, "order 1")
}

func (d *demo) changedSignature(ctx context.Context) (string, error) {
	req, err := d.signedPut(ctx)
	if err != nil {
		return "", err
	}
	authorization := req.Header.Get("Authorization")
	last := byte('0')
	if authorization[len(authorization)-1] == last {
		last = '1'
	}
	req.Header.Set("Authorization", authorization[:len(authorization)-1]+string(last))
	return refused(send(req), "403", "SignatureDoesNotMatch")
}

func (d *demo) foreignRole(ctx context.Context) (string, error) {
	_, err := d.association(ctx, eks.CreatePodIdentityAssociationInput{
		ServiceAccount: aws.String("stranger"), RoleArn: aws.String("arn:aws:iam::" + bucketAccount + ":role/any"),
	})
	return refused(err, "InvalidParameterException", bucketAccount)
}
