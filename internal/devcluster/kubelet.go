package devcluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/podid/podid/internal/secretfile"
)

// Kubelet starts pods: it gets their tokens, keeps the token files fresh and makes the environment. Each program that is
// started by podid run has a kubelet of its own.
type Kubelet struct {
	http *http.Client
	info Info
}

// Dial reaches the cluster whose data folder is dir.
func Dial(ctx context.Context, dir string) (*Kubelet, error) {
	path := filepath.Join(dir, socketName)
	k := &Kubelet{http: &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}},
	}}
	if err := k.call(ctx, http.MethodGet, "/info", nil, &k.info); err != nil {
		return nil, err
	}
	return k, nil
}

// ErrNotRunning says that no laptop mode serves the data folder.
var ErrNotRunning = errors.New("podid dev is not running")

func (k *Kubelet) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://cluster"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := k.http.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotRunning, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		return errors.New(strings.TrimSpace(string(text)))
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// PodSpec says which pod to start.
type PodSpec struct {
	Namespace      string
	ServiceAccount string
	Name           string // generated from the service account when empty

	// RoleARN is the service account's eks.amazonaws.com/role-arn annotation: the pod then gets the variables of IAM roles
	// for service accounts instead of those of Pod Identity. spec: pod-identity.md 5.4
	RoleARN string
}

// Pod is a started pod: a private folder with its tokens, and an environment. Close ends it.
type Pod struct {
	Name string
	UID  string
	Env  []string // to be added to the program's environment

	kubelet *Kubelet
	spec    PodSpec
	dir     string
	tokens  []projection
}

// projection is a projected service account token: a file and the audience of the token in it.
type projection struct {
	file     string
	audience string
}

// Audiences and lifetimes of the injected tokens. spec: pod-identity.md 5.2, 5.6
const (
	podIdentityAudience = "pods.eks.amazonaws.com"
	webIdentityAudience = "sts.amazonaws.com"
	tokenLifetime       = 24 * time.Hour
	refreshEvery        = tokenLifetime * 8 / 10 // a kubelet replaces a token when 80 % of its life has passed
)

// StartPod makes a pod: its tokens are on disk and its environment is complete when StartPod returns.
func (k *Kubelet) StartPod(ctx context.Context, spec PodSpec) (*Pod, error) {
	uid := uuid.NewString()
	if spec.Name == "" {
		spec.Name = spec.ServiceAccount + "-" + uid[:5]
	}
	dir, err := os.MkdirTemp("", "podid-pod-") // MkdirTemp makes it 0700
	if err != nil {
		return nil, fmt.Errorf("make the pod's folder: %w", err)
	}
	p := &Pod{Name: spec.Name, UID: uid, kubelet: k, spec: spec, dir: dir}
	if err := p.inject(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	if err := p.project(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// inject makes the environment. AWS_EC2_METADATA_DISABLED and the empty configuration files make sure that a refusal stays
// one: an SDK that finds no other credentials cannot fall back to the laptop's.
func (p *Pod) inject() error {
	empty := filepath.Join(p.dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		return fmt.Errorf("make the pod's configuration: %w", err)
	}
	i := p.kubelet.info
	p.Env = []string{
		"AWS_REGION=" + i.Region, "AWS_DEFAULT_REGION=" + i.Region, "AWS_ENDPOINT_URL=" + i.Endpoint,
		// The Go SDK asks STS for a web identity before it has read AWS_ENDPOINT_URL.
		"AWS_ENDPOINT_URL_STS=" + i.Endpoint,
		"AWS_CONFIG_FILE=" + empty, "AWS_SHARED_CREDENTIALS_FILE=" + empty, "AWS_EC2_METADATA_DISABLED=true",
	}
	if i.CABundle != "" {
		p.Env = append(p.Env, "AWS_CA_BUNDLE="+i.CABundle)
	}
	if p.spec.RoleARN != "" {
		t := projection{file: filepath.Join(p.dir, "token"), audience: webIdentityAudience}
		p.tokens = append(p.tokens, t)
		p.Env = append(p.Env, "AWS_ROLE_ARN="+p.spec.RoleARN, "AWS_WEB_IDENTITY_TOKEN_FILE="+t.file)
		return nil
	}
	t := projection{file: filepath.Join(p.dir, "eks-pod-identity-token"), audience: podIdentityAudience}
	p.tokens = append(p.tokens, t)
	p.Env = append(p.Env, "AWS_CONTAINER_CREDENTIALS_FULL_URI="+i.CredentialsURI, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="+t.file)
	return nil
}

// project writes every token, atomically and without a trailing newline, which SDKs refuse. spec: pod-identity.md 7.1
func (p *Pod) project(ctx context.Context) error {
	for _, t := range p.tokens {
		token, err := p.kubelet.Token(ctx, TokenRequest{
			Namespace: p.spec.Namespace, ServiceAccount: p.spec.ServiceAccount, Pod: p.Name, PodUID: p.UID,
			Audience: t.audience, Lifetime: tokenLifetime,
		})
		if err != nil {
			return fmt.Errorf("get a token for %s/%s: %w", p.spec.Namespace, p.spec.ServiceAccount, err)
		}
		if err := secretfile.Write(t.file, []byte(token)); err != nil {
			return fmt.Errorf("write the token: %w", err)
		}
	}
	return nil
}

// Token gets a token from the cluster.
func (k *Kubelet) Token(ctx context.Context, r TokenRequest) (string, error) {
	var a tokenAnswer
	err := k.call(ctx, http.MethodPost, "/token", r, &a)
	return a.Token, err
}

// Info is the environment that pods of this cluster get.
func (k *Kubelet) Info() Info { return k.info }

// Run keeps the tokens fresh until ctx ends. A cluster that does not answer is asked again after a minute; the tokens on
// disk last hours longer.
func (p *Pod) Run(ctx context.Context) {
	wait := refreshEvery
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		wait = refreshEvery
		if err := p.project(ctx); err != nil {
			wait = time.Minute
		}
	}
}

// Close ends the pod: it removes the pod's folder and with it its tokens, and tells the cluster, so that a copy of a token is good for
// nothing. Where the cluster does not answer, the tokens expire by themselves.
func (p *Pod) Close() error {
	_ = p.kubelet.call(context.Background(), http.MethodPost, "/ended", endedPod{p.UID}, new(struct{}))
	return os.RemoveAll(p.dir)
}
