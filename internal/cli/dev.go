package cli

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/podid/podid/internal/agent"
	"github.com/podid/podid/internal/devcluster"
	"github.com/podid/podid/internal/server"
)

// devFlags are the flags of the laptop mode.
type devFlags struct {
	serveFlags

	agentListen string
	cluster     string
	create      bool
}

func devCommand(p *Process) *cobra.Command {
	f := &devFlags{}
	c := &cobra.Command{
		Use:   "dev",
		Short: "Run everything on this machine: control plane, a cluster, the node agent",
		Long: "Run the control plane with embedded etcd and object store, a built-in cluster that signs service account tokens as\n" +
			"a Kubernetes API server does, and the node agent, all on loopback and below one data folder.\n\n" +
			"Nothing is bypassed: signatures are checked, policies decide, tokens are verified. Only where tokens come from\n" +
			"differs from a real cluster. Start programs as pods with \"podid run\".",
		Example: "  podid dev\n" +
			"  AWS_PROFILE=podid aws eks list-clusters\n" +
			"  podid run --service-account shop/uploader -- aws sts get-caller-identity",
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return f.dev(c.Context(), p) },
	}
	f.common(c, p)
	c.Flags().StringSliceVar(&f.accounts, "account", []string{"111122223333", "444455556666"}, "accounts to make at the first start; the first one has the cluster")
	c.Flags().StringVar(&f.agentListen, "agent-listen", "127.0.0.1:8475", "loopback address and port of the node agent")
	c.Flags().StringVar(&f.cluster, "cluster", "local", "name of the built-in cluster")
	c.Flags().BoolVar(&f.create, "create-cluster", true, "create the cluster, its node group and the agent add-on; otherwise it connects once somebody has created it")
	return c
}

// clusterDir is the built-in cluster's folder.
func clusterDir(data string) string { return filepath.Join(data, "cluster") }

// dev runs the three parts. Each speaks to the next over its public API, as in a real installation.
func (f *devFlags) dev(ctx context.Context, p *Process) error {
	config, done, err := f.config(p)
	if err != nil {
		return err
	}
	defer done()
	agentListener, err := f.listenAgent(ctx)
	if err != nil {
		return err
	}
	defer agentListener.Close()
	started := make(chan server.Started, 1)
	config.Ready = func(s server.Started) { started <- s }

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return server.Run(ctx, config) })
	g.Go(func() error {
		select {
		case <-ctx.Done():
			return nil
		case s := <-started:
			return f.cast(ctx, p, config, agentListener, s)
		}
	})
	return g.Wait()
}

func (f *devFlags) listenAgent(ctx context.Context) (net.Listener, error) {
	host, _, err := net.SplitHostPort(f.agentListen)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("--agent-listen %q is not a loopback address with a port, for example 127.0.0.1:8475: SDKs trust no other", f.agentListen)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.agentListen)
	if err != nil {
		return nil, fmt.Errorf("listen for the node agent: %w; if podid dev runs already, stop it or choose another address with --agent-listen", err)
	}
	return l, nil
}

// cast starts the built-in cluster and the agent, once the control plane answers.
func (f *devFlags) cast(ctx context.Context, p *Process, config server.Config, l net.Listener, s server.Started) error {
	admin, err := f.administrator(s)
	if err != nil {
		return err
	}
	f.announceProfiles(p, s)
	h, err := trusting(s.CABundle)
	if err != nil {
		return err
	}
	credentialsURI := "http://" + l.Addr().String() + "/v1/credentials"
	cluster, err := devcluster.New(devcluster.Config{
		Dir: clusterDir(f.data), Name: f.cluster, Account: f.accounts[0], Region: f.region, Endpoint: s.Endpoint, CABundle: s.CABundle,
		CredentialsURI: credentialsURI, Create: f.create, Administrator: admin, HTTP: h,
		AgentAnswers: answers(h, l.Addr().String()), Now: time.Now, Logger: config.Logger,
	})
	if err != nil {
		return err
	}
	endpoint, err := url.Parse(s.Endpoint)
	if err != nil {
		return err
	}
	identity, err := agent.NewWebIdentity(agent.WebIdentityConfig{
		Endpoint: endpoint, RoleARN: cluster.AgentRoleARN(), SessionName: cluster.NodeName(), TokenFile: cluster.AgentTokenFile(), Transport: h.Transport,
	})
	if err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(l.Addr().String()) // a listener's address always has a port
	node, err := agent.New(agent.Config{
		ClusterName: f.cluster, Endpoint: endpoint, Region: f.region, Signer: identity, Transport: h.Transport, NodeName: cluster.NodeName(),
		AllowedHosts: []string{host}, Logger: config.Logger,
	})
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return cluster.Run(ctx) })
	g.Go(func() error { return node.Serve(ctx, l) })
	g.Go(func() error {
		select {
		case <-ctx.Done():
		case <-cluster.Ready():
			fmt.Fprintf(f.out(p), "podid dev is ready: %s (region %s), cluster %s, credentials %s, data %s\n",
				s.Endpoint, f.region, f.cluster, credentialsURI, f.data)
		}
		return nil
	})
	return g.Wait()
}

// answers asks whether the agent is there. It answers everything but a pod's question with 404.
func answers(h *http.Client, address string) func(context.Context) bool {
	return func(ctx context.Context) bool {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/", nil)
		if err != nil {
			return false
		}
		resp, err := h.Do(req)
		if err != nil {
			return false
		}
		return resp.Body.Close() == nil && resp.StatusCode == http.StatusNotFound
	}
}

// administrator is the cluster account's administrator: the cluster connects itself with its key.
func (f *devFlags) administrator(s server.Started) (aws.CredentialsProvider, error) {
	for _, k := range s.Administrators {
		if k.Account == f.accounts[0] {
			return credentials.NewStaticCredentialsProvider(k.ID, k.Secret, ""), nil
		}
	}
	return nil, fmt.Errorf("the administrator's key of account %s, which the first start on %s would have made, is not there or no longer works: "+
		"give the account that was made first with --account, or start on another folder with --data", f.accounts[0], f.data)
}
