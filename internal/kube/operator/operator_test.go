package operator_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/client"
	"github.com/podid/podid/internal/kube/operator"
	"github.com/podid/podid/internal/kube/reconcile"
)

func TestConfig_saysAllThatIsWrong(t *testing.T) {
	t.Parallel()
	good := operator.Config{
		Cluster: "prod", Endpoint: "https://podid.example.com", Region: "us-east-1", RoleARN: "arn:aws:iam::111122223333:role/podid-operator-prod",
		Namespace: "podid-system", Kubernetes: &rest.Config{}, TokenFile: "token", Service: "podid-operator", LookupGrace: time.Second,
	}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for _, near := range []string{"http://127.0.0.1:8474", "http://[::1]:8474", "http://localhost:8474"} {
		c := good
		if c.Endpoint = near; c.Check() != nil {
			t.Errorf("%s: %v", near, c.Check())
		}
	}
	tests := []struct {
		name  string
		spoil func(*operator.Config)
		want  []string
	}{
		{"nothing at all", func(c *operator.Config) { *c = operator.Config{} }, []string{
			"--cluster-name", "--endpoint", "--region", "--role-arn", "--namespace", "--web-identity-token-file", "--webhook-url", "--kubeconfig", "grace",
		}},
		{"no URL", func(c *operator.Config) { c.Endpoint = "podid.example.com" }, []string{"--endpoint"}},
		{"no role", func(c *operator.Config) { c.RoleARN = "arn:aws:iam::111122223333:user/me" }, []string{"--role-arn"}},
		{"tokens in the clear", func(c *operator.Config) { c.Endpoint = "http://podid.example.com" }, []string{"in the clear"}},
		{"roles without a boundary", func(c *operator.Config) { c.IAMResources = true }, []string{"--iam-permissions-boundary"}},
		{"a webhook without TLS", func(c *operator.Config) { c.WebhookURL = "http://10.0.0.1" }, []string{"--webhook-url"}},
	}
	for _, test := range tests {
		c := good
		test.spoil(&c)
		err := c.Check()
		if err == nil {
			t.Errorf("%s: taken", test.name)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v does not say %s", test.name, err, want)
			}
		}
		if lines := strings.Count(err.Error(), "\n") + 1; lines != len(test.want) {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
	if err := operator.Run(t.Context(), operator.Config{}); err == nil {
		t.Error("an operator of nothing ran")
	}
}

func TestImageOf(t *testing.T) {
	t.Parallel()
	for image, want := range map[string]string{
		"ghcr.io/podid/podid-agent":            "ghcr.io/podid/podid-agent:v1",
		"ghcr.io/podid/podid-agent:v7":         "ghcr.io/podid/podid-agent:v7",
		"localhost:5000/podid-agent":           "localhost:5000/podid-agent:v1",
		"localhost:5000/podid-agent@sha256:00": "localhost:5000/podid-agent@sha256:00",
	} {
		if got := operator.ImageOf(image, "v1"); got != want {
			t.Errorf("%s became %s, want %s", image, got, want)
		}
	}
}

func TestAddons(t *testing.T) {
	t.Parallel()
	its := map[string]string{v1alpha1.LabelAddon: reconcile.AgentName}
	set := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: reconcile.AgentName, Labels: its}}
	set.Spec.Template.Annotations = map[string]string{v1alpha1.AnnotationAddonVersion: "v1"}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "agent-x", Labels: its}}
	wanted := func(status string) *client.Wanted {
		return &client.Wanted{Addons: []client.WantedAddon{{Name: reconcile.AgentName, Version: "v1", Status: status}}}
	}
	none, runs := []client.ReportAddon{}, []client.ReportAddon{{Name: reconcile.AgentName, Version: "v1", Healthy: true}}
	tests := []struct {
		name    string
		there   []kube.Object
		wanted  *client.Wanted
		problem string
		want    []client.ReportAddon
	}{
		{"nothing is known", nil, nil, "", none},
		{"it runs and nothing is known", []kube.Object{set}, nil, "", runs},
		{"it runs", []kube.Object{set}, wanted("ACTIVE"), "", runs},
		{"Helm's agent is no add-on", []kube.Object{&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: reconcile.AgentName}}}, &client.Wanted{}, "", none},
		{"it does not run yet", nil, wanted("CREATING"), "", []client.ReportAddon{{Name: reconcile.AgentName, Message: "it does not run yet"}}},
		{"it cannot", nil, wanted("CREATING"), "no such value", []client.ReportAddon{{Name: reconcile.AgentName, Message: "no such value"}}},
		{"it is to go and is there", []kube.Object{set}, wanted("DELETING"), "", runs},
		{"it is to go and a pod is left", []kube.Object{pod}, wanted("DELETING"), "", []client.ReportAddon{{Name: reconcile.AgentName, Message: "it does not run yet"}}},
		{"it has gone", nil, wanted("DELETING"), "", none},
		{
			"another add-on", nil, &client.Wanted{Addons: []client.WantedAddon{{Name: "vpc-cni", Status: "CREATING"}, {Name: "coredns", Status: "DELETING"}}}, "",
			[]client.ReportAddon{{Name: "vpc-cni", Message: "podid runs the add-on eks-pod-identity-agent and no other: install this one yourself"}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := operator.Addons(t.Context(), fake.NewClientBuilder().WithObjects(test.there...).Build(), test.wanted, test.problem)
			if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
				t.Error(diff, err)
			}
		})
	}
}
