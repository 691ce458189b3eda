package connect_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
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
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/kube/connect"
	"github.com/podid/podid/internal/server"
)

const (
	issuer  = "https://oidc.example.com/prod"
	account = "111122223333"
)

// controlPlane runs podid while the test does. There is one in a process: the embedded object store allows no second.
func controlPlane(t *testing.T) aws.Config {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	started, ended := make(chan server.Started, 1), make(chan error, 1)
	go func() {
		ended <- server.Run(ctx, server.Config{
			Data: filepath.Join(t.TempDir(), "data"), Listen: "127.0.0.1:0", Region: "us-east-1", Accounts: []string{account}, Strict: true,
			Emit: func(*api.Record) {}, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Ready: func(s server.Started) { started <- s },
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, os.Chdir(here)); err != nil { //nolint:usetesting // it is not the test that goes elsewhere
			t.Error(err)
		}
	})
	select {
	case s := <-started:
		k := s.Administrators[0]
		return aws.Config{
			Region: "us-east-1", BaseEndpoint: &s.Endpoint, HTTPClient: http.DefaultClient, Credentials: credentials.NewStaticCredentialsProvider(k.ID, k.Secret, ""),
		}
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	return aws.Config{}
}

// world is a control plane, and clusters to connect to it.
type world struct {
	aws aws.Config
}

// open makes a connection, and returns what it says.
func (w *world) open(t *testing.T, k *apiServer, change ...func(*connect.Config)) (*connect.Connection, *bytes.Buffer) {
	t.Helper()
	out := &bytes.Buffer{}
	c := connect.Config{
		Cluster: "prod", Kubeconfigs: k.kubeconfig(t), AWS: w.aws, Endpoint: "https://podid.example.com", CABundle: "-----BEGIN CERTIFICATE-----\n",
		OperatorImage: "registry.example.com/operator:1", AgentImage: "registry.example.com/agent:1", Patience: 5 * time.Second, Out: out, Now: time.Now,
	}
	for _, f := range change {
		f(&c)
	}
	conn, err := connect.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return conn, out
}

// report plays the operator, once.
func (w *world) report(t *testing.T, k *apiServer, addons ...client.ReportAddon) {
	t.Helper()
	own := client.New(client.Config{Endpoint: *w.aws.BaseEndpoint, Region: w.aws.Region, Credentials: w.aws.Credentials, HTTP: http.DefaultClient, Now: time.Now})
	err := own.PutClusterReport(t.Context(), "prod", client.Report{Issuer: k.issuer, JWKS: string(k.minted), Version: "1.36", Nodes: []client.ReportNode{}, Addons: addons})
	if err != nil {
		t.Fatal(err)
	}
}

// must ends the test where there is an error: must(f())(t).
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// refused checks a refusal's kind and that its text says what to do.
func refused(t *testing.T, err error, kind fault.Kind, want string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(fault.Of(err).Public, want) {
		t.Errorf("got %v, want %v with %q", err, kind, want)
	}
}

func actions(p connect.Plan) map[connect.Action]int {
	n := make(map[connect.Action]int)
	for _, s := range p {
		n[s.Action]++
	}
	return n
}

// TestConnect tells the story of one cluster; its parts are in this order because each goes on from the last.
func TestConnect(t *testing.T) {
	w := &world{aws: controlPlane(t)}
	k := newAPIServer(t, issuer)
	ctx := t.Context()
	w.refusals(t)

	t.Run("a plan changes nothing", func(t *testing.T) {
		conn, out := w.open(t, k)
		plan := must(conn.Plan(ctx))(t)
		if n := actions(plan); n[connect.Create] != len(plan) || len(plan) < 20 {
			t.Errorf("got %v", n)
		}
		if len(k.changes) != 0 || !strings.Contains(out.String(), "cluster prod: Kubernetes v1.36.3 at "+k.url+", issuer "+issuer) {
			t.Errorf("got %v and %q", k.changes, out)
		}
		if list := must(eks.NewFromConfig(w.aws).ListClusters(ctx, &eks.ListClustersInput{}))(t); len(list.Clusters) != 0 {
			t.Errorf("got the clusters %v", list.Clusters)
		}
	})
	t.Run("the plan is done", func(t *testing.T) {
		conn, _ := w.open(t, k)
		if err := must(conn.Plan(ctx))(t).Execute(ctx); err != nil {
			t.Fatal(err)
		}
		found := must(eks.NewFromConfig(w.aws).DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("prod")}))(t)
		if got := *found.Cluster.Identity.Oidc.Issuer; got != issuer || *found.Cluster.Version != "1.36" || *found.Cluster.Endpoint != k.url {
			t.Errorf("got %s, %s, %s", got, *found.Cluster.Version, *found.Cluster.Endpoint)
		}
		for _, path := range []string{
			"/api/v1/namespaces/podid-system", "/apis/apps/v1/namespaces/podid-system/deployments/podid-operator",
			"/api/v1/namespaces/podid-system/configmaps/podid-ca.crt", "/api/v1/namespaces/kube-system/configmaps/podid-ca.crt",
		} {
			if k.get(path) == nil {
				t.Errorf("%s was not made", path)
			}
		}
	})
	t.Run("it waits until the agent is there", func(t *testing.T) {
		conn, _ := w.open(t, k, func(c *connect.Config) { c.Patience = time.Second })
		refused(t, conn.Wait(ctx), fault.Unavailable, "it is CREATING")
		w.report(t, k, client.ReportAddon{Name: "eks-pod-identity-agent", Version: "v1.0.0-podid.1", Healthy: true})
		conn, out := w.open(t, k)
		if err := conn.Wait(ctx); err != nil || !strings.Contains(out.String(), "is active") {
			t.Errorf("got %v, %q", err, out)
		}
	})
	t.Run("done again it changes nothing", func(t *testing.T) {
		conn, _ := w.open(t, k)
		if plan := must(conn.Plan(ctx))(t); !plan.Empty() {
			plan.Print(t.Output())
			t.Error("the plan is not empty")
		}
	})
	t.Run("done again it repairs", func(t *testing.T) { w.repairs(t, k) })
	t.Run("a pod proves it", func(t *testing.T) { w.proves(t, k) })
	t.Run("status", func(t *testing.T) {
		conn, out := w.open(t, k)
		if err := conn.Status(ctx); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"prod, ACTIVE", "1.36", issuer, "v1.0.0-podid.1, ACTIVE", "2 of 2 pods are ready", "agent         ready on 3 of 4 nodes", "is not registered"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%q is not in\n%s", want, out)
			}
		}
		conn, out = w.open(t, k, func(c *connect.Config) { c.Cluster = "" })
		if err := conn.Status(ctx); err != nil || out.String() != "prod  ACTIVE  Kubernetes 1.36  "+issuer+"\n" {
			t.Errorf("got %v, %q", err, out)
		}
	})
	t.Run("others with the name or the issuer are refused", func(t *testing.T) { w.others(t) })
	t.Run("a Kubernetes that belongs to another is left to it", func(t *testing.T) { w.strangers(t) })
	t.Run("a role that has the name by chance is left alone", func(t *testing.T) { w.namesakes(t) })
	t.Run("roles of objects have a boundary", func(t *testing.T) { w.boundary(t, k) })
	t.Run("disconnect", func(t *testing.T) { w.disconnects(t, k) })
}

func (w *world) refusals(t *testing.T) {
	tests := []struct {
		name   string
		spoil  func(*connect.Config, *apiServer)
		kind   fault.Kind
		reason string
	}{
		{"an old Kubernetes", func(_ *connect.Config, k *apiServer) { k.minor = "27" }, fault.Unsupported, "needs 1.28 or newer"},
		{"an endpoint of this machine", func(c *connect.Config, _ *apiServer) { c.Endpoint = "https://127.0.0.1:8474" }, fault.Invalid, "--endpoint"},
		{"an endpoint in the clear", func(c *connect.Config, _ *apiServer) { c.Endpoint = "http://podid.example.com" }, fault.Invalid, "not https"},
		{"no endpoint", func(c *connect.Config, _ *apiServer) { c.Endpoint = "" }, fault.Invalid, "not a URL"},
		{"no issuer", func(_ *connect.Config, k *apiServer) { k.issuer = "" }, fault.Invalid, "names no issuer"},
		{
			"a user who may not", func(_ *connect.Config, k *apiServer) {
				k.may = func(verb, resource string) bool {
					return verb != "*" && (verb != "create" || resource != "clusterroles")
				}
			}, fault.Denied, "may not create clusterroles.rbac.authorization.k8s.io; connecting a cluster takes the rights of cluster-admin",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := newAPIServer(t, issuer)
			conn, _ := w.open(t, k, func(c *connect.Config) { test.spoil(c, k) })
			_, err := conn.Plan(t.Context())
			refused(t, err, test.kind, test.reason)
		})
	}
}

func (w *world) repairs(t *testing.T, k *apiServer) {
	ctx := t.Context()
	im := iam.NewFromConfig(w.aws)
	role := aws.String("podid-agent-prod")
	must(im.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: role, PolicyName: aws.String("podid")}))(t)
	service := "/api/v1/namespaces/podid-system/services/podid-operator"
	k.mu.Lock()
	k.objects[service] = object{"apiVersion": "v1", "kind": "Service", "metadata": object{"name": "podid-operator", "namespace": "podid-system"}, "spec": object{"ports": []any{}}}
	delete(k.objects, "/apis/policy/v1/namespaces/podid-system/poddisruptionbudgets/podid-operator")
	k.mu.Unlock()
	conn, _ := w.open(t, k)
	plan := must(conn.Plan(ctx))(t)
	var got []string
	for _, s := range plan {
		if s.Action != connect.Unchanged {
			got = append(got, string(s.Action)+" "+s.What)
		}
	}
	want := []string{"update role podid-agent-prod", "create PodDisruptionBudget podid-system/podid-operator", "update Service podid-system/podid-operator"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := plan.Execute(ctx); err != nil {
		t.Fatal(err)
	}
	if again := must(conn.Plan(ctx))(t); !again.Empty() {
		t.Error("it is not repaired")
	}
}

func (w *world) proves(t *testing.T, k *apiServer) {
	ctx := t.Context()
	k.put("/apis/apps/v1/namespaces/kube-system/daemonsets/eks-pod-identity-agent", object{
		"apiVersion": "apps/v1", "kind": "DaemonSet",
		"metadata": object{"name": "eks-pod-identity-agent", "namespace": "kube-system", "labels": object{"app.kubernetes.io/name": "eks-pod-identity-agent"}},
		"spec":     object{"template": object{"spec": object{"containers": []any{object{"name": "agent", "image": "registry.example.com/agent:1"}}}}},
		"status":   object{"numberReady": 3, "desiredNumberScheduled": 4},
	})
	before := k.left()
	nothingLeft := func() {
		t.Helper()
		if diff := cmp.Diff(before, k.left()); diff != "" {
			t.Errorf("the test left something in the cluster (-want +got):\n%s", diff)
		}
		list := must(eks.NewFromConfig(w.aws).ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{ClusterName: aws.String("prod")}))(t)
		roles := must(iam.NewFromConfig(w.aws).ListRoles(ctx, &iam.ListRolesInput{PathPrefix: aws.String("/podid/")}))(t)
		if len(list.Associations) != 0 || len(roles.Roles) != 0 {
			t.Errorf("the test left %d associations and %d roles", len(list.Associations), len(roles.Roles))
		}
	}
	conn, out := w.open(t, k)
	if err := conn.Prove(ctx); err != nil || out.String() != "test pod: account 111122223333\n" {
		t.Errorf("got %v, %q", err, out)
	}
	nothingLeft()

	k.mu.Lock()
	k.pod = object{"phase": "Failed", "message": "the node was drained"}
	k.said = "404 no association\n"
	k.mu.Unlock()
	conn, _ = w.open(t, k)
	err := conn.Prove(ctx)
	refused(t, err, fault.Unavailable, "it said: 404 no association")
	refused(t, err, fault.Unavailable, "the webhook gave it none of the variables")
	refused(t, err, fault.Unavailable, "the node was drained")
	nothingLeft()
}

func (w *world) others(t *testing.T) {
	twin := newAPIServer(t, issuer)
	conn, _ := w.open(t, twin, func(c *connect.Config) { c.Cluster = "Other" })
	_, err := conn.Plan(t.Context())
	refused(t, err, fault.Conflict, "--service-account-issuer=https://other.example.com")

	stranger := newAPIServer(t, "https://oidc.example.com/other")
	conn, _ = w.open(t, stranger)
	_, err = conn.Plan(t.Context())
	refused(t, err, fault.Conflict, "whose issuer is "+issuer)
	conn, _ = w.open(t, stranger, func(c *connect.Config) { c.Replace = true })
	if _, err := conn.Plan(t.Context()); err != nil {
		t.Errorf("with --replace: %v", err)
	}
}

func (w *world) disconnects(t *testing.T, k *apiServer) {
	ctx := t.Context()
	e := eks.NewFromConfig(w.aws)
	must(iam.NewFromConfig(w.aws).CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("app"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`)}))(t)
	must(e.CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{
		ClusterName: aws.String("prod"), Namespace: aws.String("shop"), ServiceAccount: aws.String("app"), RoleArn: aws.String("arn:aws:iam::" + account + ":role/app"),
	}))(t)
	k.put("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/pod-identity-webhook", object{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration", "metadata": object{"name": "pod-identity-webhook"},
	})
	k.put("/api/v1/namespaces/shop/configmaps/podid-ca.crt", object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": object{"name": "podid-ca.crt", "namespace": "shop"}})
	k.put("/api/v1/namespaces/shop/configmaps/other", object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": object{"name": "other", "namespace": "shop"}})

	conn, out := w.open(t, k, func(c *connect.Config) { c.Patience = time.Second })
	_, err := conn.PlanRemoval(ctx, connect.Removal{})
	refused(t, err, fault.Conflict, "has 1 associations")
	plan := must(conn.PlanRemoval(ctx, connect.Removal{Associations: true, CRDs: true}))(t)
	if n := actions(plan); n[connect.Delete] != len(plan) {
		t.Errorf("got %v", n)
	}
	if err := plan.Execute(ctx); err != nil {
		t.Fatal(err)
	}
	if want := "nobody in the cluster confirms the end of the add-on"; !strings.Contains(out.String(), want) {
		t.Errorf("%q is not in %q", want, out)
	}
	if diff := cmp.Diff([]string{"/api/v1/namespaces/shop/configmaps/other"}, k.left()); diff != "" {
		t.Errorf("left in the cluster (-want +got):\n%s", diff)
	}
	place := func(part string) int {
		return slices.IndexFunc(k.changes, func(c string) bool { return strings.HasPrefix(c, "DELETE") && strings.Contains(c, part) })
	}
	if place("deployments/podid-operator") > place("mutatingwebhookconfigurations") {
		t.Error("the webhook was removed while there was an operator to make it again")
	}
	im := iam.NewFromConfig(w.aws)
	clusters := must(e.ListClusters(ctx, &eks.ListClustersInput{}))(t)
	providers := must(im.ListOpenIDConnectProviders(ctx, &iam.ListOpenIDConnectProvidersInput{}))(t)
	roles := must(im.ListRoles(ctx, &iam.ListRolesInput{}))(t)
	if len(clusters.Clusters) != 0 || len(providers.OpenIDConnectProviderList) != 0 || len(roles.Roles) != 1 {
		t.Errorf("left in the account: clusters %v, %d providers, %d roles", clusters.Clusters, len(providers.OpenIDConnectProviderList), len(roles.Roles))
	}
	if again := must(conn.PlanRemoval(ctx, connect.Removal{CRDs: true}))(t); len(again) != 0 {
		again.Print(t.Output())
		t.Error("once more, and there is something to remove")
	}
}
