// Package inject says what a pod needs so that the AWS SDKs in it find its identity: a function from a pod, its service account and
// some settings to a JSON patch.
//
// It does what AWS's webhook does (spec: pod-identity.md 5.4 to 5.6), with two differences. It changes containers one by one and
// item by item, so that a field of a newer Kubernetes than this code knows is never lost. And what it made it leaves alone: the
// patch of a patched pod is empty.
package inject

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
)

// Method is how a pod proves itself. Its values are those that AWS's metrics have.
type Method string

// The methods.
const (
	None        Method = ""
	PodIdentity Method = "container_credentials" // through the agent of its node
	IRSA        Method = "sts_web_identity"      // with its token, to STS
)

// The addresses of the agent, for Settings.FullURI. A cluster without IPv4 needs the second.
const (
	FullURI4 = "http://169.254.170.23/v1/credentials"
	FullURI6 = "http://[fd00:ec2::23]/v1/credentials"
)

// Bounds of a token's lifetime in seconds. Kubernetes makes none that is shorter. podid refuses tokens that are older than a day,
// so a longer one would be accepted by nobody after that while the kubelet still sees no reason to renew it.
const (
	minExpiration = 600
	maxExpiration = 86400
)

// Settings are those of AWS's webhook, named as its flags, and two of ours. spec: pod-identity.md 5.2
type Settings struct {
	AnnotationPrefix    string
	TokenAudience       string // IRSA
	TokenMountPath      string // IRSA
	TokenExpiration     int64  // seconds
	DefaultRegion       string // empty: no region is added
	STSRegionalEndpoint bool

	ContainerCredentialsAudience        string
	ContainerCredentialsTokenMountPath  string
	ContainerCredentialsTokenVolumeName string
	ContainerCredentialsTokenPath       string
	ContainerCredentialsFullURI         string

	// PodEndpointURL becomes AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_STS, so that the SDKs call podid's STS and S3 and not AWS's. Empty: it is not added.
	PodEndpointURL string
	// PodCA mounts podid's certificate authority beside the token and names it in AWS_CA_BUNDLE. The ConfigMap is not optional: a
	// pod that is faster than its namespace's copy waits for it, while an SDK that finds no file fails for good.
	PodCA bool

	Random func(n int64) int64 // in [0, n); nil: math/rand
}

// Defaults are AWS's.
func Defaults() Settings {
	return Settings{
		AnnotationPrefix: "eks.amazonaws.com",
		TokenAudience:    "sts.amazonaws.com",
		TokenMountPath:   "/var/run/secrets/eks.amazonaws.com/serviceaccount",
		TokenExpiration:  maxExpiration,

		ContainerCredentialsAudience:        v1alpha1.TokenAudience,
		ContainerCredentialsTokenMountPath:  "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount",
		ContainerCredentialsTokenVolumeName: v1alpha1.TokenVolume,
		ContainerCredentialsTokenPath:       "eks-pod-identity-token",
		ContainerCredentialsFullURI:         FullURI4,
	}
}

// Check says what is wrong with settings, before a pod has to find out.
func (s *Settings) Check() error {
	for _, f := range []struct{ name, value string }{
		{"annotation prefix", s.AnnotationPrefix},
		{"token audience", s.TokenAudience},
		{"container credentials audience", s.ContainerCredentialsAudience},
		{"container credentials token volume name", s.ContainerCredentialsTokenVolumeName},
		{"container credentials token path", s.ContainerCredentialsTokenPath},
	} {
		if f.value == "" {
			return fmt.Errorf("the %s is empty", f.name)
		}
	}
	for _, p := range []string{s.TokenMountPath, s.ContainerCredentialsTokenMountPath} {
		if !path.IsAbs(p) || strings.Contains(p, ":") {
			return fmt.Errorf("the mount path %q is not an absolute path without a colon", p)
		}
	}
	if s.ContainerCredentialsTokenVolumeName == irsaVolume {
		return fmt.Errorf("the volume name %s is the one for IRSA tokens", irsaVolume)
	}
	if p := s.ContainerCredentialsTokenPath; s.PodCA && p == v1alpha1.CAKey || path.IsAbs(p) {
		return fmt.Errorf("the token path %q is not a relative path of its own", p)
	}
	if err := isURL("container credentials full URI", s.ContainerCredentialsFullURI); err != nil {
		return err
	}
	if s.PodEndpointURL == "" {
		return nil
	}
	return isURL("pod endpoint URL", s.PodEndpointURL)
}

func isURL(name, value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("the %s %q is not a URL of the form https://host:port", name, value)
	}
	return nil
}

// ServiceAccount is what is read of a service account.
type ServiceAccount struct{ Annotations map[string]string }

// Facts are what the choice of a method depends on.
type Facts struct {
	Associated     bool            // the service account has a pod identity association
	LateBinding    bool            // the namespace wants every pod to be ready for one
	ServiceAccount *ServiceAccount // nil: not known
}

// Choose says which method a pod gets. An association takes precedence over a role in an annotation. Late binding does not: with
// both in place the SDKs would use the role anyhow, and whoever wrote it expects that. spec: pod-identity.md 5.4
func (s *Settings) Choose(f Facts) Method {
	switch {
	case f.Associated:
		return PodIdentity
	case s.RoleARN(f.ServiceAccount) != "":
		return IRSA
	case f.LateBinding:
		return PodIdentity
	}
	return None
}

// RoleARN is the role that a service account is annotated with, or empty.
func (s *Settings) RoleARN(sa *ServiceAccount) string {
	role, _ := s.annotation(sa, "role-arn")
	return role
}

func (s *Settings) annotation(sa *ServiceAccount, name string) (string, bool) {
	if sa == nil {
		return "", false
	}
	value, ok := sa.Annotations[s.AnnotationPrefix+"/"+name]
	return value, ok
}

// regionalSTS: service account, then flag; without a service account it is off. spec: pod-identity.md 5.5
func (s *Settings) regionalSTS(sa *ServiceAccount) bool {
	if sa == nil {
		return false
	}
	if value, ok := s.annotation(sa, "sts-regional-endpoints"); ok {
		if on, err := strconv.ParseBool(value); err == nil {
			return on
		}
	}
	return s.STSRegionalEndpoint
}

// expiration: pod, then service account, then flag; what is no number is not there. spec: pod-identity.md 5.5
func (s *Settings) expiration(p *Pod, sa *ServiceAccount, m Method) int64 {
	seconds := s.TokenExpiration
	if sa == nil {
		seconds = maxExpiration
	}
	onAccount, _ := s.annotation(sa, "token-expiration")
	for _, value := range []string{onAccount, p.annotations[s.AnnotationPrefix+"/token-expiration"]} {
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			seconds = n
		}
	}
	seconds = min(max(seconds, minExpiration), maxExpiration)
	if m != PodIdentity || seconds != maxExpiration {
		return seconds
	}
	// Pods that were started together need not all renew their tokens in the same minute.
	const spread = maxExpiration - 79200
	random := s.Random
	if random == nil {
		random = rand.Int64N
	}
	return maxExpiration - random(spread+1)
}
