package admission_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/podid/podid/internal/kube/admission"
)

func TestRegistration_isTheOneInTheFile(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("testdata/registration.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := yaml.Marshal(admission.Registration([]byte("PEM"), admission.Endpoint{Namespace: "podid-system", Service: "podid-operator"}))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestRegistration_endpoints(t *testing.T) {
	t.Parallel()
	outside := admission.Registration([]byte("PEM"), admission.Endpoint{URL: "https://127.0.0.1:9443/", Namespace: "kube-system"})
	for i, want := range []string{"https://127.0.0.1:9443/mutate-required", "https://127.0.0.1:9443/mutate"} {
		if c := outside.Webhooks[i].ClientConfig; c.Service != nil || *c.URL != want {
			t.Errorf("got %+v, want %s", c, want)
		}
		if never := outside.Webhooks[i].NamespaceSelector.MatchExpressions[0].Values; len(never) != 1 {
			t.Errorf("got %v", never)
		}
	}
	inside := admission.Registration(nil, admission.Endpoint{Namespace: "n", Service: "s", Port: 8443})
	if s := inside.Webhooks[0].ClientConfig.Service; s.Namespace != "n" || s.Name != "s" || *s.Port != 8443 || *s.Path != "/mutate-required" {
		t.Errorf("got %+v", s)
	}
}
