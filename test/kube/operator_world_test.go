package kube_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

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
	operatorRole = "podid-operator-light"
	clusterName  = "light"
)

// operatorWorld is a Kubernetes API, a control plane, and an operator between them that holds only what the chart gives it.
type operatorWorld struct {
	*plane
	t       *testing.T
	lab     *lab.Lab
	kube    *kubernetes.Clientset
	objects client.Client
	dir     string
	config  operator.Config
	halt    func() // ends the operator; more than once is once
}

func newOperatorWorld(t *testing.T) *operatorWorld {
	t.Helper()
	w := &operatorWorld{t: t, lab: lab.Light(t), plane: newPlane(t), dir: t.TempDir()}
	var err error
	w.kube, err = kubernetes.NewForConfig(w.lab.REST())
	check(t, err)
	log.SetLogger(logr.FromSlogHandler(slog.DiscardHandler))
	w.objects, err = client.New(w.lab.REST(), client.Options{})
	check(t, err)
	w.connect()
	w.install()
	return w
}

// connect does what an administrator does once: the cluster, the roles of operator and agent, the trust in the cluster's issuer.
func (w *operatorWorld) connect() {
	w.t.Helper()
	ctx := w.t.Context()
	w.cluster(w.t, clusterName)
	id, err := publish.APIServer{REST: w.kube.Discovery().RESTClient()}.Identity(ctx)
	check(w.t, err)
	report := podid.Report{Issuer: id.Issuer, JWKS: string(id.JWKS), Nodes: []podid.ReportNode{}, Addons: []podid.ReportAddon{}}
	check(w.t, w.podid(w.admin.Credentials).PutClusterReport(ctx, clusterName, report))
	_, err = w.iam.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: &id.Issuer, ClientIDList: []string{"sts.amazonaws.com"}})
	check(w.t, err)
	host := strings.TrimPrefix(id.Issuer, "https://")
	w.role(w.t, "/", operatorRole, document(map[string]any{
		"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
		"Principal": map[string]string{"Federated": "arn:aws:iam::" + account + ":oidc-provider/" + host},
		"Condition": map[string]any{"StringEquals": map[string]string{
			host + ":sub": "system:serviceaccount:podid-system:podid-operator", host + ":aud": "sts.amazonaws.com",
		}},
	}))
	w.role(w.t, "/", "app", podsTrust)
	w.permit(w.t, operatorRole, document(map[string]any{
		"Effect": "Allow", "Resource": "arn:aws:eks:" + region + ":" + account + ":cluster/" + clusterName,
		"Action": []string{
			"podid:PutClusterReport", "podid:WatchCluster", "podid:ReportEndedPods", "podid:PreviewAssociation", "eks:ListPodIdentityAssociations",
		},
	}))
}

// install puts the chart's objects into the cluster but the Deployment, which is this process, and a token of the service account that the
// chart makes for it.
func (w *operatorWorld) install() {
	w.t.Helper()
	ctx := w.t.Context()
	role, agentRole := roleARN(operatorRole), roleARN("podid-agent-"+clusterName)
	objects, err := manifest.Render(map[string]any{
		"clusterName": clusterName, "endpoint": w.endpoint, "env": map[string]any{"AWS_REGION": region},
		"agent": map[string]any{"roleArn": agentRole}, "operator": map[string]any{"roleArn": role},
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
		Cluster: clusterName, Endpoint: w.endpoint, Region: region, RoleARN: role, Namespace: operator.DefaultNamespace,
		Kubernetes: w.login(), TokenFile: w.tokenFile(), CAFile: w.caFile,
		AgentImage: "ghcr.io/podid/podid-agent", AgentRoleARN: agentRole,
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
