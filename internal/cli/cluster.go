package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/kube/connect"
)

// clusterFlags are those of all verbs about clusters: which Kubernetes, and which account.
type clusterFlags struct {
	profile, awsConfig  string
	kubeconfig, context string
	timeout             time.Duration
}

func clusterCommand(p *Process) *cobra.Command {
	f := &clusterFlags{}
	c := &cobra.Command{
		Use: "cluster", Short: "Connect Kubernetes clusters, and tell how they are",
		Long: "A connected cluster is one whose pods get credentials: podid knows the issuer and the keys of its service accounts, and the\n" +
			"cluster runs the operator and, on every node, the agent. Connecting takes a kubeconfig with the rights of cluster-admin and the\n" +
			"AWS profile of an administrator of the account that the cluster is to belong to.",
		Example: "  podid cluster connect prod --kubeconfig prod.kubeconfig\n  podid cluster status prod",
	}
	c.PersistentFlags().StringVar(&f.profile, "profile", "podid", "AWS profile of an administrator of the cluster's account")
	c.PersistentFlags().StringVar(&f.awsConfig, "aws-config", p.awsConfig(), "AWS shared config file with the profile (AWS_CONFIG_FILE)")
	c.PersistentFlags().StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig of the cluster (KUBECONFIG, ~/.kube/config)")
	c.PersistentFlags().StringVar(&f.context, "context", "", "context of the kubeconfig (default: its current one)")
	c.PersistentFlags().DurationVar(&f.timeout, "timeout", 3*time.Minute, "how long to wait for each thing that takes time")
	c.AddCommand(f.connectCommand(p), f.disconnectCommand(p), f.statusCommand(p))
	return c
}

// kubeconfigs are the files that kubectl would read.
func (f *clusterFlags) kubeconfigs(p *Process) []string {
	if f.kubeconfig != "" {
		return []string{f.kubeconfig}
	}
	if list := p.getenv("KUBECONFIG"); list != "" {
		return filepath.SplitList(list)
	}
	return []string{filepath.Join(p.home(), ".kube", "config")}
}

// config is a connection's, as far as it is the same for all verbs.
func (f *clusterFlags) config(ctx context.Context, p *Process, cluster string) (*signedIn, connect.Config, error) {
	admin, err := signIn(ctx, f.awsConfig, f.profile)
	if err != nil {
		return nil, connect.Config{}, err
	}
	return admin, connect.Config{
		Cluster: cluster, Context: f.context, AWS: admin.aws, Patience: f.timeout, Out: p.Stdout, Now: time.Now,
	}, nil
}

// connectFlags are those of connect alone.
type connectFlags struct {
	*clusterFlags

	endpoint, caFile                        string
	registry, operatorImage, agentImage     string
	boundary                                string
	set, valueFiles                         []string
	dryRun, yes, noTest, iamRoles, replaces bool
}

func (f *clusterFlags) connectCommand(p *Process) *cobra.Command {
	o := &connectFlags{clusterFlags: f}
	c := &cobra.Command{
		Use: "connect NAME", Short: "Connect a Kubernetes cluster",
		Long: "Connect a Kubernetes cluster, 1.28 or newer: show what that takes, ask, do it, wait until it works, and prove it with a pod of\n" +
			"its own, which is removed again. What is there already is left or put right: running it again repairs, and updates.\n\n" +
			"The account gets the cluster, an OIDC provider for its issuer and the roles podid-operator-NAME and podid-agent-NAME; the\n" +
			"Kubernetes gets the chart, by server-side apply; then the add-on eks-pod-identity-agent brings the agent to every node.",
		Example: "  podid cluster connect prod --kubeconfig prod.kubeconfig\n" +
			"  podid cluster connect prod --endpoint https://podid.example.com --dry-run\n" +
			"  podid cluster connect prod --image-registry registry.example.com/podid --set operator.replicas=3 --yes",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error { return o.connect(c.Context(), p, args[0]) },
	}
	c.Flags().StringVar(&o.endpoint, "endpoint", "", "URL at which the cluster reaches podid (default: the profile's)")
	c.Flags().StringVar(&o.caFile, "ca-file", "", "PEM file of the authorities of that URL's certificate (default: the profile's ca_bundle)")
	c.Flags().StringVar(&o.registry, "image-registry", "", "where the images are, for example registry.example.com/podid")
	c.Flags().StringVar(&o.operatorImage, "operator-image", "", "whole reference of the operator's image")
	c.Flags().StringVar(&o.agentImage, "agent-image", "", "whole reference of the agent's image")
	c.Flags().StringArrayVar(&o.set, "set", nil, "a value of the chart, for example operator.replicas=3; repeatable")
	c.Flags().StringArrayVar(&o.valueFiles, "values", nil, "YAML file with values of the chart; repeatable")
	c.Flags().BoolVar(&o.iamRoles, "iam-resources", false, "let Role and Policy objects of the cluster make IAM roles and policies below /podid/NAME/")
	c.Flags().StringVar(&o.boundary, "iam-permissions-boundary", "",
		"ARN of a managed policy that none of the roles made of objects exceeds; required with --iam-resources")
	c.Flags().BoolVar(&o.replaces, "replace", false, "the cluster takes the place of another one of this name")
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "only show what would be done")
	c.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	c.Flags().BoolVar(&o.noTest, "no-test-pod", false, "do not prove it with a pod")
	return c
}

func (o *connectFlags) connect(ctx context.Context, p *Process, name string) error {
	admin, config, err := o.config(ctx, p, name)
	if err != nil {
		return err
	}
	config.Kubeconfigs = o.kubeconfigs(p)
	if config.Values, err = connect.Values(o.images(), o.valueFiles, o.set); err != nil {
		return err
	}
	config.OperatorImage, config.AgentImage, config.IAMResources, config.Replace = o.operatorImage, o.agentImage, o.iamRoles, o.replaces
	config.IAMBoundary = o.boundary
	if config.Endpoint = o.endpoint; config.Endpoint == "" {
		config.Endpoint = admin.endpoint
	}
	if o.caFile == "" {
		o.caFile = admin.caBundle
	}
	if o.caFile != "" {
		text, err := os.ReadFile(o.caFile)
		if err != nil {
			return fmt.Errorf("read the certificate authority: %w", err)
		}
		config.CABundle = string(text)
	}
	c, err := connect.New(config)
	if err != nil {
		return plain(err)
	}
	plan, err := c.Plan(ctx)
	if err != nil {
		return plain(err)
	}
	if goOn, err := o.agree(p, plan, o.dryRun, o.yes); err != nil || !goOn {
		return err
	}
	if err := plan.Execute(ctx); err != nil {
		return plain(err)
	}
	if err := c.Wait(ctx); err != nil {
		return plain(err)
	}
	if !o.noTest {
		if err := c.Prove(ctx); err != nil {
			return plain(err)
		}
	}
	_, err = fmt.Fprintf(p.Stdout, "cluster %s is connected\n", name)
	return err
}

// images are the values that --image-registry stands for: this program's own version, unless the chart's values say otherwise.
func (o *connectFlags) images() map[string]any {
	image := map[string]any{}
	if o.registry != "" {
		image["containerRegistry"] = o.registry
	}
	if version != "" {
		image["tag"] = version
	}
	return map[string]any{"image": image}
}

// agree shows a plan and asks. Nothing is asked where nothing is to be done.
func (f *clusterFlags) agree(p *Process, plan connect.Plan, dryRun, yes bool) (bool, error) {
	plan.Print(p.Stdout)
	if dryRun {
		return false, nil
	}
	if plan.Empty() {
		return true, nil
	}
	return confirm(p, yes)
}

// confirm asks a person, unless they said yes before.
func confirm(p *Process, yes bool) (bool, error) {
	if yes {
		return true, nil
	}
	fmt.Fprint(p.Stdout, "do this? [y/N] ")
	answer, err := bufio.NewReader(p.Stdin).ReadString('\n')
	if err != nil && answer == "" {
		return false, errors.New("nobody is there to say yes; say --yes")
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true, nil
	}
	return false, errors.New("nothing was changed")
}

// plain shows a failure's text for people, where it is one of ours; its cause only where the text is not enough.
func plain(err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind != fault.Internal && f.Cause() == nil && err.Error() == f.Error() {
		return errors.New(f.Public)
	}
	return err
}

func (f *clusterFlags) disconnectCommand(p *Process) *cobra.Command {
	var r connect.Removal
	var dryRun, yes, gone bool
	c := &cobra.Command{
		Use: "disconnect NAME", Short: "Undo connecting a cluster",
		Long: "Remove what connecting made: the add-on and the agent, the chart's objects, the roles, the OIDC provider, and the cluster\n" +
			"itself. A cluster that has associations is left alone, unless --force deletes them too.",
		Example: "  podid cluster disconnect prod --kubeconfig prod.kubeconfig\n" +
			"  podid cluster disconnect prod --force --delete-crds --yes\n" +
			"  podid cluster disconnect prod --kubernetes-is-gone",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			_, config, err := f.config(c.Context(), p, args[0])
			if err != nil {
				return err
			}
			if !gone {
				config.Kubeconfigs = f.kubeconfigs(p)
			}
			conn, err := connect.New(config)
			if err != nil {
				return plain(err)
			}
			plan, err := conn.PlanRemoval(c.Context(), r)
			if err != nil {
				return plain(err)
			}
			if goOn, err := f.agree(p, plan, dryRun, yes); err != nil || !goOn {
				return err
			}
			if err := plan.Execute(c.Context()); err != nil {
				return plain(err)
			}
			_, err = fmt.Fprintf(p.Stdout, "cluster %s is disconnected\n", args[0])
			return err
		},
	}
	c.Flags().BoolVar(&r.CRDs, "delete-crds", false, "also delete the kinds of podid.dev and all objects of theirs")
	c.Flags().BoolVar(&r.Associations, "force", false, "also delete the cluster's associations")
	c.Flags().BoolVar(&gone, "kubernetes-is-gone", false, "the Kubernetes does not exist any more: remove what the account has")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would be done")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func (f *clusterFlags) statusCommand(p *Process) *cobra.Command {
	return &cobra.Command{
		Use: "status [NAME]", Short: "Tell how clusters are",
		Long: "Tell how a cluster is, or list all clusters of the account. With a kubeconfig (--kubeconfig) it is also told what is true in\n" +
			"the Kubernetes: operator, agents, webhook, and pods that should have an identity and have not.",
		Example: "  podid cluster status\n  podid cluster status prod --kubeconfig prod.kubeconfig",
		Args:    usage(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			name := ""
			if len(args) == 1 {
				name = args[0]
			}
			_, config, err := f.config(c.Context(), p, name)
			if err != nil {
				return err
			}
			if f.kubeconfig != "" && name != "" {
				config.Kubeconfigs = f.kubeconfigs(p)
			}
			conn, err := connect.New(config)
			if err != nil {
				return plain(err)
			}
			return plain(conn.Status(c.Context()))
		},
	}
}
