package lab_test

import (
	"testing"

	"k8s.io/client-go/discovery"

	"github.com/podid/podid/test/lab"
)

func TestLightAnswers(t *testing.T) {
	t.Parallel()
	l := lab.Light(t)
	version(t, l)
}

func TestFull(t *testing.T) {
	t.Parallel()
	l := lab.Full(t)
	version(t, l)
	out, err := l.Kubectl(t.Context(), "get", "nodes,pods", "-A", "-o", "wide")
	t.Log(out, err)
}

func version(t *testing.T, l *lab.Lab) {
	t.Helper()
	d, err := discovery.NewDiscoveryClientForConfig(l.REST())
	if err != nil {
		t.Fatal(err)
	}
	v, err := d.ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if v.GitVersion != "v1.36.3" {
		t.Errorf("server is %s", v.GitVersion)
	}
}
