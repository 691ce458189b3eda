// Package podid_test holds the rules of the repository that no compiler knows. Each rule carries its reason, so that whoever
// breaks one learns why it is there. A change of the layout changes this table and docs/ARCHITECTURE.md in one commit.
package podid_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/podid/podid"

// layer is one row of the import table: a package, the packages of this module that its non-test files may import, and why
// not more. Names are relative to internal/, except those of commands.
type layer struct {
	name string
	may  string
	why  string
}

// layers is the import order. A package imports only packages further down, and of those only the ones its row names.
var layers = []layer{
	{"cmd/podid", "cli", "a main is ten lines: the verbs are in cli, where tests can reach them"},
	{"cmd/podid-agent", "agent agent/link", "a main is ten lines"},
	{"cmd/podid-operator", "kube/operator", "a main is ten lines"},

	{"cli", "server kube/connect kube/serviceaccount migration plan agent devcluster client api policy/cases policy/diff policy/lint policy quota secretfile arn fault", "the verbs are wiring and clients; what they need from the domain they ask for over the API; only the offline policy verbs call the evaluator"},
	{
		"server/servertest", "server agent devcluster api issuer oidc cluster authz organization iam bucket objectstore policy credential store/storetest store arn fault",
		"test support: a control plane in one call",
	},
	{
		"server", services + " api/sigv4 api issuer oidc cluster authz organization iam bucket objectstore policy credential store quota secretfile arn fault",
		"the one place that wires; agent and kube are clients of the control plane, never parts of it",
	},
	{"kube/connect", "plan kube/manifest apis/podidentity/v1alpha1 client oidc fault", "connects a cluster as a person with a kubeconfig and a profile could, step by step"},
	{"kube/serviceaccount", "migration fault", "reads service accounts, for a person with a kubeconfig or manifests"},
	{"migration", "plan arn fault", "reads what is elsewhere and proposes; a client of two public APIs, AWS's and podid's"},
	{"kube/operator", "kube/admission kube/reconcile kube/publish kube/follow kube/manifest kube/inject apis/podidentity/v1alpha1 client fault", "the one place that wires the operator"},
	{"kube/admission", "kube/inject kube/follow apis/podidentity/v1alpha1 fault", "the webhook's edge: what is decided about a pod is in inject, who has an identity in follow"},
	{"kube/inject", "apis/podidentity/v1alpha1", "a function from pod to patch: no client, no control plane"},
	{"kube/reconcile", "kube/follow kube/manifest apis/podidentity/v1alpha1 client fault", "speaks to the control plane through its public API like any other client"},
	{"kube/publish", "kube/follow apis/podidentity/v1alpha1 client oidc fault", "speaks to the control plane through its public API like any other client"},
	{"kube/follow", "client pattern fault", "speaks to the control plane through its public API like any other client"},
	{"kube/manifest", "deploy", "renders the chart: the one description of what runs in a cluster"},
	{"deploy", "", "holds the chart"},
	{"apis/podidentity/v1alpha1", "", "the names in people's manifests: imported by others, imports nothing of ours"},
	{"devcluster", "client oidc secretfile fault", "the laptop's cluster is a client of the public API; it gets nothing that a real cluster does not get"},

	{"agent/link", "fault", "gives a node its two addresses; knows nothing of credentials"},
	{"agent", "fault", "runs on every node: small, static, and nothing in it that could read the control plane's state"},
	{"api/eksauthapi", "api oidc cluster authz iam policy credential store arn fault", siblings},
	{"api/eksapi", "api oidc cluster authz iam policy store quota arn fault", siblings},
	{"api/stsapi", "api oidc authz iam policy credential store arn fault", siblings},
	{"api/iamapi", "api oidc authz organization iam policy store quota arn fault", siblings},
	{"api/organizationsapi", "api authz organization iam policy store quota arn fault", siblings},
	{"api/s3api", "api api/sigv4 authz bucket objectstore policy store arn fault", siblings},
	{"api/podidapi", "api client oidc cluster authz organization iam bucket policy credential store arn fault", siblings},
	{"api/apitest", "api authz organization iam credential store/storetest store", "test support: the control plane that a service's tests run in"},
	{"api", "api/sigv4 authz policy credential arn fault", "the pipeline is the same for every service and knows none of them; of policy only the request's Context"},
	{"api/sigv4", "fault", "proves a signature; the caller brings the secret, so it knows neither users nor sessions"},
	{"cluster", "oidc pattern policy store quota arn fault", domain},
	{"issuer", "oidc fault", "fetches key sets of outside issuers: the one part of the control plane that dials where strangers say"},
	{"oidc", "fault", "proves a token; the caller brings the keys, so it knows neither clusters nor providers"},
	{"authz", "organization iam policy credential arn fault", "asks the question; a resource's policy is brought by the service that owns the resource"},
	{"organization", "policy store quota arn fault", domain},
	{"iam", "policy store quota arn fault", domain},
	{"bucket", "policy store quota arn fault", domain},
	{"objectstore", "fault", "moves bytes that others have authorised; it must not be able to decide anything"},
	{"policy/diff", "policy arn", "a tool for people: compares what two documents decide"},
	{"policy/lint", "policy", "a tool for people: reads documents, decides nothing"},
	{"policy/cases", "policy arn", "test support: the case language of the evaluator"},
	{"policy", "arn", "a pure function: no state, no clock, no failures but its own syntax errors"},
	{"credential", "store arn fault", "mints and opens sessions; whether one may be minted is decided above"},
	{"store/storetest", "store store/internal/embedded", "test support: the real store on a throw-away etcd"},
	{"store", "store/internal/embedded fault", "holds the state and knows nothing of what it means"},
	{"store/internal/embedded", "fault", "runs one etcd member; knows no tables"},

	{"client", "fault", "calls podid's own service as any outsider would, and declares its shapes"},
	{"secretfile", "", "a leaf: files that only their owner may read"},
	{"pattern", "", "a leaf: the control plane and the operator decide by one rule which association counts"},
	{"plan", "", "a leaf: what will be done, shown before it is"},
	{"quota", "", "a leaf: how much there may be"},
	{"arn", "", "a leaf: the names of things"},
	{"fault", "", "a leaf: the ways to fail"},
}

const (
	services = "api/eksauthapi api/eksapi api/stsapi api/iamapi api/organizationsapi api/s3api api/podidapi"
	siblings = "a service is its operations over the domain; services never import one another"
	domain   = "documents at rest: knows the store and the policy grammar, not its neighbours"
)

// fence keeps a family of outside packages inside the packages that are about them.
type fence struct {
	pkg    string   // import path, or a prefix of one that ends at a slash
	only   []string // the packages that may import it, with all below them; nil: all may, except those of never
	never  []string // the packages that may not
	reason string
}

var pure = strings.Fields("arn fault pattern quota policy organization iam cluster authz credential bucket store")

var fences = []fence{
	{"go.etcd.io", []string{"store"}, nil, "go through internal/store"},
	{"k8s.io", []string{"kube", "apis", "cmd/podid-operator", "test"}, nil, "the control plane and the agent know nothing of client-go"},
	{"sigs.k8s.io", []string{"kube", "apis", "cmd/podid-operator", "test"}, nil, "the control plane and the agent know nothing of client-go"},
	{"helm.sh", []string{"kube/manifest"}, nil, "the chart is rendered in one place"},
	{"github.com/versity/versitygw", []string{"objectstore"}, nil, "the embedded byte store is one store among many, behind internal/objectstore"},
	{"net/http", nil, pure, "transport belongs to api, agent and server"},
	{"encoding/xml", nil, pure, "wire formats belong to api"},
}

// links says what a binary must not contain, directly or not.
var links = []struct {
	binary string
	not    []string
	reason string
}{
	{
		"cmd/podid-agent",
		[]string{"go.etcd.io", "k8s.io", "sigs.k8s.io", "github.com/versity/versitygw"},
		"it runs on every node: small, static, and unable to speak to the store",
	},
	{"internal/server", []string{"k8s.io/client-go", "k8s.io/api", "sigs.k8s.io/controller-runtime"}, "the control plane never dials a cluster; the command line does, to connect one"},
	{"cmd/podid-operator", []string{"go.etcd.io", "github.com/versity/versitygw"}, "it runs in clusters that do not have to trust one another, and is a client of the control plane"},
}

func TestImportsFollowTheTable(t *testing.T) {
	t.Parallel()
	rows := make(map[string]layer, len(layers))
	for _, row := range layers {
		rows[row.name] = row
	}
	for _, p := range packages(t) {
		row, listed := rows[p.name()]
		if !listed {
			if p.internal() {
				t.Errorf("%s is not in the import table of layout_test.go: say what it may import, and why not more", p.ImportPath)
			}
			continue
		}
		may := strings.Fields(row.may)
		for _, path := range p.Imports {
			if target := nameOf(path); inModule(path) && !slices.Contains(may, target) {
				t.Errorf("%s imports %s; it may import [%s]: %s", row.name, target, row.may, row.why)
			}
		}
	}
}

func TestImportTableIsAnOrder(t *testing.T) {
	t.Parallel()
	place := make(map[string]int, len(layers))
	for i, row := range layers {
		if _, twice := place[row.name]; twice {
			t.Errorf("%s has two rows", row.name)
		}
		place[row.name] = i
	}
	for i, row := range layers {
		for name := range strings.FieldsSeq(row.may) {
			if below, ok := place[name]; !ok || below <= i {
				t.Errorf("%s may import %s, which is not a row further down", row.name, name)
			}
		}
	}
}

func TestOutsidePackagesStayBehindTheirFence(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for _, path := range p.Imports {
			for _, f := range fences {
				if !within(path, f.pkg) {
					continue
				}
				inside := func(root string) bool { return within(p.name(), root) }
				if slices.Contains(f.never, p.name()) || f.only != nil && !slices.ContainsFunc(f.only, inside) {
					t.Errorf("%s imports %s: %s", p.name(), path, f.reason)
				}
			}
		}
	}
}

func TestBinariesLinkOnlyWhatTheyShould(t *testing.T) {
	t.Parallel()
	for _, rule := range links {
		if _, err := os.Stat(rule.binary); errors.Is(err, os.ErrNotExist) {
			continue
		}
		linked := strings.Fields(string(run(t, "go", "list", "-e", "-deps", "./"+rule.binary)))
		for _, root := range rule.not {
			below := func(path string) bool { return within(path, root) }
			if i := slices.IndexFunc(linked, below); i >= 0 {
				t.Errorf("%s links %s: %s; see go mod why %[2]s", rule.binary, linked[i], rule.reason)
			}
		}
	}
}

// pkg is what `go list` says of one package.
type pkg struct {
	ImportPath, Dir                                    string
	Imports                                            []string
	GoFiles, IgnoredGoFiles, TestGoFiles, XTestGoFiles []string
}

func (p pkg) name() string   { return nameOf(p.ImportPath) }
func (p pkg) internal() bool { return strings.HasPrefix(p.ImportPath, module+"/internal/") }

// nameOf shortens an import path of this module to the name it has in the table.
func nameOf(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, module+"/"), "internal/")
}

func inModule(path string) bool { return within(path, module) }

// within reports whether a path is root or lies below it.
func within(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

// packages lists the module, once for all tests. Packages that do not compile are listed too: that is the compiler's to say.
func packages(t *testing.T) []pkg {
	t.Helper()
	list, err := listed()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

var listed = sync.OnceValues(func() ([]pkg, error) {
	out, err := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Imports,GoFiles,IgnoredGoFiles,TestGoFiles,XTestGoFiles", "./...").Output()
	if err != nil {
		return nil, err
	}
	var list []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
})

func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).Output()
	if err != nil {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return out
}
