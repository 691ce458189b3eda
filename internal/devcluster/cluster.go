package devcluster

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/sync/errgroup"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/oidc"
	"github.com/podid/podid/internal/secretfile"
)

// Config is what a built-in cluster needs; every field but CABundle and Create is required.
type Config struct {
	Dir            string // a private folder: the signing key, the socket, the agent's token
	Name           string // as the control plane knows it: "local"
	Account        string
	Region         string
	Endpoint       string // of the control plane
	CABundle       string // file, where the endpoint's certificate is self-signed
	CredentialsURI string // where the agent answers pods
	Create         bool   // create the cluster, its node group and the add-on where they are missing
	Administrator  aws.CredentialsProvider
	HTTP           *http.Client // trusts the endpoint
	AgentAnswers   func(context.Context) bool
	Now            func() time.Time
	Logger         *slog.Logger
}

// Names of what plays a part in every cluster with podid. The agent's are AWS's own.
const (
	node              = "laptop"
	agentNamespace    = "kube-system"
	agentAccount      = "eks-pod-identity-agent"
	operatorNamespace = "podid-system"
	operatorAccount   = "podid-operator"
	version           = "1.36" // the Kubernetes whose tokens the cluster signs
)

// Cluster is the built-in cluster.
type Cluster struct {
	Config
	dir    string
	info   Info
	issuer string
	signer *oidc.Signer
	ready  chan struct{}
	ended  chan string // the uids of pods that have ended and were not told of yet
}

// New loads the cluster's signing key and issuer from its folder, or makes them.
func New(c Config) (*Cluster, error) {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the cluster's folder: %w", err)
	}
	if err := os.Chmod(c.Dir, 0o700); err != nil { // whoever may open the socket may be any pod
		return nil, fmt.Errorf("close the cluster's folder: %w", err)
	}
	signer, err := loadSigner(filepath.Join(c.Dir, "sa-signer.pem"))
	if err != nil {
		return nil, fmt.Errorf("the cluster's signing key: %w", err)
	}
	id, err := loadID(filepath.Join(c.Dir, "issuer-id"))
	if err != nil {
		return nil, fmt.Errorf("the cluster's issuer: %w", err)
	}
	return &Cluster{
		Config: c, dir: c.Dir, signer: signer, ready: make(chan struct{}), ended: make(chan string, maxUntold),
		// .internal is reserved for private use: nobody else can hold this name. Tokens are verified with the key set that the
		// cluster reports, so nothing ever connects to it.
		issuer: "https://oidc.podid.internal/id/" + id,
		info: Info{
			Cluster: c.Name, Region: c.Region, Endpoint: c.Endpoint, CredentialsURI: c.CredentialsURI, CABundle: c.CABundle,
		},
	}, nil
}

// keep returns what a private file holds; the first time it makes the content.
func keep(file string, create func() ([]byte, error)) ([]byte, error) {
	text, err := os.ReadFile(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return text, err
	}
	if text, err = create(); err != nil {
		return nil, err
	}
	return text, secretfile.Write(file, text)
}

func loadSigner(file string) (*oidc.Signer, error) {
	text, err := keep(file, func() ([]byte, error) {
		s, err := oidc.NewSigner("RS256")
		if err != nil {
			return nil, err
		}
		return s.PEM()
	})
	if err != nil {
		return nil, err
	}
	return oidc.ParseSigner(text)
}

func loadID(file string) (string, error) {
	text, err := keep(file, func() ([]byte, error) {
		b := make([]byte, 16)
		_, err := rand.Read(b)
		return []byte(strings.ToUpper(hex.EncodeToString(b))), err
	})
	return string(text), err
}

// Limits of a token's lifetime, as the TokenRequest API has them.
const (
	minLifetime = 10 * time.Minute
	maxLifetime = 24 * time.Hour
)

// Token signs a token for a pod, bound to it and to the node. Any service account exists here; what it may do is the
// control plane's to decide.
func (c *Cluster) Token(r TokenRequest) (string, error) {
	if r.Namespace == "" || r.ServiceAccount == "" || r.Pod == "" || r.PodUID == "" || r.Audience == "" {
		return "", fault.New(fault.Invalid, "token request", "A token needs namespace, service account, pod, pod uid and audience")
	}
	if r.Lifetime < minLifetime || r.Lifetime > maxLifetime {
		return "", fault.New(fault.Invalid, "token request", "A token lives 10 minutes to 24 hours")
	}
	return c.signer.ServiceAccountToken(oidc.ServiceAccountToken{
		Issuer: c.issuer, Audiences: []string{r.Audience}, IssuedAt: c.Now(), Lifetime: r.Lifetime,
		Kubernetes: oidc.Kubernetes{
			Namespace: r.Namespace, ServiceAccount: r.ServiceAccount, ServiceAccountUID: uidOf(c.issuer, r.Namespace, r.ServiceAccount),
			Pod: r.Pod, PodUID: r.PodUID, Node: node, NodeUID: uidOf(c.issuer, "node", node),
		},
	})
}

// AgentTokenFile is the node agent's own projected token, with which it signs in.
func (c *Cluster) AgentTokenFile() string { return filepath.Join(c.dir, "agent-token") }

// AgentRoleARN is the role that the node agent signs in to.
func (c *Cluster) AgentRoleARN() string {
	return "arn:aws:iam::" + c.Account + ":role/" + c.agentRole()
}

// NodeName is the name of the one node.
func (c *Cluster) NodeName() string { return node }

// Ready is closed once pods can be started: the socket answers, and the cluster is connected if it is to create itself.
func (c *Cluster) Ready() <-chan struct{} { return c.ready }

// Run is the cluster at work: it answers podid run, keeps the agent's token fresh, is connected to the control plane and tells it of
// pods that have ended.
func (c *Cluster) Run(ctx context.Context) error {
	if err := c.projectAgentToken(); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	l, err := c.listen(ctx)
	if err != nil {
		return err
	}
	g.Go(func() error { return c.serve(ctx, l) })
	g.Go(func() error { return c.refreshAgentToken(ctx) })
	g.Go(func() error { c.follow(ctx); return nil })
	g.Go(func() error { c.tellEnded(ctx); return nil })
	return g.Wait()
}

func (c *Cluster) refreshAgentToken(ctx context.Context) error {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := c.projectAgentToken(); err != nil {
				return err
			}
		}
	}
}

func (c *Cluster) projectAgentToken() error {
	token, err := c.Token(TokenRequest{
		Namespace: agentNamespace, ServiceAccount: agentAccount, Pod: agentAccount + "-" + node, PodUID: uidOf(c.issuer, "pod", agentAccount),
		Audience: webIdentityAudience, Lifetime: tokenLifetime,
	})
	if err != nil {
		return err
	}
	if err := secretfile.Write(c.AgentTokenFile(), []byte(token)); err != nil {
		return fmt.Errorf("write the agent's token: %w", err)
	}
	return nil
}
