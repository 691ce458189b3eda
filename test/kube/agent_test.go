package kube_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	podidagent "github.com/podid/podid/internal/agent"
	"github.com/podid/podid/internal/kube/manifest"
	"github.com/podid/podid/test/lab"
)

const (
	agentNode      = "worker-1"
	agentNamespace = "agent-tests"
	agentAccount   = "eks-pod-identity-agent"
	noAssociation  = "The token included in the request has no service account role association for it."
)

// nodeAgent is an agent on a node that is only an object of the API server, with what the chart lets its service account do.
type nodeAgent struct {
	lab    *lab.Lab
	kube   *kubernetes.Clientset
	folder string   // the agent's service account, as mounted
	auth   *url.URL // EKS Auth that gives everybody credentials but the service account "stranger"
}

func TestAgentKnowsThePodsOfItsNode(t *testing.T) {
	t.Parallel()
	n := newNodeAgent(t)
	first := n.start(t)
	serves := func(token string) error { return answers(first, token, http.StatusOK, "AccessKeyId") }
	ended := func(token string) error { return answers(first, token, http.StatusBadRequest, "a pod that has ended") }

	app := n.pod(t, "app", agentNode, "app")
	token := n.token(t, app)
	check(t, serves(token))

	t.Run("a pod on another node", func(t *testing.T) {
		other := n.token(t, n.pod(t, "other", "worker-2", "app"))
		check(t, answers(first, other, http.StatusBadRequest, `of a pod on node "worker-2", and this is node "worker-1"`))
	})
	t.Run("a refused pod has an event", func(t *testing.T) {
		p := n.pod(t, "stranger", agentNode, "stranger")
		refused := n.token(t, p)
		lab.Eventually(t, 5*time.Second, "event", func(ctx context.Context) error {
			if err := answers(first, refused, http.StatusNotFound, noAssociation); err != nil {
				return err
			}
			return n.event(ctx, p, noAssociation)
		})
	})
	t.Run("a pod that is terminating", func(t *testing.T) {
		p := n.pod(t, "leaving", agentNode, "app")
		leaving := n.token(t, p)
		check(t, n.kube.CoreV1().Pods(agentNamespace).Delete(t.Context(), p.Name, metav1.DeleteOptions{})) // nobody plays kubelet: it stays
		check(t, serves(leaving))
		n.remove(t, p)
		lab.Eventually(t, 2*time.Second, "refused", func(context.Context) error { return ended(leaving) })
	})
	t.Run("a pod that has run to its end", func(t *testing.T) {
		p := n.pod(t, "job", agentNode, "app")
		job := n.token(t, p)
		check(t, serves(job))
		p.Status.Phase = corev1.PodSucceeded
		_, err := n.kube.CoreV1().Pods(agentNamespace).UpdateStatus(t.Context(), p, metav1.UpdateOptions{})
		check(t, err)
		lab.Eventually(t, 2*time.Second, "refused", func(context.Context) error { return ended(job) })
	})
	t.Run("a pod that ended before the agent started", func(t *testing.T) {
		p := n.pod(t, "early", agentNode, "app")
		early := n.token(t, p)
		n.remove(t, p)
		late := n.start(t)
		lab.Eventually(t, 2*time.Second, "refused", func(context.Context) error {
			return answers(late, early, http.StatusBadRequest, "a pod that has ended")
		})
	})
	t.Run("without the API server", func(t *testing.T) {
		fresh := n.token(t, app)
		check(t, n.lab.StopAPIServer())
		check(t, serves(token))
		check(t, serves(fresh)) // not cached: EKS Auth decides alone
		check(t, n.lab.StartAPIServer(t.Context()))
		lab.Eventually(t, 60*time.Second, "the API server is back", func(ctx context.Context) error {
			// Gone already: the answer to an earlier attempt was lost.
			return client.IgnoreNotFound(n.kube.CoreV1().Pods(agentNamespace).Delete(ctx, app.Name, *metav1.NewDeleteOptions(0)))
		})
		// The longest pause between two attempts, and some.
		lab.Eventually(t, 15*time.Second, "refused", func(context.Context) error { return ended(token) })
		check(t, ended(fresh))
	})
}

func newNodeAgent(t *testing.T) *nodeAgent {
	t.Helper()
	ctx := t.Context()
	n := &nodeAgent{lab: lab.Light(t), folder: t.TempDir(), auth: eksAuthStub(t)}
	var err error
	n.kube, err = kubernetes.NewForConfig(n.lab.REST())
	check(t, err)
	objects, err := manifest.Agent(manifest.Defaults{
		Cluster: "light", Endpoint: "https://podid.example.com", Region: "us-east-1",
		RoleARN: "arn:aws:iam::111122223333:role/podid-agent-light", Namespace: "kube-system", Image: "podid-agent:test",
	}, "")
	check(t, err)
	for _, o := range objects {
		if o.GetKind() != "DaemonSet" {
			text, err := yaml.Marshal(o.Object)
			check(t, err)
			check(t, n.lab.Apply(ctx, string(text)))
		}
	}
	check(t, n.lab.Apply(ctx, `
apiVersion: v1
kind: Namespace
metadata: {name: agent-tests}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: app, namespace: agent-tests}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: stranger, namespace: agent-tests}
---
apiVersion: v1
kind: Node
metadata: {name: worker-1}
---
apiVersion: v1
kind: Node
metadata: {name: worker-2}
`))
	token, err := n.kube.CoreV1().ServiceAccounts("kube-system").CreateToken(ctx, agentAccount, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	check(t, err)
	ca, err := os.ReadFile(n.lab.CAFile())
	check(t, err)
	check(t, os.WriteFile(filepath.Join(n.folder, "ca.crt"), ca, 0o600))
	check(t, os.WriteFile(filepath.Join(n.folder, "token"), []byte(token.Status.Token), 0o600))
	return n
}

// eksAuthStub gives credentials to every service account but "stranger". Whether a token is genuine is not what is tested here.
func eksAuthStub(t *testing.T) *url.URL {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Token string }
		if r.Method != http.MethodPost || json.NewDecoder(r.Body).Decode(&in) != nil {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		claims, err := base64.RawURLEncoding.DecodeString(strings.Split(in.Token, ".")[1])
		w.Header().Set("X-Amzn-RequestId", "b69b1279")
		if err != nil || strings.Contains(string(claims), `"name":"stranger"`) {
			w.Header().Set("X-Amzn-ErrorType", "ResourceNotFoundException")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprintf(w, `{"message":%q}`, noAssociation)
			return
		}
		fmt.Fprintf(w, `{"assumedRoleUser":{"arn":"arn:aws:sts::111122223333:assumed-role/app/s"},"credentials":
			{"accessKeyId":"ASIA1","secretAccessKey":"secret","sessionToken":"session","expiration":%d}}`, time.Now().Add(6*time.Hour).Unix())
	}))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	check(t, err)
	return u
}

type nodeSigner struct{}

func (nodeSigner) Credentials(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIANODE", SecretAccessKey: "node secret"}, nil
}

// start runs an agent until the test ends.
func (n *nodeAgent) start(t *testing.T) http.Handler {
	t.Helper()
	server, err := url.Parse(n.lab.REST().Host)
	check(t, err)
	k, err := podidagent.InCluster(server.Hostname(), server.Port(), n.folder)
	check(t, err)
	s, err := podidagent.New(podidagent.Config{
		ClusterName: "light", Endpoint: n.auth, Region: "us-east-1", Signer: nodeSigner{}, NodeName: agentNode, Kubernetes: k,
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	check(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	t.Cleanup(func() { stop(); check(t, <-served) })
	return s.Handler()
}

// pod makes a pod and binds it to a node, as the scheduler does.
func (n *nodeAgent) pod(t *testing.T, name, node, serviceAccount string) *corev1.Pod {
	t.Helper()
	p, err := n.kube.CoreV1().Pods(agentNamespace).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			ServiceAccountName: serviceAccount, NodeName: node,
			Containers: []corev1.Container{{Name: "main", Image: "app:1"}},
		},
	}, metav1.CreateOptions{})
	check(t, err)
	return p
}

// remove ends a pod as kubelet does once its containers have.
func (n *nodeAgent) remove(t *testing.T, p *corev1.Pod) {
	t.Helper()
	check(t, n.kube.CoreV1().Pods(agentNamespace).Delete(t.Context(), p.Name, *metav1.NewDeleteOptions(0)))
}

// token is one that kubelet would mount into a pod.
func (n *nodeAgent) token(t *testing.T, p *corev1.Pod) string {
	t.Helper()
	r, err := n.kube.CoreV1().ServiceAccounts(agentNamespace).CreateToken(t.Context(), p.Spec.ServiceAccountName, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{
			Audiences:      []string{v1alpha1.TokenAudience},
			BoundObjectRef: &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: p.Name, UID: p.UID},
		},
	}, metav1.CreateOptions{})
	check(t, err)
	return r.Status.Token
}

// event says what is wrong with the one event about a pod, as both of Kubernetes' APIs show it.
func (n *nodeAgent) event(ctx context.Context, p *corev1.Pod, text string) error {
	selector := "involvedObject.uid=" + string(p.UID)
	old, err := n.kube.CoreV1().Events(agentNamespace).List(ctx, metav1.ListOptions{FieldSelector: selector})
	if err != nil {
		return err
	}
	events, err := n.kube.EventsV1().Events(agentNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	var about int
	for _, e := range events.Items {
		if e.Regarding.UID != p.UID {
			continue
		}
		about++
		if e.Type != "Warning" || e.Reason != "IdentityRefused" || e.ReportingController != "podid.dev/agent" || e.ReportingInstance != agentNode ||
			!strings.Contains(e.Note, text) || !strings.Contains(e.Note, "b69b1279") {
			return fmt.Errorf("the event is %+v", e)
		}
	}
	if about != 1 || len(old.Items) != 1 {
		return fmt.Errorf("%d events of events.k8s.io and %d of v1, want one", about, len(old.Items))
	}
	return nil
}

// answers says how an agent's answer to a token is not the one wanted.
func answers(h http.Handler, token string, status int, text string) error {
	r := httptest.NewRequest(http.MethodGet, "http://"+podidagent.LinkLocalIPv4+"/v1/credentials", nil)
	r.Header.Set("Authorization", token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != status || !strings.Contains(w.Body.String(), text) {
		return fmt.Errorf("got %d %s, want %d and %s", w.Code, w.Body, status, text)
	}
	return nil
}
