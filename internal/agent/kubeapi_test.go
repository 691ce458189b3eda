package agent_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/agent"
	"github.com/podid/podid/internal/fault"
)

func TestPodListsAreReadAsAStream(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text, version string
		uids          []string
		fails         bool
	}{
		"two pods":            {`{"kind":"List","metadata":{"resourceVersion":"7"},"items":[{"metadata":{"uid":"a"}},{"metadata":{"uid":"b"},"spec":{}}]}`, "7", []string{"a", "b"}, false},
		"items first":         {`{"items":[{"metadata":{"uid":"a"}}],"other":[1,{"x":[]}],"metadata":{"resourceVersion":"7"}}`, "7", []string{"a"}, false},
		"null items":          {`{"metadata":{"resourceVersion":"7"},"items":null}`, "7", nil, false},
		"no items":            {`{"metadata":{"resourceVersion":"7"}}`, "7", nil, false},
		"cut short":           {`{"metadata":{"resourceVersion":"7"},"items":[{"metadata":{"uid":"a"}}`, "", []string{"a"}, true},
		"nothing":             {``, "", nil, true},
		"not an object":       {`[]`, "", nil, true},
		"no resource version": {`{"items":[]}`, "", nil, true},
		"items are no array":  {`{"metadata":{"resourceVersion":"7"},"items":{}}`, "", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uids, version, err := agent.ReadPodList(strings.NewReader(c.text))
			if diff := cmp.Diff(uids, c.uids); diff != "" || version != c.version || (err != nil) != c.fails {
				t.Errorf("got %v %q %v, want %v %q, failure: %v", uids, version, err, c.uids, c.version, c.fails)
			}
		})
	}
}

func FuzzWatchLine(f *testing.F) {
	for _, seed := range []string{
		`{"type":"ADDED","object":{"metadata":{"name":"a","namespace":"default","uid":"u","resourceVersion":"5"}}}`,
		`{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"6","annotations":{"k8s.io/initial-events-end":"true"}}}}`,
		`{"type":"ERROR","object":{"kind":"Status","status":"Failure","code":410,"message":"too old"}}`,
		`{"type":"DELETED","object":{"metadata":{}}}`, `{"type":"","object":null}`, `null`, ``, `{"type":"ADDED"`, `[]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		kind, uid, version, err := agent.DecodeWatchLine(line)
		switch {
		case err != nil:
			if kind != "" || uid != "" || version != "" {
				t.Errorf("a failure came with %q %q %q", kind, uid, version)
			}
			if bytes.ContainsAny([]byte(err.Error()), "\n\r") {
				t.Errorf("the failure has more than one line: %q", err)
			}
		case !json.Valid(line):
			t.Error("what is no JSON was understood")
		case kind == "BOOKMARK" && uid != "", kind != "BOOKMARK" && uid == "":
			t.Errorf("%s with UID %q", kind, uid)
		}
	})
}

func TestAnAPIServerThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	if _, err := agent.InCluster("10.96.0.1", "443", t.TempDir()); !errors.Is(err, fault.Invalid) {
		t.Errorf("without a service account: got %v, want invalid", err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(folder+"/ca.crt", []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := agent.InCluster("10.96.0.1", "443", folder); !errors.Is(err, fault.Invalid) {
		t.Errorf("without a certificate: got %v, want invalid", err)
	}
	c := config(&authService{})
	watched(t, newAPIServer())(&c)
	c.NodeName = ""
	if _, err := agent.New(c); !errors.Is(err, fault.Invalid) {
		t.Errorf("without a node name: got %v, want invalid", err)
	}
}

// proxyChild is the environment variable by which the test below finds itself in a process whose environment is as it wants.
const proxyChild = "PODID_TEST_PROXY_CHILD"

func TestTheProxyIsForTheControlPlaneAlone(t *testing.T) {
	t.Parallel()
	if os.Getenv(proxyChild) == "" {
		c := exec.Command(os.Args[0], "-test.run=^TestTheProxyIsForTheControlPlaneAlone$", "-test.v")
		c.Env = append(os.Environ(), proxyChild+"=1", "HTTPS_PROXY=http://proxy.example.com:3128", "HTTP_PROXY=http://proxy.example.com:3128",
			"NO_PROXY=direct.example.com", "no_proxy=direct.example.com")
		if out, err := c.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: TestTheProxyIsForTheControlPlaneAlone")) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	for target, want := range map[string]bool{
		"https://podid.example.com": true, "https://direct.example.com": false, "https://203.0.113.7:8474": true,
		"https://169.254.170.23": false, "http://169.254.170.23/v1/credentials": false, "http://[fd00:ec2::23]/v1/credentials": false,
		"https://169.254.169.254": false, "https://[fe80::1]": false, "https://127.0.0.1:8474": false, "https://127.9.9.9": false,
		"https://localhost:8474": false, "https://[::1]:8474": false,
	} {
		u, err := agent.NewTransport(nil).Proxy(httptest.NewRequest(http.MethodGet, target, nil))
		if err != nil || (u != nil) != want {
			t.Errorf("%s: through %v, %v; through a proxy: want %v", target, u, err, want)
		}
	}
	if agent.NewKubernetesTransport().Proxy != nil {
		t.Error("the way to the API server asks for a proxy")
	}
}
