package e2e

import (
	"context"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/oidc"
)

// hosted is a control plane with HTTPS that has a cluster without a public issuer: its documents are the control plane's to serve.
type hosted struct {
	*plane
	issuer string
	ca     string // file
	trust  *http.Client
	signer *oidc.Signer
	keys   *oidc.KeySet
}

func newHosted(t *testing.T) *hosted {
	t.Helper()
	h := &hosted{plane: newPlane(t, "--tls-self-signed")}
	h.issuer = h.endpoint + "/id/0123456789ABCDEF0123456789ABCDEF"
	h.ca = filepath.Join(filepath.Dir(h.awsConfig), "podid-ca.pem")
	text, err := os.ReadFile(h.ca)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	h.trust = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	c := h.administrator()
	c.HTTPClient = h.trust
	_, err = eks.NewFromConfig(c).CreateCluster(t.Context(), &eks.CreateClusterInput{
		Name: aws.String(cluster), RoleArn: aws.String("arn:aws:iam::" + account + ":role/cluster"), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{},
	})
	must(t, err)
	h.rotate(t)
	return h
}

// rotate gives the cluster another signing key, and publishes it beside those that it had.
func (h *hosted) rotate(t *testing.T) {
	t.Helper()
	var err error
	h.signer, err = oidc.NewSigner("RS256")
	must(t, err)
	old := h.keys
	h.keys = h.signer.KeySet()
	if old != nil {
		h.keys, err = old.Union(h.keys)
		must(t, err)
	}
	text, err := h.keys.MarshalJSON()
	must(t, err)
	c := h.administrator()
	must(t, client.New(client.Config{
		Endpoint: h.endpoint, Region: c.Region, Credentials: c.Credentials, HTTP: h.trust, Now: time.Now,
	}).PutClusterReport(t.Context(), cluster, client.Report{
		Issuer: h.issuer, JWKS: string(text), Nodes: []client.ReportNode{}, Addons: []client.ReportAddon{},
	}))
}

// token is that of a pod of the cluster.
func (h *hosted) token(t *testing.T) string {
	t.Helper()
	token, err := h.signer.ServiceAccountToken(oidc.ServiceAccountToken{
		Issuer: h.issuer, Audiences: []string{"sts.amazonaws.com"}, IssuedAt: time.Now(), Lifetime: time.Hour,
		Kubernetes: oidc.Kubernetes{
			Namespace: "shop", ServiceAccount: "cart", ServiceAccountUID: "1", Pod: "cart-0", PodUID: "2", Node: "node", NodeUID: "3",
		},
	})
	must(t, err)
	return token
}

// thumbprint is that of the certificate on top of the chain that the control plane presents.
func (h *hosted) thumbprint(t *testing.T) string {
	t.Helper()
	resp, err := h.trust.Get(h.endpoint + "/healthz")
	must(t, err)
	must(t, resp.Body.Close())
	chain := resp.TLS.PeerCertificates
	sum := sha1.Sum(chain[len(chain)-1].Raw)
	return hex.EncodeToString(sum[:])
}

// trustingPlane is another control plane, whose role app trusts the cart of the cluster of h.
func trustingPlane(t *testing.T, h *hosted, thumbprints []string, args ...string) *plane {
	t.Helper()
	p := newPlane(t, args...)
	c := iam.NewFromConfig(p.administrator())
	host := strings.TrimPrefix(h.issuer, "https://")
	made, err := c.CreateOpenIDConnectProvider(t.Context(), &iam.CreateOpenIDConnectProviderInput{
		Url: &h.issuer, ClientIDList: []string{"sts.amazonaws.com"}, ThumbprintList: thumbprints,
	})
	must(t, err)
	_, err = c.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("app"), AssumeRolePolicyDocument: aws.String(fmt.Sprintf(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":%q},"Action":"sts:AssumeRoleWithWebIdentity",`+
			`"Condition":{"StringEquals":{"%s:sub":"system:serviceaccount:shop:cart","%[2]s:aud":"sts.amazonaws.com"}}}]}`,
		*made.OpenIDConnectProviderArn, host))})
	must(t, err)
	return p
}

// enter exchanges a token for credentials, and says who they are.
func enter(ctx context.Context, p *plane, token string) (string, error) {
	c := p.administrator()
	c.Credentials = aws.AnonymousCredentials{}
	c.RetryMaxAttempts = 1
	out, err := sts.NewFromConfig(c).AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String("arn:aws:iam::" + account + ":role/app"), RoleSessionName: aws.String("cart"), WebIdentityToken: &token,
	})
	if err != nil {
		return "", err
	}
	c.Credentials = credentials.NewStaticCredentialsProvider(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	who, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, nil)
	if err != nil {
		return "", err
	}
	return *who.Arn, nil
}

// TestHostedIssuerOfAnotherControlPlane has pods of a cluster of one control plane assume a role of another, which knows the cluster
// only as an outside issuer: by the documents that the first one serves for it.
func TestHostedIssuerOfAnotherControlPlane(t *testing.T) {
	t.Parallel()
	h := newHosted(t)
	const session = "arn:aws:sts::" + account + ":assumed-role/app/cart"
	entered := func(p *plane) {
		t.Helper()
		if who, err := enter(t.Context(), p, h.token(t)); err != nil || who != session {
			t.Errorf("got %s, %v", who, err)
		}
	}
	refused := func(p *plane, code, text string) {
		t.Helper()
		who, err := enter(t.Context(), p, h.token(t))
		if err == nil || !strings.Contains(err.Error(), code+": "+text) {
			t.Errorf("got %s, %v, want %s", who, err, code)
		}
	}
	open := []string{"--issuer-allow", "127.0.0.0/8"}
	trusting := slices.Concat(open, []string{"--issuer-ca", h.ca})
	const noKey = "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements"

	known := trustingPlane(t, h, nil, trusting...)
	entered(known)
	first := h.token(t)
	h.rotate(t)
	entered(known) // without a restart, and without a wait
	if _, err := enter(t.Context(), known, first); err != nil {
		t.Errorf("a token of the old key: %v", err)
	}
	entered(trustingPlane(t, h, []string{h.thumbprint(t)}, open...))
	refused(trustingPlane(t, h, []string{strings.Repeat("a", 40)}, open...),
		"InvalidIdentityToken", "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint")
	refused(trustingPlane(t, h, nil, open...), "InvalidIdentityToken", noKey)
	refused(trustingPlane(t, h, nil, "--issuer-ca", h.ca), "InvalidIdentityToken", noKey)

	// While the first control plane is away, what is known of its issuer is still good.
	late := trustingPlane(t, h, nil, trusting...)
	h.kill()
	entered(known)
	refused(late, "IDPCommunicationError", "")
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
