package kube_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/test/lab"
)

const (
	account = "111122223333"
	region  = "us-east-1"
)

// podsTrust lets in pods, of every cluster of the account.
const podsTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`

func roleARN(name string) string { return "arn:aws:iam::" + account + ":role/" + name }

// plane is a control plane, a process of its own, with clients of an administrator. (One in this process would move all tests to
// another folder.)
type plane struct {
	endpoint string
	caFile   string
	http     *http.Client
	admin    aws.Config
	eks      *eks.Client
	iam      *iam.Client
	stop     func() // ends it; more than once is once
}

func newPlane(t *testing.T) *plane {
	t.Helper()
	program, err := lab.Build(t.Context(), "./cmd/podid")
	check(t, err)
	dir := t.TempDir()
	awsConfig := filepath.Join(dir, "aws", "config")
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "serve", "--data", filepath.Join(dir, "data"), "--aws-config", awsConfig,
		"--listen", "127.0.0.1:0", "--tls-self-signed", "--account", account, "--region", region)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	p := &plane{caFile: filepath.Join(dir, "aws", "podid-ca.pem"), stop: sync.OnceFunc(func() {
		cancel()
		_ = cmd.Wait() // "signal: killed"
	})}
	t.Cleanup(p.stop)
	for lines := bufio.NewScanner(out); p.endpoint == ""; {
		if !lines.Scan() {
			t.Fatal("podid serve ended")
		}
		if rest, ok := strings.CutPrefix(lines.Text(), "podid serves "); ok {
			p.endpoint, _, _ = strings.Cut(rest, " ")
		}
	}
	p.admin, err = config.LoadDefaultConfig(t.Context(), config.WithSharedConfigFiles([]string{awsConfig}),
		config.WithSharedCredentialsFiles([]string{}), config.WithSharedConfigProfile("podid"))
	check(t, err)
	text, err := os.ReadFile(p.caFile)
	check(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	p.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 64}}
	p.admin.HTTPClient = p.http // whatever AWS_CA_BUNDLE says here
	p.eks, p.iam = eks.NewFromConfig(p.admin), iam.NewFromConfig(p.admin)
	return p
}

// podid is a client of podid's own service, with somebody's credentials.
func (p *plane) podid(credentials aws.CredentialsProvider) *client.Client {
	return client.New(client.Config{Endpoint: p.endpoint, Region: region, Credentials: credentials, HTTP: p.http, Now: time.Now})
}

func (p *plane) cluster(t *testing.T, name string) {
	t.Helper()
	_, err := p.eks.CreateCluster(t.Context(), &eks.CreateClusterInput{
		Name: &name, RoleArn: aws.String(roleARN("cluster")), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{},
	})
	check(t, err)
}

// role makes a role below a path.
func (p *plane) role(t *testing.T, path, name, trust string) {
	t.Helper()
	_, err := p.iam.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, Path: &path, AssumeRolePolicyDocument: &trust})
	check(t, err)
}

// permit gives a role an inline policy.
func (p *plane) permit(t *testing.T, role, policy string) {
	t.Helper()
	_, err := p.iam.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &role, PolicyName: aws.String("podid"), PolicyDocument: &policy})
	check(t, err)
}

// associate returns when the association is acknowledged, with its id.
func (p *plane) associate(ctx context.Context, cluster, namespace, serviceAccount, role string) (string, error) {
	out, err := p.eks.CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{
		ClusterName: &cluster, Namespace: &namespace, ServiceAccount: &serviceAccount, RoleArn: &role,
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.Association.AssociationId), nil
}

// document is a policy of one statement.
func document(statement map[string]any) string {
	b, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{statement}}) // maps of texts always encode
	return string(b)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// get reads a page of the operator's.
func get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	return string(text), err
}

func freePort(t testing.TB) int {
	t.Helper()
	port, err := lab.FreePort(t.Context())
	check(t, err)
	return int(port)
}
