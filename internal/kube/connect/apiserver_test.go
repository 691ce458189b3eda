package connect_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/podid/podid/internal/oidc"
)

// kinds are what the API server has, by the path of their group and version.
var kinds = map[string][]kind{
	"/api/v1": {
		{"Namespace", "namespaces", false},
		{"ConfigMap", "configmaps", true},
		{"ServiceAccount", "serviceaccounts", true},
		{"Service", "services", true},
		{"Pod", "pods", true},
		{"Event", "events", true},
	},
	"/apis/apps/v1":   {{"Deployment", "deployments", true}, {"DaemonSet", "daemonsets", true}},
	"/apis/policy/v1": {{"PodDisruptionBudget", "poddisruptionbudgets", true}},
	"/apis/rbac.authorization.k8s.io/v1": {
		{"ClusterRole", "clusterroles", false},
		{"ClusterRoleBinding", "clusterrolebindings", false},
		{"Role", "roles", true},
		{"RoleBinding", "rolebindings", true},
	},
	"/apis/networking.k8s.io/v1":            {{"NetworkPolicy", "networkpolicies", true}},
	"/apis/apiextensions.k8s.io/v1":         {{"CustomResourceDefinition", "customresourcedefinitions", false}},
	"/apis/admissionregistration.k8s.io/v1": {{"MutatingWebhookConfiguration", "mutatingwebhookconfigurations", false}},
	"/apis/authorization.k8s.io/v1":         {{"SelfSubjectAccessReview", "selfsubjectaccessreviews", false}},
}

type kind struct {
	kind, plural string
	namespaced   bool
}

type object = map[string]any

// apiServer is as much of a Kubernetes API as connecting needs, and of what others do there: a Deployment that is applied becomes
// available, and a pod ends as it is told to.
type apiServer struct {
	issuer string
	minor  string
	may    func(verb, resource string) bool
	pod    object // status of pods
	said   string // their log
	minted []byte // key set
	ca     string // of its certificate, PEM
	url    string

	mu      sync.Mutex
	objects map[string]object // by path
	changes []string          // method and path of what changed anything
}

func newAPIServer(t *testing.T, issuer string) *apiServer {
	t.Helper()
	signer, err := oidc.NewSigner("ES256")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := signer.KeySet().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	a := &apiServer{
		issuer: issuer, minor: "36", may: func(string, string) bool { return true }, pod: object{"phase": "Succeeded"}, minted: keys,
		said: "account 111122223333\n", objects: map[string]object{},
	}
	s := httptest.NewTLSServer(a)
	t.Cleanup(s.Close)
	a.url = s.URL
	a.ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	return a
}

// kubeconfig writes one for the server.
func (a *apiServer) kubeconfig(t *testing.T) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	ca := filepath.Join(filepath.Dir(file), "ca.crt")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: it\ncontexts: [{name: it, context: {cluster: it, user: me}}]\n"+
		"clusters: [{name: it, cluster: {server: %q, certificate-authority: %s}}]\nusers: [{name: me, user: {token: secret}}]\n", a.url, ca)
	for name, content := range map[string]string{file: text, ca: a.ca} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return []string{file}
}

func (a *apiServer) get(path string) object {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.objects[path]
}

// left are the paths of the objects that are there.
func (a *apiServer) left() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Keys(a.objects))
}

func (a *apiServer) put(path string, o object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.objects[path] = o
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer secret" {
		answer(w, http.StatusUnauthorized, status("Unauthorized", 401))
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	code, body := a.serve(r)
	if text, ok := body.(string); ok {
		w.WriteHeader(code)
		fmt.Fprint(w, text)
		return
	}
	answer(w, code, body)
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}

func status(reason string, code int) object {
	return object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": reason, "code": code}
}

func (a *apiServer) serve(r *http.Request) (int, any) {
	switch r.URL.Path {
	case "/version":
		return 200, object{"major": "1", "minor": a.minor, "gitVersion": "v1." + a.minor + ".3"}
	case "/.well-known/openid-configuration":
		return 200, object{"issuer": a.issuer}
	case "/openid/v1/jwks":
		return 200, string(a.minted)
	case "/api":
		return 200, object{"kind": "APIVersions", "versions": []string{"v1"}}
	case "/apis":
		var groups []object
		for path := range kinds {
			if gv, ok := strings.CutPrefix(path, "/apis/"); ok {
				group, version, _ := strings.Cut(gv, "/")
				v := object{"groupVersion": gv, "version": version}
				groups = append(groups, object{"name": group, "versions": []object{v}, "preferredVersion": v})
			}
		}
		return 200, object{"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
	}
	if list, ok := kinds[r.URL.Path]; ok {
		var resources []object
		for _, k := range list {
			resources = append(resources, object{"name": k.plural, "kind": k.kind, "namespaced": k.namespaced, "verbs": []string{"get", "patch"}})
		}
		gv := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/apis/"), "/api/")
		return 200, object{"kind": "APIResourceList", "groupVersion": gv, "resources": resources}
	}
	return a.object(r)
}

func (a *apiServer) object(r *http.Request) (int, any) {
	path := r.URL.Path
	text, _ := io.ReadAll(r.Body)
	in := decode(text)
	switch {
	case strings.HasSuffix(path, "/selfsubjectaccessreviews"):
		attributes := in["spec"].(object)["resourceAttributes"].(object)
		in["status"] = object{"allowed": a.may(fmt.Sprint(attributes["verb"]), fmt.Sprint(attributes["resource"]))}
		return 201, in
	case strings.HasSuffix(path, "/log"):
		return 200, a.said
	case r.Method == http.MethodPost:
		path += "/" + in["metadata"].(object)["name"].(string)
		a.change(r.Method, path)
		a.objects[path] = a.grown(path, in)
		return 201, a.objects[path]
	case r.Method == http.MethodPatch:
		old, there := a.objects[path]
		in = nil // as it came, without what types would add
		_ = json.Unmarshal(text, &in)
		merged := merge(old, in)
		if r.URL.Query().Get("dryRun") == "" {
			a.change("PATCH", path)
			a.objects[path] = a.grown(path, merged)
		}
		if there {
			return 200, merged
		}
		return 201, merged
	case r.Method == http.MethodDelete:
		if a.objects[path] == nil {
			return 404, status("NotFound", 404)
		}
		a.change("DELETE", path)
		maps.DeleteFunc(a.objects, func(p string, _ object) bool {
			return p == path || strings.HasPrefix(path, "/api/v1/namespaces/") && strings.Count(path, "/") == 4 && strings.Contains(p, strings.TrimPrefix(path, "/api/v1")+"/")
		})
		return 200, object{"kind": "Status", "status": "Success"}
	case a.objects[path] != nil:
		return 200, a.objects[path]
	}
	if k, prefix, ok := listed(path); ok {
		return 200, a.list(path, prefix, k, r)
	}
	return 404, status("NotFound", 404)
}

// decode reads an object as typed clients send it, or as JSON. A DELETE may have none.
func decode(text []byte) object {
	if o, _, err := scheme.Codecs.UniversalDeserializer().Decode(text, nil, nil); err == nil {
		if _, raw := o.(*unstructured.Unstructured); !raw {
			gvks, _, _ := scheme.Scheme.ObjectKinds(o)
			o.GetObjectKind().SetGroupVersionKind(gvks[0])
			in, _ := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
			return in
		}
	}
	var in object
	_ = json.Unmarshal(text, &in)
	return in
}

func (a *apiServer) change(method, path string) { a.changes = append(a.changes, method+" "+path) }

// grown is what controllers make of an object.
func (a *apiServer) grown(path string, o object) object {
	switch {
	case strings.Contains(path, "/deployments/"):
		o["status"] = object{"readyReplicas": 2, "conditions": []any{object{"type": "Available", "status": "True"}}}
	case strings.Contains(path, "/pods/"):
		o["status"] = a.pod
	}
	return o
}

// listed is the kind that a path is the list of.
func listed(path string) (k kind, prefix string, ok bool) {
	for prefix, list := range kinds {
		for _, k := range list {
			if strings.HasPrefix(path, prefix+"/") && strings.HasSuffix(path, "/"+k.plural) {
				return k, prefix, true
			}
		}
	}
	return kind{}, "", false
}

func (a *apiServer) list(path, prefix string, k kind, r *http.Request) object {
	items := []object{}
	namespace := strings.TrimSuffix(path, k.plural) // ends with the namespace, or with the version for all
	for _, p := range slices.Sorted(maps.Keys(a.objects)) {
		o := a.objects[p]
		if o["kind"] == k.kind && strings.HasPrefix(p, namespace) && fits(o, r) {
			items = append(items, o)
		}
	}
	return object{"kind": k.kind + "List", "apiVersion": strings.TrimPrefix(strings.TrimPrefix(prefix, "/apis/"), "/api/"), "metadata": object{}, "items": items}
}

// fits holds an object against the selectors of a request, of which only label=value and metadata.name=value are known.
func fits(o object, r *http.Request) bool {
	meta := o["metadata"].(object)
	if key, value, ok := strings.Cut(r.URL.Query().Get("labelSelector"), "="); ok {
		labels, _ := meta["labels"].(object)
		if labels[key] != value {
			return false
		}
	}
	if name, ok := strings.CutPrefix(r.URL.Query().Get("fieldSelector"), "metadata.name="); ok && meta["name"] != name {
		return false
	}
	return true
}

// merge applies one object to another.
func merge(old, in object) object {
	out := maps.Clone(old)
	if out == nil {
		out = object{}
	}
	for k, v := range in {
		inner, isMap := v.(object)
		was, wasMap := out[k].(object)
		if isMap && wasMap {
			v = merge(was, inner)
		}
		out[k] = v
	}
	return out
}
