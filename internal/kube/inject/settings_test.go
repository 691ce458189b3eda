package inject_test

import (
	"testing"

	"github.com/podid/podid/internal/kube/inject"
)

func TestSettings_areChecked(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		wrong func(*inject.Settings)
	}{
		{"no prefix", func(s *inject.Settings) { s.AnnotationPrefix = "" }},
		{"no audience", func(s *inject.Settings) { s.TokenAudience = "" }},
		{"no audience for the agent", func(s *inject.Settings) { s.ContainerCredentialsAudience = "" }},
		{"no volume", func(s *inject.Settings) { s.ContainerCredentialsTokenVolumeName = "" }},
		{"the other method's volume", func(s *inject.Settings) { s.ContainerCredentialsTokenVolumeName = "aws-iam-token" }},
		{"no token path", func(s *inject.Settings) { s.ContainerCredentialsTokenPath = "" }},
		{"an absolute token path", func(s *inject.Settings) { s.ContainerCredentialsTokenPath = "/token" }},
		{"token where the authority is", func(s *inject.Settings) { s.ContainerCredentialsTokenPath, s.PodCA = "ca.crt", true }},
		{"a relative mount path", func(s *inject.Settings) { s.TokenMountPath = "var/run" }},
		{"a mount path with a colon", func(s *inject.Settings) { s.ContainerCredentialsTokenMountPath = "/a:b" }},
		{"an agent without a scheme", func(s *inject.Settings) { s.ContainerCredentialsFullURI = "169.254.170.23" }},
		{"an endpoint that is no URL", func(s *inject.Settings) { s.PodEndpointURL = "https://a b" }},
		{"an endpoint of another scheme", func(s *inject.Settings) { s.PodEndpointURL = "ftp://podid" }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := inject.Defaults()
			if err := s.Check(); err != nil {
				t.Fatal(err)
			}
			test.wrong(&s)
			if s.Check() == nil {
				t.Error("was taken")
			}
		})
	}
	s := inject.Defaults()
	s.ContainerCredentialsFullURI, s.PodEndpointURL = inject.FullURI6, "https://[::1]:8474"
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

// Without dice of the test's own the lifetime is between 22 and 24 hours.
func TestPatch_jitter(t *testing.T) {
	t.Parallel()
	s := inject.Defaults()
	pod, err := inject.ReadPod([]byte(`{"metadata":{},"spec":{"containers":[]}}`))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int64]bool{}
	for range 100 {
		seconds := expirationIn(t, s.Patch(pod, nil, inject.PodIdentity))
		if seconds < 79200 || seconds > 86400 {
			t.Errorf("got %d", seconds)
		}
		seen[seconds] = true
	}
	if len(seen) < 50 {
		t.Errorf("%d different lifetimes in 100 pods", len(seen))
	}
}

func TestReadPod_refusesWhatIsNone(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		``, `null`, `[]`, `{}`, `{"spec":null}`, `{"spec":[]}`, `{"spec":{"containers":{}}}`, `{"spec":{"containers":[null]}}`,
		`{"spec":{"containers":[{"env":{}}]}}`, `{"spec":{"containers":[{"env":[{"name":1}]}]}}`, `{"spec":{"initContainers":[1]}}`,
		`{"spec":{"containers":[{"volumeMounts":[{"name":1}]}]}}`, `{"spec":{"volumes":[{"name":{}}]}}`, `{"metadata":1,"spec":{}}`,
		`{"metadata":{"labels":{"a":1}},"spec":{}}`, `{"spec":{"serviceAccountName":1}}`,
	} {
		if _, err := inject.ReadPod([]byte(raw)); err == nil {
			t.Errorf("%q was taken for a pod", raw)
		}
	}
	p, err := inject.ReadPod([]byte(`{"metadata":{"generateName":"app-"},"spec":{"serviceAccountName":"s"}}`))
	if err != nil || p.Name != "app-" || p.ServiceAccountName != "s" {
		t.Errorf("got %+v, %v", p, err)
	}
}
