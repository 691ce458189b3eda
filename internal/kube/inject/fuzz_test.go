package inject_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/podid/podid/internal/kube/inject"
)

// FuzzPatch: whatever is read as a pod can be patched, loses nothing by it, and needs nothing afterwards.
func FuzzPatch(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		input, _, _ := bytes.Cut(content, []byte(divider))
		var g given
		if err := yaml.Unmarshal(input, &g); err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(g.Pod), uint8(7), "1", "3600")
		f.Add([]byte(g.Pod), uint8(24), "", "")
	}
	for _, pod := range []string{
		`{"spec":{}}`, `{"metadata":null,"spec":{"containers":null,"volumes":null}}`,
		`{"spec":{"containers":[{"env":null,"volumeMounts":null},{"env":[],"volumeMounts":[]}]}}`,
		`{"metadata":{"labels":null},"spec":{"volumes":[{"name":"x"},{"name":"x"}]}}`,
		`{"Spec":{},"spec":{"Containers":[1],"containers":[{"Env":1}]},"metadata":{"Labels":1}}`,
		`{"spec":{"containers":[]},"spec":{"containers":[{}]}}`,
		`{"spec":{"containers":[null]}}`, `{"spec":[]}`, `[]`, `null`, ``, `{"spec":{"volumes":[null]}}`,
	} {
		f.Add([]byte(pod), uint8(31), "maybe", "-1")
	}
	f.Fuzz(func(t *testing.T, raw []byte, switches uint8, regional, expiration string) {
		pod, err := inject.ReadPod(raw)
		if err != nil {
			return
		}
		on := func(bit uint8) bool { return switches&(1<<bit) != 0 }
		s := inject.Defaults()
		s.PodCA = on(1)
		if on(2) {
			s.DefaultRegion, s.PodEndpointURL = "eu-west-1", "https://podid.example.com"
		}
		sa := &inject.ServiceAccount{Annotations: map[string]string{
			"eks.amazonaws.com/sts-regional-endpoints": regional, "eks.amazonaws.com/token-expiration": expiration,
		}}
		if on(3) {
			sa.Annotations["eks.amazonaws.com/role-arn"] = "arn:aws:iam::111122223333:role/app"
		}
		method := s.Choose(inject.Facts{Associated: on(0), LateBinding: on(4), ServiceAccount: sa})
		checkApplies(t, &s, raw, s.Patch(pod, sa, method), sa, method)
	})
}
