package inject

import (
	"encoding/csv"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
)

const (
	irsaVolume    = "aws-iam-token"
	irsaTokenPath = "token"

	labelPodIdentity   = v1alpha1.LabelPodIdentity
	podIdentityEnabled = "enabled"

	envRegionalSTS   = "AWS_STS_REGIONAL_ENDPOINTS"
	envDefaultRegion = "AWS_DEFAULT_REGION"
	envRegion        = "AWS_REGION"
	envEndpoint      = "AWS_ENDPOINT_URL"
	envEndpointSTS   = "AWS_ENDPOINT_URL_STS"
	envCABundle      = "AWS_CA_BUNDLE"
)

// Operation is one step of a JSON patch (RFC 6902).
type Operation struct {
	Op    string `json:"op"` // always "add"
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// The shapes that are added. Only these fields are ever set, and they are written as the API server writes them.
type (
	envVar struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	volumeMount struct {
		Name      string `json:"name"`
		ReadOnly  bool   `json:"readOnly"`
		MountPath string `json:"mountPath"`
	}
	volume struct {
		Name      string    `json:"name"`
		Projected projected `json:"projected"`
	}
	projected struct {
		Sources []source `json:"sources"`
	}
	source struct {
		ServiceAccountToken *tokenSource     `json:"serviceAccountToken,omitempty"`
		ConfigMap           *configMapSource `json:"configMap,omitempty"`
	}
	tokenSource struct {
		Audience          string `json:"audience"`
		ExpirationSeconds int64  `json:"expirationSeconds"`
		Path              string `json:"path"`
	}
	configMapSource struct {
		Name  string      `json:"name"`
		Items []keyToPath `json:"items"`
	}
	keyToPath struct {
		Key  string `json:"key"`
		Path string `json:"path"`
	}
)

// injection is what one pod gets.
type injection struct {
	settings    *Settings
	regionalSTS bool
	credentials [2]envVar // the two variables of the method
	volume      string
	mountPath   string
	windows     bool
	ca          bool // the volume holds the certificate authority
}

// Patch is what a pod needs for a method, in AWS's order: label, volume, containers, init containers. It is empty if the pod has
// it all. spec: pod-identity.md 5.6
func (s *Settings) Patch(p *Pod, sa *ServiceAccount, m Method) []Operation {
	in := injection{settings: s, regionalSTS: s.regionalSTS(sa), windows: p.windows()}
	token := tokenSource{}
	switch m {
	case None:
		return nil
	case PodIdentity:
		in.volume, in.mountPath = s.ContainerCredentialsTokenVolumeName, s.ContainerCredentialsTokenMountPath
		token.Audience, token.Path = s.ContainerCredentialsAudience, s.ContainerCredentialsTokenPath
		in.credentials = [2]envVar{
			{"AWS_CONTAINER_CREDENTIALS_FULL_URI", s.ContainerCredentialsFullURI},
			{"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", in.file(in.mountPath, token.Path)},
		}
	case IRSA:
		in.volume, in.mountPath = irsaVolume, s.TokenMountPath
		token.Audience, token.Path = s.TokenAudience, irsaTokenPath
		if audience, ok := s.annotation(sa, "audience"); ok {
			token.Audience = audience
		}
		in.credentials = [2]envVar{
			{"AWS_ROLE_ARN", s.RoleARN(sa)},
			{"AWS_WEB_IDENTITY_TOKEN_FILE", in.file(in.mountPath, irsaTokenPath)},
		}
	}
	var ops []Operation
	if m == PodIdentity {
		ops = label(ops, p)
	}
	existing, exists := p.volumes[in.volume]
	if exists {
		in.ca = s.PodCA && holdsCA(existing)
	} else {
		in.ca = s.PodCA
		token.ExpirationSeconds = s.expiration(p, sa, m)
		ops = in.addVolume(ops, p, token)
	}
	skip := s.skipped(p)
	ops = in.addToAll(ops, "/spec/containers/", p.containers, skip)
	return in.addToAll(ops, "/spec/initContainers/", p.inits, skip)
}

func label(ops []Operation, p *Pod) []Operation {
	labels := map[string]string{labelPodIdentity: podIdentityEnabled}
	switch {
	case p.identity == podIdentityEnabled:
		return ops
	case !p.hasMetadata:
		return append(ops, Operation{"add", "/metadata", map[string]any{"labels": labels}})
	case !p.hasLabels:
		return append(ops, Operation{"add", "/metadata/labels", labels})
	}
	return append(ops, Operation{"add", "/metadata/labels/" + strings.ReplaceAll(labelPodIdentity, "/", "~1"), podIdentityEnabled})
}

func (in *injection) addVolume(ops []Operation, p *Pod, token tokenSource) []Operation {
	v := volume{in.volume, projected{[]source{{ServiceAccountToken: &token}}}}
	if in.ca {
		v.Projected.Sources = append(v.Projected.Sources, source{ConfigMap: &configMapSource{
			Name: v1alpha1.CAConfigMap, Items: []keyToPath{{v1alpha1.CAKey, v1alpha1.CAKey}},
		}})
	}
	if !p.hasVolumes {
		return append(ops, Operation{"add", "/spec/volumes", []volume{v}})
	}
	return append(ops, Operation{"add", "/spec/volumes/0", v})
}

func (in *injection) addToAll(ops []Operation, prefix string, containers []container, skip map[string]bool) []Operation {
	for i := range containers {
		if c := &containers[i]; !skip[c.name] {
			ops = in.add(ops, prefix+strconv.Itoa(i), c)
		}
	}
	return ops
}

// add is what one container gets. A container that has everything by itself is left alone, mount and all; one that has some of it
// keeps that and gets the rest.
func (in *injection) add(ops []Operation, at string, c *container) []Operation {
	credentials := c.sets(in.credentials[0].Name) || c.sets(in.credentials[1].Name)
	region := c.sets(envRegion) || c.sets(envDefaultRegion)
	if credentials && region && c.sets(envRegionalSTS) {
		return ops
	}
	s := in.settings
	var env []envVar
	if in.regionalSTS && !c.sets(envRegionalSTS) {
		env = append(env, envVar{envRegionalSTS, "regional"})
	}
	if s.DefaultRegion != "" && !region {
		env = append(env, envVar{envDefaultRegion, s.DefaultRegion}, envVar{envRegion, s.DefaultRegion})
	}
	if !credentials {
		env = append(env, in.credentials[:]...)
	}
	if s.PodEndpointURL != "" && !c.sets(envEndpoint) {
		env = append(env, envVar{envEndpoint, s.PodEndpointURL})
		if !c.sets(envEndpointSTS) { // the Go SDK asks STS for a web identity before it has read the other one
			env = append(env, envVar{envEndpointSTS, s.PodEndpointURL})
		}
	}
	m, mounted := c.mounts[in.volume]
	if !mounted {
		m.path = in.mountPath
	}
	// A mount of the pod's own may be elsewhere, or may show the token alone.
	if in.ca && !c.sets(envCABundle) && m.subPath == "" && m.subPathExpr == "" {
		env = append(env, envVar{envCABundle, in.file(m.path, v1alpha1.CAKey)})
	}
	ops = appendTo(ops, at+"/env", c.hasEnv, env)
	if mounted {
		return ops
	}
	return appendTo(ops, at+"/volumeMounts", c.hasMounts, []volumeMount{{in.volume, true, in.mountPath}})
}

// appendTo adds values at the end of a list, or as the list where there is none.
func appendTo[T any](ops []Operation, at string, exists bool, values []T) []Operation {
	if len(values) == 0 {
		return ops
	}
	if !exists {
		return append(ops, Operation{"add", at, values})
	}
	for _, v := range values {
		ops = append(ops, Operation{"add", at + "/-", v})
	}
	return ops
}

func (c *container) sets(name string) bool {
	_, ok := c.env[name]
	return ok
}

// file is a path for the program in the container. Mount paths stay as they are: the runtime knows what to do with them.
func (in *injection) file(dir, name string) string {
	if !in.windows {
		return path.Join(dir, name)
	}
	if strings.Contains(dir, ":") { // a mount of the pod's own, in Windows' spelling
		return strings.TrimRight(dir, `\/`) + `\` + name
	}
	return "C:" + strings.ReplaceAll(path.Join(dir, name), "/", `\`)
}

func (p *Pod) windows() bool {
	return p.nodeSelector["kubernetes.io/os"] == "windows" || p.nodeSelector["beta.kubernetes.io/os"] == "windows"
}

// skipped are the containers that the pod's annotation names, as one CSV record. One that cannot be read names none.
func (s *Settings) skipped(p *Pod) map[string]bool {
	value, ok := p.annotations[s.AnnotationPrefix+"/skip-containers"]
	if !ok {
		return nil
	}
	names, err := csv.NewReader(strings.NewReader(value)).Read()
	if err != nil {
		return nil
	}
	skip := make(map[string]bool, len(names))
	for _, name := range names {
		skip[name] = true
	}
	return skip
}

// holdsCA reports whether a volume that is there already shows the certificate authority where this package would put it. Whoever
// brings a token volume of his own without it gets no AWS_CA_BUNDLE: it would name a file that is not there.
func holdsCA(v object) bool {
	var p projected
	if v.read("projected", &p) != nil {
		return false
	}
	for _, s := range p.Sources {
		if s.ConfigMap == nil || s.ConfigMap.Name != v1alpha1.CAConfigMap {
			continue
		}
		if slices.Contains(s.ConfigMap.Items, (keyToPath{v1alpha1.CAKey, v1alpha1.CAKey})) {
			return true
		}
	}
	return false
}
