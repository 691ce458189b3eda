package kube_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
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
	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	podid "github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/kube/manifest"
	"github.com/podid/podid/internal/kube/operator"
	"github.com/podid/podid/internal/kube/publish"
	"github.com/podid/podid/test/lab"
)

const (
	account      = "111122223333"
	region       = "us-east-1"
	operatorRole = "podid-operator-light"
	clusterName  = "light"
)

// operatorWorld is a Kubernetes API, a control plane, and an operator between them that holds only what the chart gives it.
type operatorWorld struct {
	t        *testing.T
	lab      *lab.Lab
	kube     *kubernetes.Clientset
	objects  client.Client
	dir      string
	endpoint string
	caFile   string
	admin    aws.Config
	eks      *eks.Client
	config   operator.Config
	halt     func() // ends the operator; more than once is once
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until a look says that all is well.
func eventually(t testing.TB, most time.Duration, what string, look func(context.Context) error) time.Duration {
	t.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := look(ctx)
		if err == nil {
			took := time.Since(start)
			t.Logf("%s after %s", what, took.Round(time.Millisecond))
			return took
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %s: %v", what, most, err)
		case <-tick.C:
		}
	}
}

func newOperatorWorld(t *testing.T) *operatorWorld {
	t.Helper()
	w := &operatorWorld{t: t, lab: lab.Light(t), dir: t.TempDir()}
	var err error
	w.kube, err = kubernetes.NewForConfig(w.lab.REST())
	check(t, err)
	log.SetLogger(logr.FromSlogHandler(slog.DiscardHandler))
	w.objects, err = client.New(w.lab.REST(), client.Options{})
	check(t, err)
	w.startPlane()
	w.connect()
	w.install()
	return w
}

// startPlane starts the control plane as a process.
func (w *operatorWorld) startPlane() {
	w.t.Helper()
	bin, err := lab.Build(w.t.Context(), "./cmd/podid")
	check(w.t, err)
	awsConfig := filepath.Join(w.dir, "aws", "config")
	cmd := exec.CommandContext(w.t.Context(), bin, "serve", "--data", filepath.Join(w.dir, "data"), "--aws-config", awsConfig,
		"--listen", "127.0.0.1:0", "--tls-self-signed", "--account", account)
	cmd.Stderr = w.t.Output()
	out, err := cmd.StdoutPipe()
	check(w.t, err)
	check(w.t, cmd.Start())
	w.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for lines := bufio.NewScanner(out); w.endpoint == ""; {
		if !lines.Scan() {
			w.t.Fatal("podid serve ended")
		}
		if rest, ok := strings.CutPrefix(lines.Text(), "podid serves "); ok {
			w.endpoint, _, _ = strings.Cut(rest, " ")
		}
	}
	w.admin, err = config.LoadDefaultConfig(w.t.Context(), config.WithSharedConfigFiles([]string{awsConfig}),
		config.WithSharedCredentialsFiles([]string{}), config.WithSharedConfigProfile("podid"))
	check(w.t, err)
	w.caFile = filepath.Join(filepath.Dir(awsConfig), "podid-ca.pem")
	w.admin.HTTPClient = httpClient(w.t, w.caFile) // whatever AWS_CA_BUNDLE says here
	w.eks = eks.NewFromConfig(w.admin)
}

// connect does what an administrator does once: the cluster, the roles of operator and agent, the trust in the cluster's issuer.
func (w *operatorWorld) connect() {
	w.t.Helper()
	ctx := w.t.Context()
	_, err := w.eks.CreateCluster(ctx, &eks.CreateClusterInput{
		Name: aws.String(clusterName), RoleArn: aws.String("arn:aws:iam::" + account + ":role/" + operatorRole), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{},
	})
	check(w.t, err)
	id, err := publish.APIServer{REST: w.kube.Discovery().RESTClient()}.Identity(ctx)
	check(w.t, err)
	p := podid.New(podid.Config{Endpoint: w.endpoint, Region: w.admin.Region, Credentials: w.admin.Credentials, HTTP: httpClient(w.t, w.caFile), Now: time.Now})
	check(w.t, p.PutClusterReport(ctx, clusterName, podid.Report{Issuer: id.Issuer, JWKS: string(id.JWKS), Nodes: []podid.ReportNode{}, Addons: []podid.ReportAddon{}}))
	im := iam.NewFromConfig(w.admin)
	_, err = im.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: &id.Issuer, ClientIDList: []string{"sts.amazonaws.com"}})
	check(w.t, err)
	host := strings.TrimPrefix(id.Issuer, "https://")
	_, err = im.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String(operatorRole), AssumeRolePolicyDocument: document(map[string]any{
		"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
		"Principal": map[string]string{"Federated": "arn:aws:iam::" + account + ":oidc-provider/" + host},
		"Condition": map[string]any{"StringEquals": map[string]string{
			host + ":sub": "system:serviceaccount:podid-system:podid-operator", host + ":aud": "sts.amazonaws.com",
		}},
	})})
	check(w.t, err)
	_, err = im.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("app"), AssumeRolePolicyDocument: aws.String(webhookTrust)})
	check(w.t, err)
	cluster := "arn:aws:eks:" + w.admin.Region + ":" + account + ":cluster/" + clusterName
	_, err = im.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: aws.String(operatorRole), PolicyName: aws.String("podid"), PolicyDocument: document(map[string]any{
			"Effect": "Allow", "Resource": cluster,
			"Action": []string{"podid:PutClusterReport", "podid:WatchCluster", "podid:ReportEndedPods", "eks:ListPodIdentityAssociations"},
		}),
	})
	check(w.t, err)
}

func document(statement map[string]any) *string {
	b, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{statement}})
	return aws.String(string(b))
}

// install puts the chart's objects into the cluster but the Deployment, which is this process, and a token of the service account that the
// chart makes for it.
func (w *operatorWorld) install() {
	w.t.Helper()
	ctx := w.t.Context()
	role := "arn:aws:iam::" + account + ":role/"
	objects, err := manifest.Render(map[string]any{
		"clusterName": clusterName, "endpoint": w.endpoint, "env": map[string]any{"AWS_REGION": w.admin.Region},
		"agent": map[string]any{"roleArn": role + "podid-agent-" + clusterName}, "operator": map[string]any{"roleArn": role + operatorRole},
	}, manifest.Release{})
	check(w.t, err)
	check(w.t, w.lab.Apply(ctx, "apiVersion: v1\nkind: Namespace\nmetadata: {name: podid-system}\n"))
	for _, o := range objects {
		switch o.GetKind() {
		case "Deployment", "PodDisruptionBudget", "Service":
			continue
		}
		check(w.t, client.IgnoreAlreadyExists(w.objects.Create(ctx, o)))
	}
	caFile, err := os.ReadFile(w.caFile)
	check(w.t, err)
	podCA := filepath.Join(w.dir, "pod-ca.crt")
	check(w.t, os.WriteFile(podCA, caFile, 0o600))
	port := freePort(w.t)
	w.config = operator.Config{
		Cluster: clusterName, Endpoint: w.endpoint, Region: w.admin.Region, RoleARN: role + operatorRole, Namespace: operator.DefaultNamespace,
		Kubernetes: w.login(), TokenFile: w.tokenFile(), CAFile: w.caFile,
		AgentImage: "ghcr.io/podid/podid-agent", AgentRoleARN: role + "podid-agent-" + clusterName,
		WebhookURL: fmt.Sprintf("https://127.0.0.1:%d", port), WebhookHost: "127.0.0.1", WebhookPort: port,
		Settings: operator.DefaultSettings(), LookupGrace: operator.DefaultLookupGrace, LeaderElect: true, PodCAFile: podCA,
		MetricsAddress: fmt.Sprintf("127.0.0.1:%d", freePort(w.t)), HealthAddress: fmt.Sprintf("127.0.0.1:%d", freePort(w.t)),
		Logger: slog.New(slog.NewTextHandler(w.t.Output(), nil)),
	}
}

// token is one of the operator's service account.
func (w *operatorWorld) token(audiences ...string) string {
	w.t.Helper()
	r, err := w.kube.CoreV1().ServiceAccounts("podid-system").CreateToken(w.t.Context(), "podid-operator",
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences}}, metav1.CreateOptions{})
	check(w.t, err)
	return r.Status.Token
}

func (w *operatorWorld) tokenFile() string {
	w.t.Helper()
	file := filepath.Join(w.dir, "token")
	check(w.t, os.WriteFile(file, []byte(w.token("sts.amazonaws.com")), 0o600))
	return file
}

// login is the operator's way to the API server: with its own token, and so with no more than its roles give.
func (w *operatorWorld) login() *rest.Config {
	c := w.lab.REST()
	return &rest.Config{Host: c.Host, Dial: c.Dial, BearerToken: w.token(), TLSClientConfig: rest.TLSClientConfig{CAFile: w.lab.CAFile()}}
}

// start runs an operator until the test or what is returned ends it.
func (w *operatorWorld) start(c operator.Config) (halt func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- operator.Run(ctx, c) }()
	halt = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(halt)
	return halt
}

// replica is the configuration of another operator beside the first.
func (w *operatorWorld) replica() operator.Config {
	c := w.config
	c.WebhookPort = freePort(w.t)
	c.MetricsAddress, c.HealthAddress = fmt.Sprintf("127.0.0.1:%d", freePort(w.t)), fmt.Sprintf("127.0.0.1:%d", freePort(w.t))
	c.Logger = c.Logger.With("replica", 2)
	return c
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
