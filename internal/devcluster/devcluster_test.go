package devcluster_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/podid/podid/internal/devcluster"
	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/oidc"
)

var now = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// newCluster makes a cluster whose control plane does not answer: tokens and pods need none.
func newCluster(t *testing.T, dir string) *devcluster.Cluster {
	t.Helper()
	c, err := devcluster.New(devcluster.Config{
		Dir: dir, Name: "local", Account: "111122223333", Region: "eu-west-1", Endpoint: "http://127.0.0.1:1", CABundle: "/ca.pem",
		CredentialsURI: "http://127.0.0.1:2/v1/credentials", Administrator: aws.AnonymousCredentials{}, HTTP: http.DefaultClient,
		AgentAnswers: func(context.Context) bool { return true }, Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// serve runs a cluster in a folder with a short name, because a unix socket's cannot be long.
func serve(t *testing.T) (*devcluster.Kubelet, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "podid-devcluster-") //nolint:usetesting // its name is too long
	if err != nil {
		t.Fatal(err)
	}
	c := newCluster(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	<-c.Ready()
	k, err := devcluster.Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return k, dir
}

func request() devcluster.TokenRequest {
	return devcluster.TokenRequest{
		Namespace: "shop", ServiceAccount: "uploader", Pod: "uploader-0", PodUID: "uid", Audience: "pods.eks.amazonaws.com", Lifetime: time.Hour,
	}
}

// issuer is who the cluster says to be in its tokens.
func issuer(t *testing.T, c *devcluster.Cluster) string {
	t.Helper()
	token, err := c.Token(request())
	if err != nil {
		t.Fatal(err)
	}
	i, err := oidc.Issuer(token)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestNew_keepsItsKeyAndIssuer(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cluster")
	first := issuer(t, newCluster(t, dir))
	key, err := os.ReadFile(filepath.Join(dir, "sa-signer.pem"))
	if err != nil {
		t.Fatal(err)
	}
	second := issuer(t, newCluster(t, dir))
	again, err := os.ReadFile(filepath.Join(dir, "sa-signer.pem"))
	if err != nil || string(again) != string(key) || first != second || !strings.HasPrefix(first, "https://oidc.podid.internal/id/") {
		t.Errorf("issuer %s, then %s; same key: %v, %v", first, second, string(again) == string(key), err)
	}
	for file, want := range map[string]os.FileMode{"": 0o700, "sa-signer.pem": 0o600, "issuer-id": 0o600} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: got %v, %v, want mode %o", file, info.Mode(), err, want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "sa-signer.pem"), []byte("spoilt"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := devcluster.New(devcluster.Config{Dir: dir}); err == nil {
		t.Error("a spoilt key was taken, or another one made in its place")
	}
}

func TestToken_limits(t *testing.T) {
	t.Parallel()
	c := newCluster(t, t.TempDir())
	tests := []struct {
		name  string
		spoil func(*devcluster.TokenRequest)
		ok    bool
	}{
		{"all is there", func(*devcluster.TokenRequest) {}, true},
		{"no namespace", func(r *devcluster.TokenRequest) { r.Namespace = "" }, false},
		{"no service account", func(r *devcluster.TokenRequest) { r.ServiceAccount = "" }, false},
		{"no pod", func(r *devcluster.TokenRequest) { r.Pod = "" }, false},
		{"no uid", func(r *devcluster.TokenRequest) { r.PodUID = "" }, false},
		{"no audience", func(r *devcluster.TokenRequest) { r.Audience = "" }, false},
		{"ten minutes", func(r *devcluster.TokenRequest) { r.Lifetime = 10 * time.Minute }, true},
		{"less", func(r *devcluster.TokenRequest) { r.Lifetime = 10*time.Minute - 1 }, false},
		{"a day", func(r *devcluster.TokenRequest) { r.Lifetime = 24 * time.Hour }, true},
		{"more", func(r *devcluster.TokenRequest) { r.Lifetime = 24*time.Hour + 1 }, false},
		{"an hour ago", func(r *devcluster.TokenRequest) { r.Lifetime = -time.Hour }, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := request()
			test.spoil(&r)
			if _, err := c.Token(r); (err == nil) != test.ok || err != nil && !errors.Is(err, fault.Invalid) {
				t.Errorf("got %v, want success %v", err, test.ok)
			}
		})
	}
}

func TestStartPod(t *testing.T) {
	t.Parallel()
	k, _ := serve(t)
	tests := []struct {
		name     string
		spec     devcluster.PodSpec
		has      []string // beginnings of variables
		file     string   // the variable with the token file
		audience string
	}{
		{
			"Pod Identity",
			devcluster.PodSpec{Namespace: "shop", ServiceAccount: "uploader"},
			[]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:2/v1/credentials"},
			"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "pods.eks.amazonaws.com",
		},
		{
			"IAM roles for service accounts",
			devcluster.PodSpec{Namespace: "shop", ServiceAccount: "older", RoleARN: "arn:aws:iam::111122223333:role/older"},
			[]string{"AWS_ROLE_ARN=arn:aws:iam::111122223333:role/older"},
			"AWS_WEB_IDENTITY_TOKEN_FILE", "sts.amazonaws.com",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, err := k.StartPod(t.Context(), test.spec)
			if err != nil {
				t.Fatal(err)
			}
			always := []string{
				"AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1", "AWS_ENDPOINT_URL=http://127.0.0.1:1", "AWS_CA_BUNDLE=/ca.pem", "AWS_EC2_METADATA_DISABLED=true",
			}
			for _, want := range append(always, test.has...) {
				if !slices.Contains(p.Env, want) {
					t.Errorf("%s is not in %v", want, p.Env)
				}
			}
			i := slices.IndexFunc(p.Env, func(kv string) bool { return strings.HasPrefix(kv, test.file+"=") })
			if i < 0 {
				t.Fatalf("%s is not in %v", test.file, p.Env)
			}
			file := p.Env[i][len(test.file)+1:]
			info, err := os.Stat(file)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the token: %v, %v, want mode 0600", info, err)
			}
			token, err := os.ReadFile(file)
			if err != nil || strings.Count(string(token), ".") != 2 || strings.TrimSpace(string(token)) != string(token) {
				t.Errorf("got %q, %v, want a token and nothing else", token, err)
			}
			if !strings.HasPrefix(p.Name, test.spec.ServiceAccount+"-") {
				t.Errorf("got pod %s of service account %s", p.Name, test.spec.ServiceAccount)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Dir(file)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the pod's folder is still there: %v", err)
			}
		})
	}
}

func TestKubelet_tellsWhyATokenIsRefused(t *testing.T) {
	t.Parallel()
	k, _ := serve(t)
	r := request()
	r.Lifetime = time.Minute
	if _, err := k.Token(t.Context(), r); err == nil || err.Error() != "A token lives 10 minutes to 24 hours" {
		t.Errorf("got %v", err)
	}
	if _, err := k.StartPod(t.Context(), devcluster.PodSpec{Namespace: "shop"}); err == nil || !strings.Contains(err.Error(), "needs namespace, service account") {
		t.Errorf("got %v", err)
	}
}

func TestSocket(t *testing.T) {
	t.Parallel()
	_, dir := serve(t)
	if info, err := os.Stat(filepath.Join(dir, "cluster.sock")); err != nil || info.Mode().Type() != os.ModeSocket {
		t.Errorf("got %v, %v, want a socket", info, err)
	}
	if _, err := devcluster.Dial(t.Context(), t.TempDir()); !errors.Is(err, devcluster.ErrNotRunning) {
		t.Errorf("nobody there: got %v, want ErrNotRunning", err)
	}
	long := filepath.Join(t.TempDir(), strings.Repeat("long/", 20))
	if err := newCluster(t, long).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "choose a shorter --data") {
		t.Errorf("a long path: got %v", err)
	}
}
